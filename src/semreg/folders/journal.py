"""What was said about a folder's pictures and what was written into it: one SQLite file that survives being killed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from semreg.annotation import Annotation
from semreg.errors import SemregError

HIDDEN, NAME = ".semreg", "journal.sqlite"  # where a folder's journal lies
VERSION = 1
Form = Literal["xmp", "txt"]

# Paths are relative to the folder, with posix slashes; a write's target outside of it is absolute. A name that is no
# UTF-8 is stored as its bytes. `before` and `after` are hashes of the target, NULL where there is no file; `difference`
# leads from what was written back to what was there. A write is intended, then done, then perhaps undone.
_TABLES = """
CREATE TABLE about(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE runs(
  id TEXT PRIMARY KEY, command TEXT NOT NULL, model TEXT NOT NULL, settings TEXT NOT NULL, date TEXT NOT NULL,
  ended TEXT);
CREATE TABLE pictures(
  id INTEGER PRIMARY KEY, path UNIQUE NOT NULL, size INTEGER, mtime INTEGER, hash BLOB,
  settings TEXT, annotation TEXT, told TEXT, error TEXT);
CREATE INDEX pictures_hash ON pictures(hash);
CREATE TABLE writes(
  id INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs, picture INTEGER NOT NULL REFERENCES pictures,
  form TEXT NOT NULL, target NOT NULL, state TEXT NOT NULL, settings TEXT NOT NULL, before BLOB, after BLOB,
  size INTEGER, mtime INTEGER, difference BLOB, undoes INTEGER REFERENCES writes);
CREATE INDEX writes_picture ON writes(picture, form);
CREATE INDEX writes_target ON writes(target);
CREATE INDEX writes_after ON writes(after);
CREATE INDEX writes_run ON writes(run, state);
CREATE INDEX writes_intended ON writes(id) WHERE state = 'intended';
CREATE VIRTUAL TABLE words USING fts5(name, tags, caption, tokenize = 'porter unicode61 remove_diacritics 2');
"""


@dataclass(frozen=True)
class Picture:
    """What the journal knows of a picture.

    Attributes:
        id: its number in the journal.
        path: where it was, relative to the folder.
        size: of the file, in bytes; `mtime`: its modification time in nanoseconds; `hash`: of its content.
        settings: what its annotation was computed with; None when it could not be read.
        error: why it could not be read, or None.
        written: the settings of the latest write of the form asked for that still holds, or None.
    """

    id: int
    path: Path
    size: int
    mtime: int
    hash: bytes
    settings: str | None
    error: str | None
    written: str | None


@dataclass(frozen=True)
class Write:
    """A file that was written, or is about to be; see the tables for the attributes."""

    id: int
    run: str
    picture: int
    form: Form
    target: Path
    before: bytes | None
    after: bytes | None
    size: int
    mtime: int
    difference: bytes
    undoes: int | None = None


@dataclass(frozen=True)
class Run:
    """A run as the journal lists it: `writes` still stand, `undone` were taken back."""

    id: str
    command: str
    model: str
    date: str
    ended: str | None
    writes: int
    undone: int


class Journal:
    """The journal of one folder, open for one process at a time; searching may go on beside it.

    Args:
        file: the SQLite file; made with its folder when it is not there.
        root: the folder that the pictures are in; None takes the one that the journal was made for.
        reading: only look: nothing is made, locked or changed.
        dry: forget all changes at the end; a journal that is not there is not made.

    Raises:
        SemregError: there is no such journal, another run has it, or it cannot be used.
    """

    def __init__(self, file: Path, root: Path | None = None, *, reading: bool = False, dry: bool = False) -> None:
        self.file, self._dry = file, dry
        self._lock = FileLock(file.with_name(f"{file.name}.lock"), blocking=False)
        if reading and not file.is_file():
            raise SemregError(
                f"there is no journal {file}: annotate the folder with --format xmp, or with --journal FILE"
            )
        try:
            if not reading and (file.exists() or not dry):
                file.parent.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
            self._open(reading)
            self.root = self._root(root)
        except Timeout:
            raise SemregError(f"another run is at work with the journal {file}: wait for its end or stop it") from None
        except (OSError, sqlite3.Error) as error:
            self.close()
            reason = getattr(error, "strerror", None) or error
            raise SemregError(
                f"cannot use the journal {file} ({reason}): name another place with --journal FILE"
            ) from None

    def _open(self, reading: bool) -> None:
        self._database = sqlite3.connect(self._address(reading), timeout=30, isolation_level=None, uri=True)
        run = self._database.execute
        version = run("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION) or (reading and version == 0):
            raise SemregError(
                f"the journal {self.file} is of another version of semreg: update semreg, or move it away"
            )
        if reading:
            return
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")  # an intention must be on the disk before what it announces
        if version == 0:
            self._database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        if self._dry:
            run("BEGIN")  # and never COMMIT

    def _address(self, reading: bool) -> str:
        address = self.file.absolute().as_uri()
        if self._dry and not self.file.exists():
            return "file::memory:"
        if not reading:
            return address
        # Beside a journal in a folder that cannot be written SQLite's own files cannot be made either.
        fixed = not os.access(self.file.parent, os.W_OK) and not self.file.with_name(f"{self.file.name}-wal").exists()
        return f"{address}?immutable=1" if fixed else f"{address}?mode=ro"

    def _root(self, given: Path | None) -> Path:
        if self.file.parent.name == HIDDEN:  # the journal moves with its folder
            return self.file.resolve().parent.parent
        row = self._database.execute("SELECT value FROM about WHERE key = 'root'").fetchone()
        root = _path(row[0]) if row else None
        if root is None and given is not None:
            root = given.resolve()
            self._database.execute("INSERT INTO about VALUES ('root', ?)", (_stored(root),))
        if root is None or not root.is_dir():
            raise SemregError(
                f"the journal {self.file} belongs to the folder {root}, which is not there: start a new one"
            )
        return root

    def close(self) -> None:
        """Close it, and let others use it."""
        if hasattr(self, "_database"):
            self._database.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block come to the disk together, or none of them."""
        if self._dry:
            yield
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    # Pictures

    def picture(self, path: Path, form: Form | None = None) -> Picture | None:
        """What is known of the picture at this path; `form` decides what `written` tells."""
        return next(self._pictures("path = ?", (_stored(path),), form), None)

    def same_content(self, content: bytes, form: Form | None = None) -> Iterator[Picture]:
        """Every picture that had this content when it was last seen."""
        return self._pictures("hash = ?", (content,), form)

    def _pictures(self, where: str, values: tuple[Any, ...], form: Form | None) -> Iterator[Picture]:
        written = (
            "(SELECT settings FROM writes WHERE picture = pictures.id AND form = ? AND state = 'done' "
            "AND undoes IS NULL ORDER BY id DESC LIMIT 1)"
        )
        query = f"SELECT id, path, size, mtime, hash, settings, error, {written} FROM pictures WHERE {where}"
        for id, path, *rest in self._database.execute(query, (form, *values)).fetchall():
            yield Picture(id, _path(path), *rest)

    def path_of(self, picture: int) -> Path | None:
        """Where the picture is, relative to the folder."""
        row = self._database.execute("SELECT path FROM pictures WHERE id = ?", (picture,)).fetchone()
        return _path(row[0]) if row else None

    def annotation(self, picture: int) -> Annotation:
        """What the model said of the picture, before labels were chosen and renamed."""
        row = self._database.execute("SELECT annotation FROM pictures WHERE id = ?", (picture,)).fetchone()
        return Annotation.from_json(row[0])

    def told(self, picture: int) -> Annotation:
        """What was told of the picture in the end."""
        query = "SELECT coalesce(told, annotation) FROM pictures WHERE id = ?"
        return Annotation.from_json(self._database.execute(query, (picture,)).fetchone()[0])

    def keep(
        self,
        path: Path,
        size: int,
        mtime: int,
        content: bytes | None,
        said: Annotation,
        told: Annotation,
        settings: str,
    ) -> int:
        """Keep what was said about a picture, or why it could not be read; returns its number."""
        good = said.error is None
        row: tuple[Any, ...] = (size, mtime, content, settings if good else None, said.to_json() if good else None)
        row += (told.to_json() if good and told != said else None, said.error)
        query = (
            "INSERT INTO pictures(path, size, mtime, hash, settings, annotation, told, error) VALUES (?,?,?,?,?,?,?,?) "
            "ON CONFLICT(path) DO UPDATE SET size = excluded.size, mtime = excluded.mtime, hash = excluded.hash, "
            "settings = excluded.settings, annotation = excluded.annotation, told = excluded.told, "
            "error = excluded.error RETURNING id"
        )
        number: int = self._database.execute(query, (_stored(path), *row)).fetchone()[0]
        self._database.execute("DELETE FROM words WHERE rowid = ?", (number,))
        if good:
            tags = ", ".join(dict.fromkeys(tag.label for tag in (*told.tags, *said.tags)))
            words = (_printable(path), _utf8(tags), _utf8(told.caption.text if told.caption else ""))
            self._database.execute("INSERT INTO words(rowid, name, tags, caption) VALUES (?,?,?,?)", (number, *words))
        return number

    def seen(self, picture: int, size: int, mtime: int, content: bytes) -> None:
        """Keep the present state of a picture's file."""
        query = "UPDATE pictures SET size = ?, mtime = ?, hash = ? WHERE id = ?"
        self._database.execute(query, (size, mtime, content, picture))

    def moved(self, picture: int, path: Path) -> None:
        """Keep that a picture has another name or place now; nothing else may be known at that path."""
        self._database.execute("DELETE FROM pictures WHERE path = ? AND id <> ?", (_stored(path), picture))
        self._database.execute("UPDATE pictures SET path = ? WHERE id = ?", (_stored(path), picture))

    # Runs and writes

    def begin(self, command: str, model: str, settings: str) -> str:
        """The number of a new run, or of one with the same settings that was stopped before its end."""
        query = "SELECT id FROM runs WHERE ended IS NULL AND (command, model, settings) = (?, ?, ?) ORDER BY date DESC"
        row = self._database.execute(query, (command, model, settings)).fetchone()
        if row:
            return str(row[0])
        now = datetime.now(timezone.utc)
        day = now.strftime("%Y%m%d")
        count = self._database.execute("SELECT count(*) FROM runs WHERE id LIKE ?", (f"{day}-%",)).fetchone()[0]
        run = f"{day}-{count + 1}"
        values = (run, command, model, settings, now.isoformat(timespec="microseconds"))
        self._database.execute("INSERT INTO runs(id, command, model, settings, date) VALUES (?,?,?,?,?)", values)
        return run

    def end(self, command: str, model: str, settings: str) -> None:
        """Keep that runs with these settings came to their end."""
        now = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        query = "UPDATE runs SET ended = ? WHERE ended IS NULL AND (command, model, settings) = (?, ?, ?)"
        self._database.execute(query, (now, command, model, settings))

    def runs(self, run: str | None = None) -> list[Run]:
        """All runs, or the one of this number, the latest first."""
        query = (
            "SELECT id, command, model, date, ended, "
            "(SELECT count(*) FROM writes WHERE run = runs.id AND state = 'done'), "
            "(SELECT count(*) FROM writes WHERE run = runs.id AND state = 'undone') FROM runs "
            "WHERE ? IS NULL OR id = ? ORDER BY date DESC"
        )
        return [Run(*row) for row in self._database.execute(query, (run, run))]

    def date(self, run: str) -> str:
        """When the run began, ISO 8601."""
        return str(self._database.execute("SELECT date FROM runs WHERE id = ?", (run,)).fetchone()[0])

    def write(self, state: Literal["intended", "done"], settings: str, write: Write) -> int:
        """Keep that a file is about to be written, or need not be; returns the number (`write.id` does not count)."""
        query = (
            "INSERT INTO writes(run, picture, form, target, state, settings, before, after, size, mtime, difference, "
            "undoes) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
        )
        values: tuple[Any, ...] = (
            write.run,
            write.picture,
            write.form,
            _stored(write.target),
            state,
            settings,
            write.before,
            write.after,
        )
        values += (write.size, write.mtime, write.difference, write.undoes)
        return int(self._database.execute(query, values).lastrowid or 0)

    def done(self, number: int) -> None:
        """An intended write has happened; if it takes another one back, that one is undone."""
        self._database.execute("UPDATE writes SET state = 'done' WHERE id = ?", (number,))
        query = "UPDATE writes SET state = 'undone' WHERE id = (SELECT undoes FROM writes WHERE id = ?)"
        self._database.execute(query, (number,))

    def dropped(self, number: int) -> None:
        """An intended write has not happened."""
        self._database.execute("DELETE FROM writes WHERE id = ? AND state = 'intended'", (number,))

    def undone(self, number: int) -> None:
        """Nothing is left of a write."""
        self._database.execute("UPDATE writes SET state = 'undone' WHERE id = ?", (number,))

    def relocated(self, write: Write, path: Path) -> None:
        """Keep that a written file has moved to this absolute path; with it the picture, if it is one."""
        path = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        if self.path_of(write.picture) == write.target:
            self.moved(write.picture, path)
        self._database.execute("UPDATE writes SET target = ? WHERE id = ?", (_stored(path), write.id))

    def intended(self) -> list[Write]:
        """Writes of which it is not known whether they have happened."""
        return list(self._writes("state = 'intended'", ()))

    def writes_of(self, run: str, before: int | None = None, count: int = 500) -> list[Write]:
        """The run's writes that still stand, the latest first; at most `count`, those with numbers under `before`."""
        limit = before if before is not None else 2**62
        where = "run = ? AND state = 'done' AND undoes IS NULL AND id < ? ORDER BY id DESC LIMIT ?"
        return list(self._writes(where, (run, limit, count)))

    def last_write(self, target: Path) -> Write | None:
        """The latest write to this file, an absolute path, that still stands."""
        target = target.relative_to(self.root) if target.is_relative_to(self.root) else target
        where = "target = ? AND state = 'done' AND undoes IS NULL ORDER BY id DESC LIMIT 1"
        return next(self._writes(where, (_stored(target),)), None)

    def wrote(self, content: bytes) -> bool:
        """Whether some write that still stands left this content."""
        query = "SELECT 1 FROM writes WHERE after = ? AND state = 'done' AND undoes IS NULL LIMIT 1"
        return self._database.execute(query, (content,)).fetchone() is not None

    def last_write_of(self, picture: int, form: Form) -> Write | None:
        """The latest write about this picture that still stands."""
        where = "picture = ? AND form = ? AND state = 'done' AND undoes IS NULL ORDER BY id DESC LIMIT 1"
        return next(self._writes(where, (picture, form)), None)

    def _writes(self, where: str, values: Sequence[Any]) -> Iterator[Write]:
        columns = "id, run, picture, form, target, before, after, size, mtime, difference, undoes"
        for id, run, picture, form, target, *rest in self._database.execute(
            f"SELECT {columns} FROM writes WHERE {where}", values
        ).fetchall():
            yield Write(id, run, picture, form, _path(target), *rest)

    # Search

    def search(self, query: str, under: Path, limit: int) -> Iterator[tuple[int, Path, float]]:
        """Pictures below a folder whose words match an FTS5 query: number, path and relevance, best first."""
        start = "" if under == Path() else f"{under.as_posix()}/"
        statement = (
            "SELECT pictures.id, pictures.path, -bm25(words, 1, 5, 3) AS score FROM words "
            "JOIN pictures ON pictures.id = words.rowid WHERE words MATCH ? "
            "AND substr(pictures.path, 1, ?) = ? ORDER BY score DESC, pictures.path LIMIT ?"
        )
        for number, path, score in self._database.execute(statement, (query, len(start), start, limit)):
            yield number, _path(path), score


def find_journal(folder: Path) -> Path | None:
    """The journal of the folder, or of the nearest folder above that has one."""
    start = folder.absolute()
    places = (place / HIDDEN / NAME for place in (start, *start.parents))
    return next((place for place in places if place.is_file()), None)


def _stored(path: Path) -> str | bytes:
    text = path.as_posix()
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def _path(value: str | bytes) -> Path:
    return Path(os.fsdecode(value))


def _printable(path: Path) -> str:
    return _utf8(path.as_posix())


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
