"""The properties of an XMP packet that semreg reads and writes, in whatever legal form they stand in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from lxml import etree

from semreg.metadata.entry import Entry, Record
from semreg.metadata.merging import Fields
from semreg.metadata.packet import RDF

DC = "http://purl.org/dc/elements/1.1/"
LR = "http://ns.adobe.com/lightroom/1.0/"
SEMREG = "urn:semreg:xmp:1.0:"
SUBJECT, DESCRIPTION, HIERARCHY = f"{{{DC}}}subject", f"{{{DC}}}description", f"{{{LR}}}hierarchicalSubject"

_NAMESPACES = {"dc": DC, "lr": LR, "semreg": SEMREG}
_ABOUT = f"{{{RDF}}}about"
_BLOCK, _LI, _VALUE = f"{{{RDF}}}Description", f"{{{RDF}}}li", f"{{{RDF}}}value"
_ARRAYS = tuple(f"{{{RDF}}}{kind}" for kind in ("Bag", "Seq", "Alt"))
_LEGACY_DIGEST = "{http://ns.adobe.com/photoshop/1.0/}LegacyIPTCDigest"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def fields(rdf: etree._Element) -> Fields:
    """What the packet says, human's and machine's."""
    captions = [(item.get(_LANG, "x-default"), _text(item)) for item in _items(rdf, DESCRIPTION)]
    captions += [("x-default", text) for text in _plain(rdf, DESCRIPTION)]
    captions = [(lang, text) for lang, text in captions if text.strip()]
    captions.sort(key=lambda item: item[0] != "x-default")
    return Fields(
        tags=texts(rdf, SUBJECT),
        hierarchy=texts(rdf, HIERARCHY),
        caption=captions[0][1] if captions else None,
        captions=tuple(text for _, text in captions),
    )


def record(rdf: etree._Element) -> Record | None:
    """semreg's own record, or None."""
    if not any(name.startswith(f"{{{SEMREG}}}") for block in _blocks(rdf) for name in _names(block)):
        return None

    def all_of(name: str) -> tuple[str, ...]:
        return texts(rdf, f"{{{SEMREG}}}{name}")

    def one(name: str) -> str:
        return "".join(all_of(name)[:1])

    entry = Entry(all_of("tags"), all_of("hierarchy"), one("caption") or None, one("model"), one("date"))
    return Record(entry, all_of("removed"))


def apply(rdf: etree._Element, old: Entry, new: Record) -> None:
    """Turn a packet that holds the machine's part `old` into one that holds `new`; all else stays."""
    _replace_texts(rdf, SUBJECT, old.tags, new.entry.tags)
    _replace_texts(rdf, HIERARCHY, old.hierarchy, new.entry.hierarchy)
    _replace_caption(rdf, old.caption, new.entry.caption)
    for block in _blocks(rdf):
        for name in _names(block):
            if name.startswith(f"{{{SEMREG}}}"):
                _drop(block, name)
    entry = new.entry
    if not new.empty:
        for name, text in (("model", entry.model), ("date", entry.date), ("caption", entry.caption)):
            if text:
                _append(_our_block(rdf), f"{{{SEMREG}}}{name}").text = text
        for name, values in (("tags", entry.tags), ("hierarchy", entry.hierarchy), ("removed", new.removed)):
            if values:
                add_texts(rdf, f"{{{SEMREG}}}{name}", values)


def renew_digest(rdf: etree._Element, old: bytes, new: bytes) -> None:
    """Replace photoshop:LegacyIPTCDigest, the MD5 of the IPTC block that XMP agrees with, if it is that of `old`."""
    before, after = (hashlib.md5(block, usedforsecurity=False).hexdigest().upper() for block in (old, new))
    for block in _blocks(rdf):
        if block.get(_LEGACY_DIGEST) == before:
            block.set(_LEGACY_DIGEST, after)
        for element in block.findall(_LEGACY_DIGEST):
            if element.text == before:
                element.text = after


def says_nothing(rdf: etree._Element) -> bool:
    """Whether no property is left in the packet."""
    return not any(_names(block) for block in _blocks(rdf)) and all(child.tag == _BLOCK for child in rdf)


def texts(rdf: etree._Element, name: str) -> tuple[str, ...]:
    """The texts of an array property, or of one in plain or attribute form."""
    return (*(_text(item) for item in _items(rdf, name)), *_plain(rdf, name))


def add_texts(rdf: etree._Element, name: str, values: Sequence[str]) -> None:
    """Append values to an array property, which is made if there is none."""
    array = max(_arrays(rdf, name), key=len, default=None)
    if array is None:
        values = (*_plain(rdf, name), *values)
        for block in _blocks(rdf):
            _drop(block, name)
        array = _append(_append(_our_block(rdf), name), _ARRAYS[0])
    for value in values:
        _append(array, _LI).text = value


