"""A file put in another's place so that a kill at any moment leaves the one or the other, whole."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 1 << 20


def content_hash(data: bytes) -> bytes:
    """The hash by which the journal knows a content: BLAKE2b, 20 bytes."""
    return hashlib.blake2b(data, digest_size=20).digest()


def file_hash(path: Path) -> bytes | None:
    """The hash of a file's content; None when there is no such file.

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=20)
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except FileNotFoundError:
        return None
    return digest.digest()


def temporary_name(target: Path, number: int) -> Path:
    """Where the new content of `target` is written first: hidden, beside it, and known to the journal by its number."""
    return target.with_name(f".{target.name[:40]}.semreg-tmp-{number:x}")


def place(target: Path, data: bytes, temporary: Path, mtime: int | None = None) -> None:
    """Put `data` where `target` is, or is to be; as an existing file's new content it keeps everything else of it.

    Mode, owner and extended attributes stay as they were. So does the modification time, by which folders are sorted,
    unless the length is the same: then only a new time tells other programs that something has changed. A file with
    several names (hard links) keeps them: it is overwritten from the finished temporary file, which stays until that
    is done. `mtime` is a modification time (nanoseconds) to be had instead.

    Raises:
        OSError: it cannot be written; the target is as it was. Only where the disk failed while a hard-linked file was
            overwritten it is not, and the temporary file is still there.
    """
    status = target.stat() if target.exists() else None
    if status is not None and not os.access(target, os.W_OK):
        raise PermissionError(None, "it is read-only")
    linked = status is not None and status.st_nlink > 1
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if status is not None:
            _keep_everything_else(target, temporary, status, len(data))
        if mtime is not None:
            os.utime(temporary, ns=(temporary.stat().st_atime_ns, mtime))
        if not linked:
            temporary.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if linked:
        overwrite(target, temporary)


def overwrite(target: Path, temporary: Path) -> None:
    """Give a file the content of a finished temporary one, which is then removed; the file stays the same one."""
    times = temporary.stat()
    with temporary.open("rb") as source, target.open("r+b") as stream:
        shutil.copyfileobj(source, stream, _BLOCK)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
    temporary.unlink()


def remove(target: Path) -> None:
    """Remove a file; it may be gone already."""
    target.unlink(missing_ok=True)


def sync_folders(folders: Iterable[Path]) -> None:
    """Bring renames in these folders to the disk, where the system can do that."""
    for folder in set(folders):
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _keep_everything_else(target: Path, temporary: Path, status: os.stat_result, size: int) -> None:
    own = temporary.stat()
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        with contextlib.suppress(PermissionError):  # only the system's manager may give files away
            os.chown(temporary, status.st_uid, status.st_gid)
    shutil.copystat(target, temporary)
    if size == status.st_size:
        os.utime(temporary, ns=(status.st_atime_ns, own.st_mtime_ns))
