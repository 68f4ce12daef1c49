"""What is written into a file is read back, taken out again, and undone byte for byte; the picture stays."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from semreg.metadata import Entry, difference, embeds, new_sidecar, read, restored, withdrawn, written

PICTURES = Path(__file__).resolve().parents[2] / "demo" / "pictures"
ENTRY = Entry(("dog", "café"), ("animal|dog",), "a dog in a café", "model@1234", "2026-01-02T03:04:05+00:00")
KINDS = ["jpeg", "png", "webp", "tiff"]


def picture(kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    with Image.open(PICTURES / "dog.jpg") as image:
        image.resize((64, 48)).save(stream, kind.upper(), **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_and_undone(kind: str) -> None:
    old = picture(kind)
    assert embeds(old) == kind
    new = written(old, ENTRY)
    known = read(new)
    assert (known.tags, known.hierarchy, known.caption) == (ENTRY.tags, ENTRY.hierarchy, ENTRY.caption)
    assert known.machine == ENTRY
    assert written(new, ENTRY) is new
    assert read(withdrawn(new)) == read(old)
    assert restored(new, difference(new, old)) == old
    assert Image.open(io.BytesIO(new)).tobytes() == Image.open(io.BytesIO(old)).tobytes()


def test_a_fresh_sidecar_says_the_entry_and_withdrawn_is_nothing() -> None:
    sidecar = new_sidecar(ENTRY)
    assert embeds(sidecar) == "xmp"
    assert read(sidecar).machine == ENTRY
    assert withdrawn(sidecar) == b""
