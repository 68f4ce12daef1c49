"""Why a picture was told so: plain records and their JSON and readable forms, free of any other package."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Influence:
    """What one concept did for a tag or a word.

    Attributes:
        concept: its name.
        score: its probability in the picture, or what a person set, 0..1.
        effect: how much likelier the tag or word is with this value than with the concept's mean over the training
            pictures, everything else the same: in log odds for tags, in log-probability for words; below 0 it spoke
            against.
    """

    concept: str
    score: float
    effect: float


@dataclass(frozen=True)
class TagReason:
    """Why a tag was told; `influences` have the strongest first, whichever way."""

    label: str
    score: float
    influences: tuple[Influence, ...]


@dataclass(frozen=True)
class WordReason:
    """Why a caption has a word; `position` counts the words from 0, `probability` is the word's after those before it.

    A word that says a concept has its name as `concept`, else None.
    """

    word: str
    position: int
    probability: float
    concept: str | None
    influences: tuple[Influence, ...]


@dataclass(frozen=True)
class Overruled:
    """Where the tags differ from what the concept layer alone says.

    Attributes:
        label: of the tag.
        score: the tag's probability.
        told: whether it is among the tags, though its concept is below the threshold; or is not, though above.
        seen: the concept's probability.
        threshold: from which on the concept layer alone would tell it.
        influences: of the other concepts, those that pushed the tag this way, strongest first.
    """

    label: str
    score: float
    told: bool
    seen: float
    threshold: float
    influences: tuple[Influence, ...]


@dataclass(frozen=True)
class Explanation:
    """Which concepts carried the tags and words of one annotation.

    Attributes:
        file_name: of the picture, as in the annotation.
        caption: the sentence that is explained.
        tags: a reason for each tag, in the annotation's order.
        words: a reason for each content word of the caption, in its order.
        overruled: where RNN and CNN disagree, the most probable tag first.
        model: NAME@HASH.
    """

    file_name: str | None
    caption: str | None
    tags: tuple[TagReason, ...]
    words: tuple[WordReason, ...]
    overruled: tuple[Overruled, ...]
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form as plain lists and dicts; numbers are rounded to 4 digits."""
        rounded: dict[str, Any] = _rounded(asdict(self))
        return rounded

    def to_json(self) -> str:
        """Return one line of JSON without its line end."""
        return json.dumps(self.to_dict(), ensure_ascii=True, allow_nan=False)

    def __str__(self) -> str:
        """As a person would read it."""
        lines = [self.caption] if self.caption else []
        lines += [f"  {word.word} {word.probability:.0%}: {_influences(word.influences)}" for word in self.words]
        if self.tags:
            lines.append("tags")
        lines += [f"  {tag.label} {tag.score:.0%}: {_influences(tag.influences)}" for tag in self.tags]
        if self.overruled:
            lines.append("where the RNN overruled the CNN")
        for each in self.overruled:
            what = "told" if each.told else "not told"
            side = "is below" if each.told else "reaches"
            lines.append(
                f"  {each.label} {what} ({each.score:.0%}), though the CNN's {each.seen:.0%} {side} its threshold "
                f"of {each.threshold:.0%}: {_influences(each.influences)}"
            )
        return "\n".join(lines) or "(nothing was told)"


def _influences(influences: tuple[Influence, ...]) -> str:
    shown = [f"{each.concept} {each.score:.0%} ({each.effect:+.1f})" for each in influences]
    return ", ".join(shown) or "no single concept"


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return round(value, 4) + 0.0 if isinstance(value, float) else value