def _replace_texts(rdf: etree._Element, name: str, old: Sequence[str], new: Sequence[str]) -> None:
    if tuple(old) == tuple(new):
        return
    items = _items(rdf, name)
    for text in old:
        found = next((item for item in reversed(items) if _text(item) == text), None)
        if found is not None:
            items.remove(found)
            _remove(found)
    if new:
        add_texts(rdf, name, new)
    elif old and not items:
        for block in _blocks(rdf):
            _drop(block, name)


def _replace_caption(rdf: etree._Element, old: str | None, new: str | None) -> None:
    if old == new:
        return
    items = _items(rdf, DESCRIPTION)
    mine = next((item for item in items if _default(item) and old is not None and _text(item) == old), None)
    if mine is not None and new is not None:
        mine.text = new
    elif mine is not None:
        _remove(mine)
        if len(items) == 1:
            for block in _blocks(rdf):
                _drop(block, DESCRIPTION)
    elif new is not None:
        blank = next((item for item in items if _default(item)), None)
        if blank is None:
            array = next(_arrays(rdf, DESCRIPTION), None)
            if array is None:
                for block in _blocks(rdf):
                    _drop(block, DESCRIPTION)
                array = _append(_append(_our_block(rdf), DESCRIPTION), _ARRAYS[2])
            blank = _append(array, _LI)
            blank.set(_LANG, "x-default")
            if len(array) > 1:  # the default comes first, and the lines stay as they are
                last, end = array[-2], blank.tail
                blank.tail, last.tail = last.tail, end
                array.insert(0, blank)
        blank.text = new


def _default(item: etree._Element) -> bool:
    return item.get(_LANG, "x-default") == "x-default"


def _blocks(rdf: etree._Element) -> list[etree._Element]:
    return rdf.findall(_BLOCK)


def _names(block: etree._Element) -> list[str]:
    """The names of a block's properties, in element and attribute form."""
    names = [
        str(name) for name in block.attrib if str(name) != _ABOUT and not str(name).startswith("{http://www.w3.org/XML")
    ]
    return names + [child.tag for child in block if isinstance(child.tag, str)]


def _arrays(rdf: etree._Element, name: str) -> Iterator[etree._Element]:
    for block in _blocks(rdf):
        for element in block.findall(name):
            yield from (array for array in element if array.tag in _ARRAYS)


def _items(rdf: etree._Element, name: str) -> list[etree._Element]:
    return [item for array in _arrays(rdf, name) for item in array.findall(_LI)]


def _plain(rdf: etree._Element, name: str) -> list[str]:
    """The values of a property that is no array: an attribute of its block, or an element with text alone."""
    found = [block.get(name, "") for block in _blocks(rdf)]
    found += [element.text or "" for block in _blocks(rdf) for element in block.findall(name) if not len(element)]
    return [text for text in found if text.strip()]


def _text(item: etree._Element) -> str:
    value = item.find(f".//{_VALUE}")
    return (item if value is None else value).text or ""


def _our_block(rdf: etree._Element) -> etree._Element:
    """The last block if it declares semreg's namespace, else a new one at the end, about what the first is about."""
    blocks = _blocks(rdf)
    if blocks and blocks[-1].nsmap.get("semreg") == SEMREG:
        return blocks[-1]
    block = etree.SubElement(rdf, _BLOCK, nsmap=_NAMESPACES)
    block.set(_ABOUT, blocks[0].get(_ABOUT, "") if blocks else "")
    _indent(rdf, block)
    return block


def _append(parent: etree._Element, name: str) -> etree._Element:
    namespace = name[1:].split("}")[0]
    prefix = next((prefix for prefix, uri in _NAMESPACES.items() if uri == namespace), None)
    child = etree.SubElement(parent, name, nsmap={prefix: namespace} if prefix else None)
    _indent(parent, child)
    return child


def _indent(parent: etree._Element, child: etree._Element) -> None:
    """Put a child that was just appended on a line of its own if its siblings, or its parent, stand so."""
    before = child.getprevious()
    if before is not None:
        before.tail, child.tail = parent.text, before.tail
        return
    above = parent.getprevious()
    line = above.tail if above is not None else _text_of(parent.getparent())
    if line and "\n" in line:
        parent.text, child.tail = line + " ", line


def _text_of(element: etree._Element | None) -> str | None:
    return None if element is None else element.text


def _remove(element: etree._Element) -> None:
    """Undo what `_indent` did, and remove the element."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.getnext() is None and before is not None:
        before.tail = element.tail
    elif element.getnext() is None:
        parent.text = element.tail
    parent.remove(element)


def _drop(block: etree._Element, name: str) -> None:
    """Remove a property from a block, and the block if that was its last."""
    had = _names(block)
    if name in block.attrib:
        del block.attrib[name]
    for element in block.findall(name):
        _remove(element)
    if had and not _names(block) and not any(isinstance(child, etree._Comment) for child in block):
        _remove(block)
