"""Tags that a person gave: as labels of the model."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from semreg.errors import SemregError
from semreg.model_config import ModelConfig


def given_labels(tags: Sequence[str], config: ModelConfig) -> list[int]:
    """The labels that tags name, each once, in the order in which they were given.

    Raises:
        SemregError: a model without tags, or one that does not know a tag (the nearest is named).
    """
    if "tags" not in config.decoders:
        raise SemregError(f"{config.name} writes no tags to complete: take a model that does")
    place = {label: i for i, label in enumerate(config.decoders["tags"].words)}
    labels = []
    for tag in tags:
        plain = " ".join(tag.lower().split())
        known = next((name for name in (tag, plain, config.forms.get(plain, plain)) if name in place), None)
        if known is None:
            near = difflib.get_close_matches(plain, place, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else "leave it out"
            raise SemregError(f"{config.name} has no tag {tag!r}: {hint}")
        labels.append(place[known])
    return list(dict.fromkeys(labels))
