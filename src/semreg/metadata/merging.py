"""Who may write what: the human's part of a file is only ever joined, the machine's part is its own to replace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from semreg.metadata.entry import Entry, Existing, Record, distinct, key


@dataclass(frozen=True)
class Fields:
    """The fields of a file as they stand. `caption` is the default description, `captions` those of all languages."""

    tags: tuple[str, ...] = ()
    hierarchy: tuple[str, ...] = ()
    caption: str | None = None
    captions: tuple[str, ...] = ()


def standing(fields: Fields, record: Record) -> Entry:
    """The part of the record that a human has neither removed nor changed since."""
    claimed = record.entry
    return replace(
        claimed,
        tags=tuple(tag for tag in claimed.tags if tag in fields.tags),
        hierarchy=tuple(path for path in claimed.hierarchy if path in fields.hierarchy),
        caption=claimed.caption if claimed.caption == fields.caption else None,
    )


def merged(fields: Fields, record: Record, entry: Entry, existing: Existing) -> Record:
    """Return the record after `entry` was written over `fields`, by the table in `semreg.metadata`.

    What the record claims is what the file is to hold of the machine. Model and date are the entry's where it
    wrote anything, else what they were; a date alone is no reason to write.
    """
    old = standing(fields, record)
    removed = _removed(fields, record)
    claims = old
    human_tags = less(fields.tags, old.tags), less(fields.hierarchy, old.hierarchy)
    if _may_write(any(human_tags), bool(old.tags or old.hierarchy), existing, joins=True):
        claims = replace(
            claims,
            tags=_new(entry.tags, human_tags[0], removed),
            hierarchy=_new(entry.hierarchy, human_tags[1], removed),
        )
    human_caption = bool(less(fields.captions, [old.caption] if old.caption else []))
    if _may_write(human_caption, old.caption is not None, existing, joins=False):
        caption = entry.caption if entry.caption and _new([entry.caption], [], removed) else None
        claims = replace(claims, caption=caption)
    wrote = bool(claims.tags or claims.hierarchy or claims.caption)
    if claims == old and (claims.model == entry.model or not wrote):
        return Record(claims, removed)
    return Record(replace(claims, model=entry.model, date=entry.date), removed)


def _may_write(human: bool, machine: bool, existing: Existing, *, joins: bool) -> bool:
    if existing == "keep":
        return not human
    return machine or not human or (joins and existing == "merge")


def _new(wanted: Iterable[str], human: Iterable[str], removed: Iterable[str]) -> tuple[str, ...]:
    taken = {key(text) for text in (*human, *removed)}
    return tuple(text for text in wanted if key(text) not in taken)


def _removed(fields: Fields, record: Record) -> tuple[str, ...]:
    """What the machine wrote, now or once, and a human has removed: not to be written again."""
    claimed = record.entry
    gone = [tag for tag in claimed.tags if tag not in fields.tags]
    gone += [path for path in claimed.hierarchy if path not in fields.hierarchy]
    if claimed.caption and not fields.captions:
        gone.append(claimed.caption)
    there = {key(text) for text in (*fields.tags, *fields.hierarchy, *fields.captions)}
    return distinct(text for text in (*record.removed, *gone) if key(text) not in there)


def less(texts: Sequence[str], taken: Iterable[str]) -> tuple[str, ...]:
    """`texts` without one occurrence, the last, of each of `taken`."""
    left = list(texts)
    for text in taken:
        if text in left:
            del left[len(left) - 1 - left[::-1].index(text)]
    return tuple(left)
