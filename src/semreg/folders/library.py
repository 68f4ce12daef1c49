"""A folder with a journal: which of its pictures need work, and how what is said of them is kept and written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from semreg.annotation import Annotation
from semreg.annotator import Annotator
from semreg.errors import SemregError
from semreg.folders.changes import Change, Changes, Contents
from semreg.folders.items import Counts, Item, Said, annotated
from semreg.folders.journal import Journal
from semreg.folders.labels import Labels
from semreg.folders.place import file_hash
from semreg.folders.records import Form, Picture
from semreg.folders.targets import KeptError, Subject, Target
from semreg.folders.walk import Found
from semreg.metadata import read
from semreg.options import Options
from semreg.reading import ahead

_BYTES = 64 << 20  # a batch is written early when its pictures are larger than this together
_LEAD = 32  # pictures whose content is looked at ahead of their turn


@dataclass
class Library:
    """What to do with the pictures of a folder that has a journal.

    Attributes:
        journal: of the folder.
        target: how annotations are written into the folder; None writes nothing there, every picture is told.
        labels: which are told, and how.
        computing: what annotations depend on: the model and its options, as text.
        refresh: pictures that were written with other settings are written again.
        everything: pictures that need nothing are told too.
        note: is told a sentence for each picture that something could not be done for.
        foretell: is told what would be written, which then is not.
        passed: is told of pictures that need nothing, one or more at a time.
        news_only: pictures that have an annotation and need nothing written are not told again.
        command: the verb under which the journal lists the run; it goes on until `end` is called.
        retry: pictures that could not be read are tried again though they have not changed.
    """

    journal: Journal
    target: Target | None
    labels: Labels
    model: str
    computing: str
    refresh: bool = False
    everything: bool = False
    note: Callable[[str], None] = print
    foretell: Callable[[Contents, Annotation], None] | None = None
    passed: Callable[[int], None] = lambda count: None
    news_only: bool = False
    command: str = "annotate"
    retry: bool = True
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._settings = f"{self.computing} labels={self.labels.digest()} target={self.target}"
        self.said_with, self.written_with = (
            _code(f"{self.model} {self.computing}"),
            _code(f"{self.model} {self._settings}"),
        )
        self._form: Form | None = self.target.form if self.target else None
        self._changes: Changes | None = None
        self._date = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._folder = lru_cache(1024)(Path.resolve)

    @property
    def run(self) -> str | None:
        """The number of the run that files were written in; None where none was."""
        return self._changes.run if self._changes else None

    def annotate(self, found: Iterable[Found], annotator: Annotator, options: Options) -> Iterator[Annotation]:
        """Annotate what needs it, keep it and write it, batch by batch; yields what is told of each picture.

        Raises:
            SemregError: the disk is full.
        """
        waiting: list[Said] = []
        for item, said in annotated(self.items(found), annotator, options):
            if item.told is not None:
                yield said
                continue
            told = self.labels.told(said)
            self.counts.annotated += said.error is None
            waiting.append((item, said, told))
            if len(waiting) >= options.batch_size or sum(item.size for item, *_ in waiting) > _BYTES:
                self._keep(waiting)
                waiting = []
            yield told
        self._keep(waiting)

    def end(self) -> None:
        """Keep that the run has come to its end: one with the same settings is another one."""
        self.journal.end(self.command, self.model, self._settings)

    # Which pictures need work

    def items(self, found: Iterable[Found]) -> Iterator[Item]:
        """The pictures that need something, or with `everything` all, each looked at."""
        for item in ahead(_with_hash, self._undone(found), _LEAD):
            decided = self._decided(item)
            if decided is not None:
                yield decided
            else:
                self.passed(1)

    def _undone(self, found: Iterable[Found]) -> Iterator[tuple[Item, bool]]:
        """What `_seen` gives, without the pictures that are plainly done: of these there may be very many."""
        for item, changed in map(self._seen, found):
            known = item.known
            done = not changed and known is not None and known.error is None and known.written == self.written_with
            if done and not self.everything and not self.refresh:
                self.counts.unchanged += 1
                self.passed(1)
            else:
                yield item, changed

    def _seen(self, found: Found) -> tuple[Item, bool]:
        """A picture as the disk and the journal have it, and whether its content must be looked at."""
        path = found.path
        place = self._folder(path.parent) / path.name
        place = place.relative_to(self.journal.root) if place.is_relative_to(self.journal.root) else place
        try:
            status = path.stat()
        except OSError:
            return Item(path, place), False
        known = self.journal.picture(place, self._form)
        item = Item(path, place, status.st_size, status.st_mtime_ns, known=known)
        if known and known.hash and (known.size, known.mtime) == (item.size, item.mtime):
            return replace(item, hash=known.hash), False
        return item, True

    def _decided(self, item: Item) -> Item | None:
        if item.known is None or item.known.hash != item.hash:
            item = self._recognised(item)
        elif item.known.mtime != item.mtime and item.hash is not None:
            self.journal.seen(item.known.id, item.size, item.mtime, item.hash)
        known = item.known
        if known is None:
            return item
        if known.hash != item.hash:
            if known.written and not self.refresh and self._still_ours(item):
                self.counts.edited += 1
                self.journal.seen(known.id, item.size, item.mtime, item.hash or b"")
                return self._settled(item)
            return item
        if known.error is not None and not self.retry:
            return None
        if known.error is None and known.written is not None:
            if known.written == self.written_with and not (self.refresh and self._gone(known)):
                return self._settled(item)
            if not self.refresh:
                self.counts.stale += 1
                return self._settled(item, counted=True)
        if known.settings == self.said_with and self.news_only and self.target is None:
            return None
        if known.settings == self.said_with:
            return replace(item, said=self.journal.annotation(known.id))
        return item

    def _recognised(self, item: Item) -> Item:
        """A picture whose content the journal knows from another place: moved, or a copy."""
        if item.hash is None or item.place is None:
            return item
        for other in self.journal.same_content(item.hash, self._form):
            if other.path == item.place or other.settings is None:
                continue
            if (self.journal.root / other.path).exists():
                if other.settings == self.said_with:
                    return replace(item, said=self.journal.annotation(other.id))
                continue
            self.journal.moved(other.id, item.place)
            last = self.journal.last_write_of(other.id, self._form) if self._form else None
            if last and (self.journal.root / last.target).exists():
                other = replace(other, written=None)  # its sidecar did not come along: it gets a new one
            return replace(item, known=replace(other, path=item.place))
        return item

    def _still_ours(self, item: Item) -> bool:
        """Whether a changed picture still holds our record: then somebody edited it who knows of our tags."""
        try:
            return self._form == "xmp" and read(item.path.read_bytes()).machine is not None
        except (OSError, SemregError):
            return False

    def _gone(self, known: Picture) -> bool:
        """Whether the file that was written about a picture is not there any more."""
        last = self.journal.last_write_of(known.id, self._form) if self._form else None
        return last is not None and not (self.journal.root / last.target).exists()

    def _settled(self, item: Item, counted: bool = False) -> Item | None:
        self.counts.unchanged += not counted
        if not self.everything or item.known is None:
            return None
        return replace(item, told=self.journal.told(item.known.id))

    # What is done with what was said

    def _keep(self, batch: list[Said]) -> None:
        while batch:
            batch = self._keep_those_apart(batch)

    def _keep_those_apart(self, batch: list[Said]) -> list[Said]:
        """Keep and write a batch; returns those that want a file which another one of the batch has just changed."""
        later = []
        with self.journal.transaction():
            for item, said, told in batch:
                if said.error is not None:
                    self._failed(said.error)
                if item.place is None:
                    continue
                plain, bare = replace(said, file_name=None), replace(told, file_name=None)
                number = self.journal.keep(item.place, item.size, item.mtime, item.hash, plain, bare, self.said_with)
                written = self.target is None or said.error is not None
                if not written and not self._prepare(item, number, said, told):
                    later.append((item, said, told))
        if self._changes:
            self._changes.carry_out()
            self.counts.written, self.counts.needless = self._changes.written, self._changes.needless
        return later

    def _prepare(self, item: Item, number: int, said: Annotation, told: Annotation) -> bool:
        """Bring a change on its way; False where its file is being changed already."""
        changes, target = self._begun(), self.target
        assert target is not None
        subject = Subject(item.path, number, item.hash, told, self.labels.hierarchy(said), self._date)
        try:
            contents = target.contents(subject, self.journal)
        except KeptError as kept:
            self.counts.kept += 1
            self.note(str(kept))
        except OSError as error:
            self._failed(f"cannot write about {item.path}: {error.strerror or error}")
        except SemregError as error:
            self._failed(str(error))
        else:
            if changes.wait_for(contents.target):
                return False
            if self.foretell is None:
                changes.add(Change(number, target.form, contents, self.written_with))
            elif contents.before != contents.after:
                self.foretell(contents, told)
        return True

    def _begun(self) -> Changes:
        if self._changes is None:
            run = self.journal.begin(self.command, self.model, self._settings)
            self._changes = Changes(self.journal, run, self._failed)
            self._date = self.journal.date(run)
        return self._changes

    def _failed(self, sentence: str) -> None:
        self.counts.failed += 1
        self.note(sentence)


def _with_hash(looked: tuple[Item, bool]) -> Item:
    item, needed = looked
    try:
        return replace(item, hash=file_hash(item.path)) if needed else item
    except OSError:  # its annotation will say why
        return item


def _code(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
