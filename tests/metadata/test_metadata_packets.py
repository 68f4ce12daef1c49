"""Packets in all the forms that other programs write: all they hold is kept."""

from __future__ import annotations

import pytest
from lxml import etree
from metadata_samples import ENTRY, RDF, description, packet, subject

from semreg.metadata import Entry, MetadataError, embeds, read, withdrawn, written
from semreg.metadata.packet import parse

ODD = (
    '<!-- a comment --><odd:thing odd:qualified="1">&lt;&amp;\u00e9\U0001f415</odd:thing>'
    '<odd:structure rdf:parseType="Resource"><odd:part>x</odd:part>'
    "<odd:list><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></odd:list>"
    "</odd:structure><odd:text><![CDATA[a < b]]></odd:text>"
)
TWO_BLOCKS = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="{RDF}">'
    '<r:Description r:about="uuid:1" xmlns:d="http://purl.org/dc/elements/1.1/"><d:creator><r:Seq><r:li>Anna</r:li>'
    "</r:Seq></d:creator></r:Description>"
    '<r:Description r:about="uuid:1" xmlns:d="http://purl.org/dc/elements/1.1/"><d:subject><r:Bag><r:li>Anna</r:li>'
    "</r:Bag></d:subject></r:Description></r:RDF></x:xmpmeta>"
).encode()


@pytest.mark.parametrize(
    "old",
    [
        packet(ODD, attributes=' xmp:Rating="5" odd:attribute="a &quot;b&quot; &#10;c"'),
        packet(ODD + subject("Anna"), attributes=' xmp:Rating="5"'),
        packet(subject("Anna") + ODD + description(x_default="Anna", de="Anna", zh_Hant="\u5b89\u5a1c")),
        packet(description(de="Anna mit Hund")),
        packet(ODD, padding=2000),
        TWO_BLOCKS,
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + TWO_BLOCKS + b"\n<!-- the end -->\n",
        f'<rdf:RDF xmlns:rdf="{RDF}"/>'.encode(),
        packet(ODD).decode().encode("utf-16"),
        packet(ODD).decode().encode("utf-16-be"),
        packet(ODD).decode().encode("utf-32-le"),
    ],
)
def test_everything_else_is_kept(old: bytes) -> None:
    assert embeds(old) == "xmp"
    human = read(old).tags
    new = written(old, ENTRY)
    assert read(new).tags == (*human, *ENTRY.tags)
    back = withdrawn(new)
    assert canonical(back) == canonical(old)
    assert parse(back).before == parse(old).before
    assert parse(back).after == parse(old).after
    assert remaining(new) >= remaining(old)


def canonical(data: bytes) -> bytes:
    return etree.tostring(parse(data).root, method="c14n")


def remaining(data: bytes) -> set[str]:
    """Every text and attribute of a packet."""
    root = parse(data).root
    texts = {(node.text or "").strip() for node in root.iter()}
    return texts | {f"{key}={value}" for node in root.iter(etree.Element) for key, value in node.attrib.items()}


@pytest.mark.parametrize("padding", [0, 63, 64, 300, 2000])
def test_a_padded_packet_keeps_its_size_where_it_can(padding: int) -> None:
    old = packet(subject("Anna"), padding=padding)
    entry = Entry(("dog",), model="m")
    new = written(old, entry)
    if padding == 2000:
        assert len(new) == len(old)
        assert len(withdrawn(new)) == len(old)
    elif padding < 64:
        assert withdrawn(new) == old
    assert read(new).tags == ("Anna", "dog")


@pytest.mark.parametrize(
    ("properties", "attributes"),
    [
        (subject("Anna", kind="Seq"), ""),
        (subject("Anna", kind="Alt"), ""),
        ("<dc:subject>Anna</dc:subject>", ""),
        ("", ' dc:subject="Anna"'),
        (
            "<dc:subject><rdf:Bag><rdf:li><rdf:Description><rdf:value>Anna</rdf:value><odd:q>1</odd:q></rdf:Description>"
            "</rdf:li></rdf:Bag></dc:subject>",
            "",
        ),
        ("<dc:subject><rdf:Bag/></dc:subject>" + subject("Anna"), ""),
    ],
)
def test_tags_in_any_form_are_read_and_joined(properties: str, attributes: str) -> None:
    old = packet(properties, attributes=attributes)
    assert read(old).tags == ("Anna",)
    new = written(old, ENTRY)
    assert read(new).tags == ("Anna", *ENTRY.tags)
    assert read(withdrawn(new)).tags == ("Anna",)


@pytest.mark.parametrize(
    ("properties", "attributes"), [("<dc:description>Anna</dc:description>", ""), ("", ' dc:description="Anna"')]
)
def test_a_caption_in_plain_form_is_a_humans(properties: str, attributes: str) -> None:
    known = read(written(packet(properties, attributes=attributes), ENTRY))
    assert known.caption == "Anna"
    assert known.tags == ENTRY.tags


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (BOMB.encode() + packet(subject("&b;")), "document type"),
        (b'<?xml version="1.0"?>' + BOMB.encode() + b"<x:xmpmeta/>", "document type"),
        (packet(subject("&b;")), "well-formed"),
        (packet("<dc:subject>"), "well-formed"),
        (packet("")[:-200], "well-formed"),
        (packet(subject("Anna\x07")), "well-formed"),
        (packet(subject("Anna")).replace(b"Anna", b"\xff\xfe"), "UTF-8"),
        (b'<other xmlns="urn:x"/>', "root element"),
        (b"<x:xmpmeta/>", "well-formed"),
        (b"", "well-formed"),
        (b"\0" * 100, "well-formed"),
    ],
)
def test_a_broken_or_dangerous_packet_is_named_in_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(MetadataError, match=f"^its XMP packet [^\n]*{sentence}[^\n]*: mend or remove it with exiftool"):
        parse(data)


def test_no_external_file_is_read(tmp_path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    data = packet(
        f'<odd:x xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{secret}" parse="text"/></odd:x>'
    )
    assert b"secret<" not in written(data, ENTRY)
    assert b"xi:include" in written(data, ENTRY)
