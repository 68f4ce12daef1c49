"""The SQLite file of a folder's journal: where it lies, who may open it, and transactions that survive being killed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from semreg.errors import SemregError

HIDDEN, NAME = ".semreg", "journal.sqlite"  # where a folder's journal lies
VERSION = 1
Opened = TypeVar("Opened", bound="Database")

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


class Database:
    """The file of a folder's journal, open for one process at a time; searching may go on beside it.

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
        root = path_from(row[0]) if row else None
        if root is None and given is not None:
            root = given.resolve()
            self._database.execute("INSERT INTO about VALUES ('root', ?)", (stored(root),))
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

    def __enter__(self: Opened) -> Opened:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Close it.

        Raises:
            SemregError: the file could not be read or written on the way, as when the disk was full.
        """
        self.close()
        if isinstance(error, sqlite3.Error):
            sentence = f"cannot go on with the journal {self.file} ({error})"
            raise SemregError(f"{sentence}: make room, or mend it, and run the same command again") from None

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
            if self._database.in_transaction:  # not if SQLite has taken all back itself
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def find_journal(folder: Path) -> Path | None:
    """The journal of the folder, or of the nearest folder above that has one."""
    start = folder.absolute()
    places = (place / HIDDEN / NAME for place in (start, *start.parents))
    return next((place for place in places if place.is_file()), None)


def stored(path: Path) -> str | bytes:
    """A path as it stands in the tables."""
    text = path.as_posix()
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text)
    return text


def path_from(value: str | bytes) -> Path:
    """The path that stands in the tables so."""
    return Path(os.fsdecode(value))
