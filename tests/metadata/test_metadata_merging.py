"""The table of who may write what, and what becomes of a human's edits."""

from __future__ import annotations

import pytest
from metadata_samples import ENTRY, description, packet, subject

from semreg.metadata import Entry, Existing, read, withdrawn, written

MODES: list[Existing] = ["keep", "merge", "replace-machine"]
OLD = Entry(("cat", "sofa"), (), "a cat", "model@1", "2025")
NEW = Entry(("dog", "sofa"), (), "a dog", "model@2", "2026")
EMPTY = packet("<odd:x/>", attributes=' xmp:Rating="3"')
HUMAN = packet(subject("Anna", "DOG") + description(x_default="Anna and her dog"))


def edited(data: bytes, *changes: tuple[str, str]) -> bytes:
    """What a human changed since, with a program that leaves our record alone."""
    text = data.decode()
    ours = text.index("<semreg:")
    for before, after in changes:
        assert before in text[:ours]
        text = text[:ours].replace(before, after, 1) + text[ours:]
        ours = text.index("<semreg:")
    return text.encode()


@pytest.mark.parametrize("existing", MODES)
def test_nothing_there(existing: Existing) -> None:
    known = read(written(EMPTY, NEW, existing))
    assert (known.tags, known.caption, known.machine) == (NEW.tags, NEW.caption, NEW)


@pytest.mark.parametrize("existing", MODES)
def test_the_machines_alone_is_replaced(existing: Existing) -> None:
    known = read(written(written(EMPTY, OLD), NEW, existing))
    assert (known.tags, known.caption, known.machine) == (NEW.tags, NEW.caption, NEW)
    known = read(written(written(EMPTY, OLD), Entry((), model="model@2"), existing))
    assert (known.tags, known.caption) == ((), None)


@pytest.mark.parametrize(
    ("existing", "tags"),
    [("keep", ("Anna", "DOG")), ("merge", ("Anna", "DOG", "sofa")), ("replace-machine", ("Anna", "DOG"))],
)
def test_a_humans_alone(existing: Existing, tags: tuple[str, ...]) -> None:
    new = written(HUMAN, NEW, existing)
    known = read(new)
    assert (known.tags, known.caption) == (tags, "Anna and her dog")
    if existing == "merge":
        assert known.machine == Entry(("sofa",), (), None, "model@2", "2026")
    else:
        assert new is HUMAN
    assert withdrawn(new) == HUMAN


@pytest.mark.parametrize(
    ("existing", "tags"),
    [
        ("keep", ("Anna", "cat", "sofa")),
        ("merge", ("Anna", "dog", "sofa")),
        ("replace-machine", ("Anna", "dog", "sofa")),
    ],
)
def test_tags_of_both(existing: Existing, tags: tuple[str, ...]) -> None:
    both = edited(written(EMPTY, OLD), ("<rdf:li>cat</rdf:li>", "<rdf:li>Anna</rdf:li><rdf:li>cat</rdf:li>"))
    new = written(both, NEW, existing)
    assert read(new).tags == tags
    assert read(withdrawn(new)).tags == ("Anna",)
    assert read(new).caption == "a dog"  # the caption is the machine's alone, and replaced


def test_keep_looks_at_each_field_alone() -> None:
    tagged = packet(subject("Anna"))
    known = read(written(tagged, NEW, "keep"))
    assert (known.tags, known.caption, known.machine) == (("Anna",), "a dog", Entry((), (), "a dog", "model@2", "2026"))
    captioned = packet(description(de="Anna mit Hund"))
    known = read(written(captioned, NEW, "keep"))
    assert (known.tags, known.caption) == (NEW.tags, "Anna mit Hund")


@pytest.mark.parametrize("existing", MODES)
def test_a_caption_in_any_language_is_a_humans(existing: Existing) -> None:
    captioned = packet(description(de="Anna mit Hund", fr="Anna et son chien"))
    new = written(captioned, NEW, existing)
    assert b"a dog" not in new
    assert read(new).caption == "Anna mit Hund"


