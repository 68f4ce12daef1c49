"""Corrections kept as a data set that `semreg train --init MODEL --data FOLDER` reads: pictures and metadata.jsonl."""

from __future__ import annotations

import fcntl
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from semreg.data.records import METADATA
from semreg.errors import SemregError
from semreg.files import atomic_write

_FOLDER, _LOCK = "pictures", ".lock"


class Corrections:
    """A folder of corrections; several processes may write to it.

    Args:
        folder: made if it does not exist.

    Raises:
        SemregError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = threading.Lock()
        try:
            (folder / _FOLDER).mkdir(parents=True, exist_ok=True)
            (folder / _LOCK).touch()
        except OSError as error:
            raise SemregError(f"corrections cannot be kept in {folder} ({error.strerror}): name another one") from None

    def keep(self, picture: bytes, suffix: str, tags: Sequence[str], caption: str) -> tuple[str, int]:
        """Keep what a person says of a picture; of the same picture, the latest counts.

        Args:
            picture: its file.
            suffix: of the file's name, by its format.
            tags: its labels.
            caption: a sentence about it, or "".

        Returns:
            The picture's name in the folder, and how many pictures have a correction now.

        Raises:
            SemregError: the folder cannot be written; what was kept before stays as it was.
        """
        name = f"{_FOLDER}/{hashlib.sha256(picture).hexdigest()[:20]}{suffix}"
        record = {"file_name": name, "split": "train", "tags": [_line(tag) for tag in tags]}
        record["captions"] = [_line(caption)] if caption.strip() else []
        with self._alone():
            if not (self._folder / name).exists():
                with atomic_write(self._folder / name, binary=True) as file:
                    file.write(picture)
            lines = [line for line in self._lines() if json.loads(line).get("file_name") != name]
            lines.append(json.dumps(record, ensure_ascii=False))
            with atomic_write(self._folder / METADATA) as file:
                file.writelines(line + "\n" for line in lines)
        return name, len(lines)

    def _lines(self) -> list[str]:
        path = self._folder / METADATA
        if not path.exists():
            return []
        return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with self._thread, (self._folder / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except (OSError, ValueError) as error:
            raise SemregError(f"the correction was not kept: {error}") from None


def _line(text: str) -> str:
    return " ".join(text.split())
