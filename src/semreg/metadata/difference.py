"""What turns a file back into what it was, in few bytes: stretches of the new file, and what they lack."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator

from semreg.errors import SemregError

_MAGIC = b"semreg-back-1\n"
_DIGEST = 32  # bytes of SHA-256
_ANCHOR = 64  # bytes that must be alike for a stretch to count as found again
_REACH = 1 << 16  # how far into the old file a stretch is looked for
_STRETCHES = 1000  # after so many the rest is taken as it is


def difference(new: bytes, old: bytes) -> bytes:
    """What turns `new` back into `old`: some hundred bytes where few places differ, never much more than `old`.

    Stretches that both have in common are named by place and length; the rest of `old` is kept, compressed.
    """
    places, rest = bytearray(), bytearray()
    for start, length, text in _stretches(new, old):
        places += struct.pack("<QQQ", start, length, len(text))
        rest += text
    head = hashlib.sha256(new).digest() + hashlib.sha256(old).digest()
    return _MAGIC + head + zlib.compress(struct.pack("<Q", len(places)) + places + rest, 6)


def restored(new: bytes, difference: bytes) -> bytes:
    """The old file, byte for byte, from the new one and their `difference`.

    Raises:
        SemregError: `new` is not the file that the difference was made for, or the difference is broken.
    """
    if not difference.startswith(_MAGIC):
        raise SemregError("what is to be taken back is no difference between two files: restore it from a copy")
    at = len(_MAGIC)
    if hashlib.sha256(new).digest() != difference[at : at + _DIGEST]:
        raise SemregError("the file has changed since it was written and cannot be turned back byte for byte")
    try:
        body = zlib.decompress(difference[at + 2 * _DIGEST :])
        (size,) = struct.unpack_from("<Q", body)
        parts, rest = [], 8 + size
        for start, length, lacking in struct.iter_unpack("<QQQ", body[8:rest]):
            parts += [new[start : start + length], body[rest : rest + lacking]]
            rest += lacking
    except (zlib.error, struct.error) as error:
        raise SemregError(f"the difference between two files is broken ({error}): restore it from a copy") from error
    old = b"".join(parts)
    if hashlib.sha256(old).digest() != difference[at + _DIGEST : at + 2 * _DIGEST]:
        raise SemregError("the difference between two files is broken (its sum is wrong): restore it from a copy")
    return old


def _stretches(new: bytes, old: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (start in new, length, bytes of old that follow) so that all together are `old`."""
    tail = _alike_at_end(new, old)
    there, here = 0, 0  # in new, in old
    end = len(old) - tail
    for _ in range(_STRETCHES):
        length = min(_alike(new, there, old, here), end - here)
        found = _found_again(new, there + length, old, here + length, end)
        if found is None:
            yield there, length, old[here + length : end]
            break
        yield there, length, old[here + length : found[1]]
        there, here = found
    else:
        yield 0, 0, old[here:end]
    yield len(new) - tail, tail, b""


def _found_again(new: bytes, there: int, old: bytes, here: int, end: int) -> tuple[int, int] | None:
    """Where, in new and old, the next common stretch begins.

    Looked for at ever larger steps in old: close by where it would be after an edit in place, then anywhere
    further on in new after an insertion or removal. What was stepped over and is alike is taken back.
    """
    steps = [0, *(1 << power for power in range(_REACH.bit_length()))]
    steps = [step for step in steps if here + step + _ANCHOR <= end]
    for in_place in (True, False):
        for step in steps:
            anchor = old[here + step : here + step + _ANCHOR]
            first, last = (there + step, there + step + _ANCHOR) if in_place else (there, len(new))
            at = new.find(anchor, first, last)
            if at >= 0:
                back = 0
                while back < min(step, at - there) and new[at - back - 1] == old[here + step - back - 1]:
                    back += 1
                return at - back, here + step - back
            if in_place and step >= _ANCHOR:
                break
    return None


def _alike(new: bytes, there: int, old: bytes, here: int) -> int:
    """How many bytes from `there` in new and `here` in old on are alike."""

    def same(start: int, end: int) -> bool:
        return new[there + start : there + end] == old[here + start : here + end]

    return _run(min(len(new) - there, len(old) - here), same)


def _alike_at_end(new: bytes, old: bytes) -> int:
    """How many bytes at the end of both are alike."""

    def same(start: int, end: int) -> bool:
        return new[len(new) - end : len(new) - start] == old[len(old) - end : len(old) - start]

    return _run(min(len(new), len(old)), same)


def _run(limit: int, same: Callable[[int, int], bool]) -> int:
    """How many bytes are the same without a break, `limit` at most; looked at in pieces that grow while they are."""
    length, size = 0, 64
    while length < limit:
        size = min(size, limit - length)
        if same(length, length + size):
            length += size
            size *= 2
        elif size == 1:
            break
        else:
            size = size // 2 if size < 1 << 16 else 1 << 15
    return length