def test_a_blank_caption_is_none() -> None:
    blank = packet(description(x_default="  "))
    new = written(blank, NEW)
    assert read(new).caption == "a dog"
    assert new.count(b"x-default") == 1


def test_a_humans_translation_of_our_caption_stays() -> None:
    both = edited(written(EMPTY, OLD), ("a cat</rdf:li>", 'a cat</rdf:li><rdf:li xml:lang="de">eine Katze</rdf:li>'))
    assert read(written(both, NEW, "keep")).caption == "a cat"
    new = written(both, NEW)
    assert read(new).caption == "a dog"
    assert read(withdrawn(new)).caption == "eine Katze"


@pytest.mark.parametrize("existing", MODES)
def test_what_a_human_has_removed_is_not_written_again(existing: Existing) -> None:
    once = edited(written(EMPTY, ENTRY), ("<rdf:li>dog</rdf:li>", ""), ("<rdf:li>animal|dog</rdf:li>", ""))
    known = read(once)
    assert known.tags == ("café",)
    assert known.machine == Entry(("café",), (), ENTRY.caption, ENTRY.model, ENTRY.date)
    again = written(once, ENTRY, existing)
    third = written(again, Entry(("Dog", "café", "table"), ENTRY.hierarchy, ENTRY.caption, "model@3", "2027"), existing)
    assert read(third).tags == ("café", "table")
    assert read(third).hierarchy == ()
    assert read(withdrawn(third)) == read(EMPTY)


def test_a_caption_that_a_human_has_removed_is_not_written_again() -> None:
    once = written(EMPTY, ENTRY)
    start, end = once.index(b"<dc:description>"), once.index(b"</dc:description>") + len(b"</dc:description>")
    once = once[:start] + once[end:]
    assert read(written(once, ENTRY)).caption is None
    other = Entry(ENTRY.tags, caption="another caption", model="model@2")
    assert read(written(written(once, ENTRY), other)).caption == "another caption"
    assert read(withdrawn(once)).caption is None


def test_what_a_human_has_removed_and_written_again_is_the_humans() -> None:
    without = written(edited(written(EMPTY, ENTRY), ("<rdf:li>dog</rdf:li>", "")), ENTRY)
    again = edited(without, ("<rdf:li>café</rdf:li>", "<rdf:li>café</rdf:li><rdf:li>dog</rdf:li>"))
    replaced = written(again, Entry(("horse",), model="model@2"))
    assert set(read(replaced).tags) == {"dog", "horse"}
    assert read(withdrawn(replaced)).tags == ("dog",)


def test_what_a_human_has_changed_is_the_humans() -> None:
    once = edited(written(EMPTY, ENTRY), ("<rdf:li>dog</rdf:li>", "<rdf:li>Rex</rdf:li>"), ("a dog in a café", "Rex"))
    new = written(once, NEW)
    assert read(new).tags == ("Rex", "sofa")  # "dog" is not pushed again
    assert read(new).caption == "Rex"
    assert read(withdrawn(new)).tags == ("Rex",)
    assert read(withdrawn(new)).caption == "Rex"


def test_a_date_alone_changes_nothing_and_a_model_does() -> None:
    once = written(EMPTY, OLD)
    assert written(once, Entry(OLD.tags, OLD.hierarchy, OLD.caption, OLD.model, "2030")) is once
    machine = read(written(once, Entry(OLD.tags, OLD.hierarchy, OLD.caption, "model@2", "2030"))).machine
    assert machine is not None
    assert (machine.model, machine.date) == ("model@2", "2030")


def test_a_human_who_has_a_tag_twice_keeps_it_twice() -> None:
    twice = packet(subject("Anna", "Anna"))
    assert read(withdrawn(written(twice, ENTRY))).tags == ("Anna", "Anna")
