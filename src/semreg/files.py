"""Writing files so that nobody ever sees half of one: beside the target first, renamed when complete."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, TextIO, overload

from semreg.errors import SemregError


@overload
def atomic_write(path: Path) -> AbstractContextManager[TextIO]: ...
@overload
def atomic_write(path: Path, *, binary: Literal[True]) -> AbstractContextManager[BinaryIO]: ...


def atomic_write(path: Path, *, binary: bool = False) -> AbstractContextManager[Any]:
    """Open `path` for writing: replaced as a whole when the block ends, left alone when the block raises.

    Text is UTF-8 with line ends written as given; bytes of file names that are no UTF-8 come out as
    `\\udcXX`. A symbolic link stays one and its target is replaced; the mode of an existing file is kept, a
    new one follows the umask. A device or pipe (`/dev/stdout`) is written to directly, since it cannot be
    replaced.

    Raises:
        SemregError: the file cannot be opened or completed; says which and why. What the block itself raises
            (an OSError of a full disk among it) passes through after the temporary file is gone.
    """
    return _replacing(path, binary)


@contextmanager
def _replacing(path: Path, binary: bool) -> Iterator[IO[Any]]:
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise SemregError(f"cannot write {path}: it is a folder, pass the name of a file in it")
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.tmp")
    in_place = target.exists() and not target.is_file()
    with _sentence(path):
        if target.is_file() and not os.access(target, os.W_OK):
            raise PermissionError(None, "it is read-only")
        stream = _open(target if in_place else temporary, binary, exclusive=not in_place)
    if in_place:
        with stream:
            yield stream
        return
    try:
        with stream:
            yield stream
            with _sentence(path):
                stream.flush()
                os.fsync(stream.fileno())
        with _sentence(path):
            if target.is_file():
                shutil.copymode(target, temporary)
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open(path: Path, binary: bool, *, exclusive: bool) -> IO[Any]:
    mode = "x" if exclusive else "w"
    if binary:
        return path.open(mode + "b")
    return path.open(mode, encoding="utf-8", errors="backslashreplace", newline="")


@contextmanager
def _sentence(path: Path) -> Iterator[None]:
    """Turn an OSError into the sentence that says which output failed and why."""
    try:
        yield
    except OSError as error:
        raise SemregError(f"cannot write {path}: {error.strerror or error}") from error
