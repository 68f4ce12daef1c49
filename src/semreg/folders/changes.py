"""Changes to files, each announced in the journal before it happens, so that a kill in between is settled later."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semreg.errors import SemregError
from semreg.folders.journal import Journal
from semreg.folders.place import content_hash, file_hash, overwrite, place, remove, sync_folders, temporary_name
from semreg.folders.records import Form, Write

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # every further picture would fail as well


@dataclass(frozen=True)
class Contents:
    """A file to be written.

    Attributes:
        target: the file itself, not a link to it.
        before: its content, None where there is no file.
        after: its content then, None where it is to be removed.
        difference: leads from `after` back to `before`; empty where there was no file.
        mtime: the modification time that the file is to have, in nanoseconds; None leaves that to `place`.
    """

    target: Path
    before: bytes | None
    after: bytes | None
    difference: bytes = b""
    mtime: int | None = None


@dataclass(frozen=True)
class Change:
    """Contents to be written about a picture.

    Attributes:
        picture: number of the picture that it is about.
        settings: what the contents were made with.
        undoes: the write that this takes back, or None.
    """

    picture: int
    form: Form
    contents: Contents
    settings: str
    undoes: int | None = None


class Changes:
    """Changes of one run, carried out in batches: announced, done, ticked off; `written` and `needless` count them.

    Args:
        journal: keeps them.
        run: its number there.
        failed: is told the sentence of each change that could not be made.
    """

    def __init__(self, journal: Journal, run: str, failed: Callable[[str], None]) -> None:
        self.run = run
        self.written = self.needless = 0
        self._journal, self._failed = journal, failed
        self._waiting: list[Change] = []

    def wait_for(self, target: Path) -> bool:
        """Whether a change to this file waits already."""
        return any(change.contents.target == target for change in self._waiting)

    def add(self, change: Change) -> None:
        """Add a change to the batch. One that changes nothing is only kept in the journal, as done."""
        if change.contents.before == change.contents.after:
            self._journal.write("done", change.settings, self._as_write(change))
            self.needless += 1
        else:
            self._waiting.append(change)

    def carry_out(self) -> None:
        """Make the changes that wait.

        Raises:
            SemregError: the disk is full or cannot be written at all.
        """
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        with self._journal.transaction():
            numbers = [self._journal.write("intended", change.settings, self._as_write(change)) for change in batch]
        done = [self._make(change, number) for change, number in zip(batch, numbers, strict=True)]
        sync_folders(change.contents.target.parent for change in batch)
        with self._journal.transaction():
            for change, number, made in zip(batch, numbers, done, strict=True):
                if made:
                    tick_off(self._journal, number, change.picture, change.contents.target, change.contents.after)
                    self.written += 1
                elif not temporary_name(change.contents.target, number).exists():
                    self._journal.dropped(number)

    def _make(self, change: Change, number: int) -> bool:
        target, after = change.contents.target, change.contents.after
        try:
            if after is None:
                remove(target)
            else:
                place(target, after, temporary_name(target, number), change.contents.mtime)
        except OSError as error:
            sentence = f"cannot write {target}: {error.strerror or error}"
            if error.errno in _FULL:
                raise SemregError(f"{sentence}; make room and run the same command again") from None
            self._failed(sentence)
            return False
        return True

    def _as_write(self, change: Change) -> Write:
        contents = change.contents
        return Write(
            id=0,
            run=self.run,
            picture=change.picture,
            form=change.form,
            target=_inside(contents.target, self._journal.root),
            before=None if contents.before is None else content_hash(contents.before),
            after=None if contents.after is None else content_hash(contents.after),
            size=len(contents.after or b""),
            mtime=contents.target.stat().st_mtime_ns if contents.before is not None else 0,
            difference=contents.difference,
            undoes=change.undoes,
        )


def tick_off(journal: Journal, number: int, picture: int, target: Path, after: bytes | None) -> None:
    """A change has happened; where the target is the picture itself, its new state is kept."""
    journal.done(number)
    path = journal.path_of(picture)
    if after is not None and path is not None and (journal.root / path).resolve() == target:
        status = target.stat()
        journal.seen(picture, status.st_size, status.st_mtime_ns, content_hash(after))


def settle(journal: Journal) -> None:
    """Find out what became of changes that an earlier run announced and was stopped at; remove what it left behind."""
    writes = journal.intended()
    for write in writes:
        target = journal.root / write.target
        temporary = temporary_name(target, write.id)
        now = file_hash(target)
        unfinished = now not in (write.before, write.after) and now is not None
        if unfinished and target.stat().st_nlink > 1 and file_hash(temporary) == write.after:
            overwrite(target, temporary)  # it was stopped while a file with several names was overwritten
            now = write.after
        temporary.unlink(missing_ok=True)
        with journal.transaction():
            if now == write.after:
                tick_off(journal, write.id, write.picture, target, target.read_bytes() if now else None)
            else:
                journal.dropped(write.id)
    sync_folders(
        (journal.root / write.target).parent for write in writes if (journal.root / write.target).parent.is_dir()
    )


def _inside(target: Path, root: Path) -> Path:
    return target.relative_to(root) if target.is_relative_to(root) else target
