"""Which labels are told, and under which names: chosen, left out, renamed, joined to parents, added."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from semreg.annotation import Annotation, Tag
from semreg.errors import SemregError

COLUMNS = ("label", "name", "synonyms", "parent")


@dataclass(frozen=True)
class Name:
    """What a label is called: its name, more names for the same, and the way to it from the top, `Animals|Pets`."""

    name: str
    synonyms: tuple[str, ...] = ()
    parent: str = ""


@dataclass(frozen=True)
class Labels:
    """Rules for the labels of annotations.

    Attributes:
        only: labels that may be told; None allows all.
        exclude: labels that are not.
        names: by the label in small letters, what it is called instead; one that is not there keeps its own name.
        prefix: stands before the name of every label of the model's.
        always: tags that every picture gets, as they are.
        most: labels of the model's at most, the most probable ones.
    """

    only: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    names: dict[str, Name] = field(default_factory=dict)
    prefix: str = ""
    always: tuple[str, ...] = ()
    most: int | None = None

    def told(self, annotation: Annotation) -> Annotation:
        """The annotation with its tags by these rules; captions and concepts stay as they are.

        `only` and `exclude` go by the model's label or its new name, without case. Of tags that end up with the same
        name the most probable counts. The tags of `always` come last, with probability 1.
        """
        if annotation.error is not None:
            return annotation
        scores: dict[str, float] = {}
        for tag in [tag for tag in annotation.tags if self._wanted(tag.label)][: self.most]:
            name = self._name(tag.label)
            for word in (name.name, *name.synonyms):
                scores[self.prefix + word] = max(tag.score, scores.get(self.prefix + word, 0.0))
        tags = [Tag(label, score) for label, score in sorted(scores.items(), key=lambda item: -item[1])]
        tags += [Tag(label, 1.0) for label in dict.fromkeys(self.always) if label not in scores]
        return replace(annotation, tags=tuple(tags))

    def hierarchy(self, annotation: Annotation) -> tuple[str, ...]:
        """The full ways (`Animals|Pets|dog`) to those tags of the model's annotation that have a parent."""
        ways = []
        for tag in [tag for tag in annotation.tags if self._wanted(tag.label)][: self.most]:
            name = self._name(tag.label)
            if name.parent:
                ways.append(f"{name.parent}|{self.prefix}{name.name}")
        return tuple(dict.fromkeys(ways))

    def unknown(self, labels: Collection[str]) -> list[str]:
        """Words that these rules name although they are none of the model's labels, nor names for one."""
        known = {label.casefold() for label in labels} | {name.name.casefold() for name in self.names.values()}
        named = [*sorted(self.only or ()), *sorted(self.exclude), *self.names]
        return [word for word in dict.fromkeys(named) if word not in known]

    def digest(self) -> str:
        """A short text that differs where the rules differ."""
        rules = {**asdict(self), "only": self.only and sorted(self.only), "exclude": sorted(self.exclude)}
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:16]

    def _name(self, label: str) -> Name:
        return self.names.get(label.casefold(), Name(label))

    def _wanted(self, label: str) -> bool:
        names = {label.casefold(), self._name(label).name.casefold()}
        return (self.only is None or not names.isdisjoint(self.only)) and names.isdisjoint(self.exclude)


def read_labels(
    *,
    only: Path | None = None,
    exclude: Sequence[str] = (),
    rename: Path | None = None,
    prefix: str = "",
    always: Sequence[str] = (),
    most: int | None = None,
) -> Labels:
    """Rules from what users write.

    Args:
        only: a text file with a label a line; empty lines and those that start with # do not count.
        exclude: labels.
        rename: a CSV file with a column `label` and any of `name`, `synonyms` (several divided by `;`) and `parent`
            (`Animals|Pets`).

    Raises:
        SemregError: a file cannot be read or says something else.
    """
    chosen = None
    if only is not None:
        lines = [line.strip() for line in _text(only).splitlines()]
        chosen = frozenset(line.casefold() for line in lines if line and not line.startswith("#"))
        if not chosen:
            raise SemregError(f"{only} names no label: write a label a line")
    return Labels(
        only=chosen,
        exclude=frozenset(word.casefold() for word in exclude),
        names=_names(rename) if rename else {},
        prefix=prefix,
        always=tuple(always),
        most=most,
    )


def _names(path: Path) -> dict[str, Name]:
    rows = csv.DictReader(_text(path).splitlines(), skipinitialspace=True)
    columns = [str(column).strip() for column in rows.fieldnames or ()]
    unknown = [column for column in columns if column not in COLUMNS]
    if "label" not in columns or unknown:
        found = ", ".join(columns) or "nothing"
        raise SemregError(
            f"{path}: the first line must name the columns label and any of name, synonyms, parent; names {found}"
        )
    rows.fieldnames = columns
    names: dict[str, Name] = {}
    for number, row in enumerate(rows, start=2):
        if None in row:
            raise SemregError(f"{path}, line {number}: more fields than columns: put quotes around text with a comma")
        label, name, synonyms, parent = ((row.get(column) or "").strip() for column in COLUMNS)
        if not label:
            raise SemregError(f"{path}, line {number}: the label is missing")
        if label.casefold() in names:
            raise SemregError(f"{path}, line {number}: {label!r} is there twice: write one line for it")
        words = tuple(word for word in map(str.strip, synonyms.split(";")) if word)
        way = "|".join(part for part in map(str.strip, parent.split("|")) if part)
        names[label.casefold()] = Name(name or label, words, way)
    return names


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SemregError(f"cannot read {path}: {reason}") from None
