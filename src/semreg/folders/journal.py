"""What was said about a folder's pictures and what was written into it: questions to its journal, and entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from semreg.annotation import Annotation
from semreg.folders.database import Database, path_from, stored
from semreg.folders.records import Form, Picture, Run, Write


class Journal(Database):
    """The journal of one folder; see `Database` for how it is opened."""

    # Pictures

    def picture(self, path: Path, form: Form | None = None) -> Picture | None:
        """What is known of the picture at this path; `form` decides what `written` tells."""
        return next(self._pictures("path = ?", (stored(path),), form), None)

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
            yield Picture(id, path_from(path), *rest)

    def path_of(self, picture: int) -> Path | None:
        """Where the picture is, relative to the folder."""
        row = self._database.execute("SELECT path FROM pictures WHERE id = ?", (picture,)).fetchone()
        return path_from(row[0]) if row else None

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
        number: int = self._database.execute(query, (stored(path), *row)).fetchone()[0]
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
        self._database.execute("DELETE FROM pictures WHERE path = ? AND id <> ?", (stored(path), picture))
        self._database.execute("UPDATE pictures SET path = ? WHERE id = ?", (stored(path), picture))

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
            stored(write.target),
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
        self._database.execute("UPDATE writes SET target = ? WHERE id = ?", (stored(path), write.id))

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
        return next(self._writes(where, (stored(target),)), None)

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
            yield Write(id, run, picture, form, path_from(target), *rest)

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
            yield number, path_from(path), score


def _printable(path: Path) -> str:
    return _utf8(path.as_posix())


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
