"""What is said about one picture: plain records and their JSON form, free of any other package."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from semreg.errors import SemregError

# Half a surrogate pair stands for a byte of a file name that is no UTF-8 and cannot be encoded; the others
# are line ends to some readers. As \uXXXX they are valid JSON, stay on one line and come back unchanged.
_ESCAPED = re.compile("[\ud800-\udfff\u0085\u2028\u2029]")


class Tag(NamedTuple):
    """A label that applies to the picture; `score` is its probability, 0..1."""

    label: str
    score: float


class Concept(NamedTuple):
    """A named unit of the semantic layer; `score` is its probability, 0..1."""

    concept: str
    score: float


class Caption(NamedTuple):
    """A sentence about the picture; `score` is the mean natural log-probability of its tokens, <= 0."""

    text: str
    score: float


@dataclass(frozen=True)
class Annotation:
    """Everything the model says about one picture, or the sentence why it could not be read.

    `file_name` is the path as the user gave it, with posix slashes, or None for a picture that came from
    memory. `tags` and `concepts` come highest score first, `captions` is the n-best list, best first, and
    `caption` its head. `model` is NAME@HASH. `error` is None for a picture that was read; otherwise
    everything else is empty.

    `concept_scores` are what the concept layer said of all the model's concepts, in the model's order: what its
    decoders read, and `Annotator.steer` starts from. They are no probabilities to be taken at their word; those are in
    `concepts`. `steered` are the probabilities that people set; `concepts` shows them in place.
    """

    file_name: str | None
    tags: tuple[Tag, ...] = ()
    caption: Caption | None = None
    captions: tuple[Caption, ...] = ()
    concepts: tuple[Concept, ...] = ()
    model: str = ""
    error: str | None = None
    concept_scores: tuple[float, ...] = field(default=(), repr=False)
    steered: tuple[Concept, ...] = ()

    @classmethod
    def failed(cls, file_name: str | None, error: str, model: str) -> Annotation:
        """Return the record of a picture that could not be read; `error` is one clear sentence."""
        return cls(file_name=file_name, error=error, model=model)

    def __str__(self) -> str:
        """Caption and tags as a person would read them, one line each; the error of a failed picture."""
        if self.error is not None:
            return self.error
        lines = [self.caption.text] if self.caption else []
        if self.tags:
            lines.append(", ".join(f"{tag.label} {tag.score:.0%}" for tag in self.tags))
        return "\n".join(lines) or "(no caption, no tags)"

    def to_dict(self, all_concepts: bool = False) -> dict[str, Any]:
        """Return the JSON form as plain lists and dicts; scores are rounded to 4 digits.

        With `all_concepts` it has `concept_scores` too, to 4 significant digits: enough to steer from it later.
        `steered` is there where something was.
        """
        more: dict[str, Any] = {}
        if all_concepts and self.concept_scores:
            more["concept_scores"] = [float(f"{score:.4g}") for score in self.concept_scores]
        if self.steered:
            more["steered"] = [{"concept": item.concept, "score": rounded(item.score)} for item in self.steered]
        return {
            "file_name": self.file_name,
            "tags": [{"label": tag.label, "score": rounded(tag.score)} for tag in self.tags],
            "caption": _caption_dict(self.caption) if self.caption else None,
            "captions": [_caption_dict(caption) for caption in self.captions],
            "concepts": [{"concept": item.concept, "score": rounded(item.score)} for item in self.concepts],
            "model": self.model,
            "error": self.error,
            **more,
        }

    def to_json(self, all_concepts: bool = False) -> str:
        """Return one line of JSON without its line end, non-ASCII kept as it is; always encodable as UTF-8.

        `all_concepts` as in `to_dict`.

        Raises:
            ValueError: a score is NaN or infinite, which JSON cannot say.
        """
        line = json.dumps(self.to_dict(all_concepts), ensure_ascii=False, allow_nan=False)
        return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", line)

    @classmethod
    def from_dict(cls, record: object) -> Annotation:
        """Read the JSON form; any entry may be missing, unknown ones are passed over.

        Raises:
            SemregError: the record has another form; says which entry and what it holds.
        """
        if not isinstance(record, dict):
            raise SemregError(f"an annotation must be a JSON object, is {_shown(record)}")
        caption = record.get("caption")
        return cls(
            file_name=_optional_text(record, "file_name"),
            tags=tuple(Tag(*_scored(item, "label", "tags")) for item in _items(record, "tags")),
            caption=Caption(*_scored(caption, "text", "caption")) if caption is not None else None,
            captions=tuple(Caption(*_scored(item, "text", "captions")) for item in _items(record, "captions")),
            concepts=tuple(Concept(*_scored(item, "concept", "concepts")) for item in _items(record, "concepts")),
            model=_optional_text(record, "model") or "",
            error=_optional_text(record, "error"),
            concept_scores=tuple(_number(item, "concept_scores") for item in _items(record, "concept_scores")),
            steered=tuple(Concept(*_scored(item, "concept", "steered")) for item in _items(record, "steered")),
        )

    @classmethod
    def from_json(cls, line: str) -> Annotation:
        """Read one line as `to_json` writes it.

        Raises:
            SemregError: the line is no JSON or no annotation; says what is wrong and where.
        """
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SemregError(f"an annotation must be one line of JSON ({error}), is {_shown(line)}") from error
        return cls.from_dict(record)


def rounded(score: float) -> float:
    """Return the score as every output writes it: 4 digits, and 0.0 rather than -0.0."""
    return round(float(score), 4) + 0.0


def _caption_dict(caption: Caption) -> dict[str, Any]:
    return {"text": caption.text, "score": rounded(caption.score)}


def _items(record: dict[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise SemregError(f"'{key}' of an annotation must be a list, is {_shown(value)}")
    return value


def _scored(item: object, key: str, place: str) -> tuple[str, float]:
    if not isinstance(item, dict):
        raise SemregError(f"'{place}' must hold objects with '{key}' and 'score', holds {_shown(item)}")
    return _text(item, key, place), _number(item.get("score"), place, "'score' in ")


def _number(value: object, place: str, what: str = "each of ") -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
        raise SemregError(f"{what}'{place}' must be a finite number, is {_shown(value)}")
    return float(value)


def _text(record: dict[str, Any], key: str, place: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise SemregError(f"'{key}' in '{place}' must be text, is {_shown(value)}")
    return value


def _optional_text(record: dict[str, Any], key: str) -> str | None:
    return None if record.get(key) is None else _text(record, key, "annotation")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
