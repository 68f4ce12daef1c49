"""Take back what a run wrote: byte for byte where nobody has touched the file since, else the machine's part alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from semreg.errors import SemregError
from semreg.folders.changes import Change, Changes, Contents
from semreg.folders.journal import Journal
from semreg.folders.place import content_hash, file_hash
from semreg.folders.records import Write
from semreg.folders.walk import find_pictures
from semreg.metadata import MetadataError, read, restored, withdrawn

_BATCH = 16  # files taken back together


@dataclass
class Undone:
    """What became of a run's writes.

    Attributes:
        files: files that were taken back; `touched` of them were changed by somebody since and lost only what the
            machine wrote, the others are byte for byte what they were, or gone if they were new.
        nothing: writes that had changed nothing, or of which nothing is left.
        failed: files that could not be taken back.
    """

    files: int = 0
    touched: int = 0
    nothing: int = 0
    failed: int = 0


def last_run(journal: Journal) -> str:
    """The latest run of which something still stands.

    Raises:
        SemregError: there is none.
    """
    for run in journal.runs():
        if run.command != "undo" and run.writes:
            return run.id
    raise SemregError(f"there is nothing to take back in {journal.root}: no run has written into it")


class Undo:
    """Take back one run.

    Args:
        journal: of the folder.
        run: the number of the run.
        note: is told a sentence for each file that could not be restored byte for byte.
        foretell: is told what would be done to each file, which then is not done.

    Raises:
        SemregError: there is no such run.
    """

    def __init__(
        self,
        journal: Journal,
        run: str,
        note: Callable[[str], None],
        foretell: Callable[[Contents], None] | None = None,
    ) -> None:
        found = journal.runs(run)
        if not found or found[0].command == "undo":
            known = ", ".join(item.id for item in journal.runs() if item.command != "undo") or "none"
            raise SemregError(f"the journal of {journal.root} has no run {run}: known are {known}")
        self.done = Undone()
        self._journal, self._run, self._note, self._foretell = journal, run, note, foretell
        self._model = found[0].model
        self._later: Counter[str] = Counter()  # files that a later run has written too

    def take_back(self) -> Iterator[int]:
        """Take back the run's writes, the latest first; yields the number of writes after each batch.

        May be stopped at any moment and done again: what is taken back already stays so.
        """
        number = self._journal.begin("undo", self._model, self._run)
        changes = Changes(self._journal, number, self._failed)
        missing: list[Write] = []
        before: int | None = None
        while writes := self._journal.writes_of(self._run, before, _BATCH):
            before = writes[-1].id
            with self._journal.transaction():
                for write in writes:
                    target = self._journal.root / write.target
                    if write.before == write.after:
                        self._nothing(write)
                    elif target.is_file():
                        self._take(write, target, changes)
                    else:
                        missing.append(write)
            changes.carry_out()
            yield len(writes)
        self._search_for(missing, changes)
        for later, count in self._later.items():
            self.done.failed += count
            self._note(f"{count} of the files were written by the run {later} as well: take that back first")
        self.done.files += changes.written
        self._journal.end("undo", self._model, self._run)

    def _take(self, write: Write, target: Path, changes: Changes) -> None:
        later = self._journal.last_write(target)
        if later is not None and later.id > write.id and later.run != self._run:
            self._later[later.run] += 1
            return
        try:
            contents = self._contents(write, target)
        except OSError as error:
            self._failed(f"cannot take back what was written into {target}: {error.strerror or error}")
        except SemregError as error:
            self._failed(f"cannot take back what was written into {target}: {error}")
        else:
            if contents is None:
                self._nothing(write)
            elif self._foretell:
                self.done.files += 1
                self._foretell(contents)
            else:
                changes.add(Change(write.picture, write.form, contents, self._run, undoes=write.id))

    def _contents(self, write: Write, target: Path) -> Contents | None:
        """What the file is to hold; None where nothing of ours is left in it."""
        data = target.read_bytes()
        target = target.resolve()
        if content_hash(data) == write.after:
            if write.before is None:
                return Contents(target, data, None)
            old = restored(data, write.difference)
            if content_hash(old) != write.before:
                raise MetadataError("the way back that was kept does not lead to what was there: restore a copy")
            return Contents(target, data, old, mtime=write.mtime)
        if write.form == "txt":
            raise MetadataError("somebody has changed it since, and it is a text: edit or remove it")
        left = withdrawn(data)
        if left is data:
            return None
        self.done.touched += 1
        self._note(f"{target} was changed since: the machine's part is taken out, the rest left")
        return Contents(target, data, left or None)

    def _search_for(self, missing: list[Write], changes: Changes) -> None:
        """Take back what is in files that have another name or place now: by content, or by our record in them."""
        left = {write.id: write for write in missing}
        for recognised in (_by_content, self._by_record):
            for path in _files(self._journal.root) if left else ():
                write = recognised(path, left.values())
                if write is None:
                    continue
                del left[write.id]
                with self._journal.transaction():
                    self._journal.relocated(write, path)
                    self._take(write, path, changes)
                changes.carry_out()
        for write in left.values():
            self._failed(f"{write.target} is not there any more, and no file in the folder has what was in it")

    def _by_record(self, path: Path, missing: Iterable[Write]) -> Write | None:
        """The write whose record the file holds, though somebody has changed it since."""
        try:
            machine = read(path.read_bytes()).machine
        except (OSError, MetadataError):
            return None
        if machine is None or (machine.model, machine.date) != (self._model, self._journal.date(self._run)):
            return None
        tags = set(machine.tags)
        return next((w for w in missing if tags <= {tag.label for tag in self._journal.told(w.picture).tags}), None)

    def _nothing(self, write: Write) -> None:
        self.done.nothing += 1
        self._journal.undone(write.id)

    def _failed(self, sentence: str) -> None:
        self.done.failed += 1
        self._note(sentence)


def _by_content(path: Path, missing: Iterable[Write]) -> Write | None:
    """The write after which the file had the content that this one has."""
    try:
        size = path.stat().st_size
        candidates = [write for write in missing if write.size == size]
        content = file_hash(path) if candidates else None
    except OSError:
        return None
    return next((write for write in candidates if write.after == content), None)


def _files(root: Path) -> Iterator[Path]:
    """Every picture in the folder, and what may lie beside it."""
    try:
        for found in find_pictures([root]):
            path = found.path
            yield path
            beside = (path.with_name(f"{path.name}.xmp"), path.with_suffix(".xmp"), path.with_suffix(".txt"))
            yield from (file for file in beside if file.is_file())
    except SemregError:  # there is no picture in it any more
        return
