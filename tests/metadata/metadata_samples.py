"""Small picture files of every kind that metadata goes into, made here, and packets to put into them."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

from PIL import Image, ImageCms

from semreg.metadata import Entry
from semreg.metadata.splice import Edit, splice

PICTURES = Path(__file__).resolve().parents[2] / "demo" / "pictures"
ENTRY = Entry(("dog", "café"), ("animal|dog",), "a dog in a café", "model@1234", "2026-01-02T03:04:05+00:00")
XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def image(mode: str = "RGB") -> Image.Image:
    with Image.open(PICTURES / "dog.jpg") as photograph:
        small = photograph.convert("RGB").resize((65, 47))
    if mode == "RGBA":
        small.putalpha(small.convert("L"))
    return small.convert(mode)


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    image(mode).save(stream, kind.upper(), **options)
    return stream.getvalue()


def animated(kind: str) -> bytes:
    frames = [image().rotate(angle) for angle in (90, 180)]
    return saved(kind, save_all=True, append_images=frames, duration=100)


def canon_exif(order: str = ">") -> bytes:
    """An Exif block with a Canon maker note (file number 100-1234)."""
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS 5D"
    exif.get_ifd(0x8769)[0x927C] = struct.pack(f"{order}HHHIII", 1, 0x0008, 4, 1, 1001234, 0)
    return exif.tobytes()


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def tiff(order: str = "<", big: bool = False, pages: int = 1) -> bytes:
    """An uncompressed grey TIFF with a directory and a strip a page, the directory behind its strip."""
    pixels = image("L").tobytes()
    count, offset, inline = ("Q", "Q", 8) if big else ("H", "I", 4)
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HH", 8, 0) if big else b""
    data, link = head + bytes(inline), len(head)
    for _ in range(pages):
        data += b"\0" * (-len(data) % 8)
        strip = len(data)
        data += pixels + b"\0" * (-len(pixels) % 8)
        data = splice(data, [Edit(link, link + inline, struct.pack(order + offset, len(data)))])
        values = [
            *((256, 65), (257, 47), (258, 8), (259, 1), (262, 1)),
            *((273, strip), (277, 1), (278, 47), (279, len(pixels))),
        ]
        data += struct.pack(order + count, len(values))
        for tag, value in values:
            data += struct.pack(f"{order}HH{offset}", tag, 4, 1) + struct.pack(order + "I", value) + bytes(inline - 4)
        link = len(data)
        data += bytes(inline)
    return data


FILES = {
    "jpeg": lambda: saved("jpeg"),
    "jpeg, progressive, with Exif and ICC": lambda: saved(
        "jpeg",
        progressive=True,
        exif=canon_exif(),
        icc_profile=srgb(),
    ),
    "jpeg, CMYK": lambda: saved("jpeg", "CMYK"),
    "png": lambda: saved("png"),
    "png, palette": lambda: saved("png", "P"),
    "apng": lambda: animated("png"),
    "webp": lambda: saved("webp"),
    "webp, lossless": lambda: saved("webp", lossless=True),
    "webp, transparent": lambda: saved("webp", "RGBA"),
    "webp, lossless, transparent": lambda: saved("webp", "RGBA", lossless=True),
    "webp, animated": lambda: animated("webp"),
    "webp, extended": lambda: saved("webp", exif=canon_exif()),
    "tiff": lambda: saved("tiff"),
    "tiff, LZW": lambda: saved("tiff", compression="tiff_lzw"),
    "tiff, several pages": lambda: animated("tiff"),
    "tiff, big-endian": lambda: tiff(">"),
    "tiff, big-endian, several pages": lambda: tiff(">", pages=3),
    "BigTIFF": lambda: tiff("<", big=True),
    "BigTIFF, big-endian, several pages": lambda: tiff(">", big=True, pages=2),
}


def kind_of(name: str) -> str:
    return {"apng": "png", "BigTIFF": "tiff"}.get(name.split(",")[0], name.split(",")[0])


def packet(properties: str, *, attributes: str = "", padding: int = 0) -> bytes:
    """A packet as other programs write it; `properties` and `attributes` of its one block."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Other 1.0"><rdf:RDF xmlns:rdf="{RDF}">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        f' xmlns:odd="http://example.org/odd/" rdf:about=""{attributes}>{properties}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>" + " " * padding + '<?xpacket end="w"?>'
    ).encode()


def subject(*tags: str, kind: str = "Bag") -> str:
    items = "".join(f"<rdf:li>{tag}</rdf:li>" for tag in tags)
    return f"<dc:subject><rdf:{kind}>{items}</rdf:{kind}></dc:subject>"


def description(**texts: str) -> str:
    items = "".join(f'<rdf:li xml:lang="{lang.replace("_", "-")}">{text}</rdf:li>' for lang, text in texts.items())
    return f"<dc:description><rdf:Alt>{items}</rdf:Alt></dc:description>"


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def jpeg_with(*segments: bytes) -> bytes:
    """A JPEG with segments right after its JFIF header."""
    data = saved("jpeg")
    return data[:20] + b"".join(segments) + data[20:]


def jpeg_segments(data: bytes) -> list[tuple[int, bytes]]:
    """Marker and payload of each segment before the first scan, and the scan with all that follows as the last."""
    found, position = [], 2
    while data[position + 1] != 0xDA:
        size = int.from_bytes(data[position + 2 : position + 4], "big")
        found.append((data[position + 1], data[position + 4 : position + 2 + size]))
        position += 2 + size
    return [*found, (0xDA, data[position:])]


def dataset(record: int, number: int, value: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


def resource(number: int, value: bytes, name: bytes = b"\0\0") -> bytes:
    return b"8BIM" + struct.pack(">H", number) + name + struct.pack(">I", len(value)) + value + b"\0" * (len(value) % 2)


def iptc_resources(block: bytes, digest: bool = True) -> bytes:
    """Photoshop resources around an IPTC block: a resolution, a named one, the block, its digest."""
    parts = [resource(0x03ED, bytes(range(16))), resource(0x07D0, b"path", b"\x04abcd\0"), resource(0x0404, block)]
    return b"".join(parts) + (resource(0x0425, hashlib.md5(block).digest()) if digest else b"")


def jpeg_with_iptc(*datasets: bytes, digest: bool = True, xmp: bytes | None = None) -> bytes:
    photoshop = segment(0xED, b"Photoshop 3.0\0" + iptc_resources(b"".join(datasets), digest))
    return jpeg_with(*([segment(0xE1, XMP_HEAD + xmp)] if xmp else []), photoshop)
