"""An XMP packet as text: its wrapper, its XML element, and its padding, taken apart and put together."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from lxml import etree

from semreg.metadata.entry import MetadataError

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
_REMEDY = "mend or remove it with exiftool, or write a sidecar"

_BOMS = (
    *((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
    *((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")),
)
_WITHOUT_BOM = ((b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
_PROLOG = re.compile(r"(?:[\s\ufeff]+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_ROOT = re.compile(r"<([^\s<>/?!]+)")
_END = re.compile(r"<\?xpacket end=.*", re.DOTALL)
_TOOLKIT = "semreg"
_EMPTY = (
    f'<x:xmpmeta xmlns:x="{_META}" x:xmptk="{_TOOLKIT}">\n <rdf:RDF xmlns:rdf="{RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n'
)
_FRESH = f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{_EMPTY}<?xpacket end="w"?>'.encode()
FRESH_SIDECAR = f'<?xml version="1.0" encoding="UTF-8"?>\n{_EMPTY}'.encode()


@dataclass(frozen=True)
class Packet:
    """A packet that was read. `root` is the element x:xmpmeta or rdf:RDF; change it, then call `encoded`."""

    before: str
    root: etree._Element
    padding: str
    after: str
    encoding: str
    body_size: int  # bytes of the element as it was

    @property
    def rdf(self) -> etree._Element:
        """The element rdf:RDF, made if the packet has none."""
        if self.root.tag == f"{{{RDF}}}RDF":
            return self.root
        found = self.root.find(f"{{{RDF}}}RDF")
        return etree.SubElement(self.root, f"{{{RDF}}}RDF", nsmap={"rdf": RDF}) if found is None else found

    def encoded(self) -> bytes:
        """The packet's bytes; padding gives way or grows, so that a padded packet keeps its size while it lasts."""
        body = etree.tostring(self.root, encoding="unicode", with_tail=False)
        padding = self.padding
        if len(padding) >= 64:
            unit = len(" ".encode(self.encoding))
            spare = len(padding) - (len(body.encode(self.encoding)) - self.body_size) // unit
            padding = "\n" + " " * (spare - 2) + "\n" if spare >= 2 else "\n"
        return (self.before + body + padding + self.after).encode(self.encoding)


def parse(data: bytes) -> Packet:
    """Take a packet, or a whole sidecar, apart.

    Raises:
        MetadataError: it is no well-formed XML, is no XMP, or declares a document type (entities, external
            files), which XMP has no use for.
    """
    text, encoding = _decoded(data)
    start = _prolog_end(text)
    if text.startswith("<!", start):
        raise MetadataError(f"its XMP packet declares a document type, which is refused: {_REMEDY}")
    ending = _END.search(text, start)
    rest = ending.start() if ending else len(text)
    body = text[start:rest].rstrip(" \t\r\n\0\ufeff")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, strip_cdata=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MetadataError(f"its XMP packet is no well-formed XML ({_one_line(error)}): {_REMEDY}") from error
    if root.tag not in (f"{{{RDF}}}RDF", f"{{{_META}}}xmpmeta", f"{{{_META}}}xapmeta"):
        raise MetadataError(f"its XMP packet has the root element {root.tag}, not x:xmpmeta: {_REMEDY}")
    padding = text[start + len(body) : rest]
    return Packet(text[:start], root, padding, text[rest:], encoding, len(body.encode(encoding)))


def fresh() -> Packet:
    """A packet that says nothing yet."""
    return parse(_FRESH)


def is_ours(packet: Packet) -> bool:
    """Whether semreg made the packet, and no other program has signed it since."""
    return packet.root.get(f"{{{_META}}}xmptk") == _TOOLKIT


def is_sidecar(data: bytes) -> bool:
    """Whether a whole file is XMP: XML whose root element is x:xmpmeta or rdf:RDF."""
    try:
        text, _ = _decoded(data[:65536], errors="ignore")
    except MetadataError:
        return False
    root = _ROOT.match(text, _prolog_end(text))
    return root is not None and root[1].split(":")[-1] in ("xmpmeta", "xapmeta", "RDF")


def _prolog_end(text: str) -> int:
    found = _PROLOG.match(text)
    return found.end() if found else 0


def _decoded(data: bytes, errors: str = "strict") -> tuple[str, str]:
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    encoding = encoding or next((name for start, name in _WITHOUT_BOM if data.startswith(start)), "utf-8")
    try:
        return data.decode(encoding, errors), encoding
    except UnicodeDecodeError as error:
        raise MetadataError(f"its XMP packet is no valid {encoding.upper()} ({error.reason}): {_REMEDY}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
