"""A sidecar: a file that is one XMP packet."""

from __future__ import annotations

from semreg.metadata.splice import Blocks


def find(data: bytes) -> Blocks:
    """The whole file."""
    return Blocks(data)


def put(data: bytes, old: Blocks, new: Blocks) -> bytes:
    """The packet alone; nothing at all where it is taken out."""
    return new.xmp or b""
