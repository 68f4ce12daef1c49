"""Photoshop image resources (8BIM): the one that holds IPTC, and the digest that is to match it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from semreg.metadata.entry import MetadataError

_IPTC, _DIGEST = 0x0404, 0x0425
_SIGNATURES = (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR")


@dataclass(frozen=True)
class _Resource:
    number: int
    head: bytes  # signature, number and padded name
    value: bytes
    tail: bytes  # the padding byte, if there is one


def iptc(resources: bytes) -> bytes | None:
    """The IPTC block, or None where there is none or an empty one."""
    found, _ = _parsed(resources)
    return next((item.value for item in found if item.number == _IPTC), None) or None


def with_iptc(resources: bytes, block: bytes) -> bytes:
    """Put another IPTC block in the place of the one that is there; every other resource stays.

    The digest (Metadata Working Group: MD5 of the block) is renewed if it matched before. One that did not
    says that IPTC was changed after XMP, and goes on saying so.
    """
    found, rest = _parsed(resources)
    old = next(item.value for item in found if item.number == _IPTC)
    digests = {hashlib.md5(old, usedforsecurity=False).digest(): hashlib.md5(block, usedforsecurity=False).digest()}
    out, done = [], False
    for item in found:
        value, tail = item.value, item.tail
        if item.number == _IPTC and not done:
            value, tail, done = block, b"\0" * (len(block) % 2), True
        elif item.number == _DIGEST:
            value = digests.get(value, value)
        out.append(item.head + len(value).to_bytes(4, "big") + value + tail)
    return b"".join(out) + rest


def _parsed(resources: bytes) -> tuple[list[_Resource], bytes]:
    """The resources, and what follows them."""
    found, position = [], 0
    while resources[position : position + 4] in _SIGNATURES and position + 8 <= len(resources):
        number = int.from_bytes(resources[position + 4 : position + 6], "big")
        name_end = position + 6 + (resources[position + 6] + 2) // 2 * 2
        start = name_end + 4
        end = start + int.from_bytes(resources[name_end:start], "big")
        if start > len(resources) or end > len(resources):
            raise MetadataError(
                f"its Photoshop resource 0x{number:04x} reaches beyond its segment: "
                "mend it with exiftool, or write a sidecar"
            )
        padded = min(end + (end - start) % 2, len(resources))
        item = _Resource(number, resources[position:name_end], resources[start:end], resources[end:padded])
        found.append(item)
        position = padded
    return found, resources[position:]
