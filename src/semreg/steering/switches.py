"""Concepts set by hand: from an annotation back to what was seen, and what a person's word counts for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semreg.annotation import Annotation
from semreg.concept_scale import ConceptScale
from semreg.errors import SemregError
from semreg.model.interfaces import Encoding
from semreg.model_config import ModelConfig

UNLISTED = 0.00005  # what a concept is taken to have where an annotation lists none below 0.0001


def check_steerable(config: ModelConfig) -> None:
    """Refuse a model whose decoders do not tell from its named concepts.

    Raises:
        SemregError: another interface than the semantic one, or a concept layer that was never taught.
    """
    others = sorted({decoder.interface for decoder in config.decoders.values()} - {"semantic"})
    if others:
        raise SemregError(
            f"{config.name} cannot be steered: its {others[0]} interface does not tell from concepts; "
            "take a model with decoder.interface: semantic"
        )
    if not config.supervised:
        raise SemregError(f"{config.name} cannot be steered: its concept layer was never taught to mean its names")


def steerable(config: ModelConfig) -> bool:
    """Whether `check_steerable` has nothing against it."""
    return config.supervised and all(decoder.interface == "semantic" for decoder in config.decoders.values())


def recall(annotation: Annotation, config: ModelConfig, model: str) -> Tensor:
    """What was seen in an annotated picture: s_hat, (K,).

    Args:
        annotation: with the scores of all concepts; of those that only lists some, the others count as `UNLISTED`.
        config: of the model.
        model: its NAME@HASH.

    Raises:
        SemregError: a picture that could not be read, another model's annotation, or one without concepts.
    """
    if annotation.error is not None:
        raise SemregError(f"the annotation says of no picture what is in it ({annotation.error}): annotate another")
    if annotation.model not in ("", model):
        raise SemregError(f"the annotation is by {annotation.model}, this is {model}: annotate the picture again")
    if annotation.concept_scores:
        if len(annotation.concept_scores) != len(config.concepts):
            raise SemregError(
                f"'concept_scores' must have one score for each of the {len(config.concepts)} concepts of {model}, "
                f"has {len(annotation.concept_scores)}: annotate the picture again"
            )
        return torch.tensor(annotation.concept_scores)
    if not annotation.concepts:
        raise SemregError("the annotation lists no concepts to steer: annotate the picture again, with its concepts")
    index = {name: place for place, name in enumerate(config.concepts)}
    by_hand = {item.concept for item in annotation.steered}  # listed as set, and what was seen is not known any more
    listed = {item.concept: item.score for item in annotation.concepts if item.concept not in by_hand}
    for name in listed:
        if name not in index:
            raise SemregError(f"{model} has no concept {name!r}: annotate the picture again")
    probabilities = torch.full((len(config.concepts),), UNLISTED)
    probabilities[[index[name] for name in listed]] = torch.tensor(list(listed.values()))
    return config.scale().unshown(probabilities)


def concept_index(names: Iterable[str], config: ModelConfig) -> list[int]:
    """The places of concepts, each named by itself or one of its word forms ("horses" for "horse").

    Raises:
        SemregError: no such concept; the nearest is named.
    """
    index = {name: place for place, name in enumerate(config.concepts)}
    places = []
    for name in names:
        known = name if name in index else config.forms.get(name.lower(), name.lower())
        if known not in index:
            near = difflib.get_close_matches(known, [*index, *config.forms], 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else "`Annotator.concepts` lists them"
            raise SemregError(f"{config.name} has no concept {name!r}: {hint}")
        places.append(index[known])
    return places


@dataclass(frozen=True)
class Switched:
    """A picture's concepts, some of them set by hand.

    Attributes:
        seen: s_hat, (K,).
        by_hand: the probabilities that people set, in 0..1, by the concept's place.
        scale: from s_hat to the probabilities that people are shown.
    """

    seen: Tensor
    by_hand: dict[int, float]
    scale: ConceptScale

    def set(self) -> Tensor:
        """s_hat with what was set in place, (K,)."""
        values, places = self.seen.clone(), list(self.by_hand)
        values[places] = self.scale.unshown(values.new_tensor(list(self.by_hand.values())), places)
        return values

    def shown(self) -> Tensor:
        """The probabilities that people see: as set, (K,)."""
        return self.scale.shown(self.set())

    def told(self, emphasis: float) -> Tensor:
        """The values that the decoders get, (K,).

        A value counts as it is set up to what was seen; beyond, it gains in weight until 1 counts as `emphasis`. For
        the decoders have learnt from a CNN whose 1 is not always true and does not always get a mention; a person's
        is, and should.
        """
        values = self.set()
        for place in self.by_hand:
            value, before = float(values[place]), float(self.seen[place])
            if value > before:
                values[place] += (emphasis - 1) * (value - before) / (1 - before)
        return values


def switch(annotation: Annotation, concepts: Mapping[str, float | None], config: ModelConfig, model: str) -> Switched:
    """An annotation's concepts, with what was set in it before and what is set now; None takes back what was set.

    Raises:
        SemregError: as `check_steerable`, `recall` and `concept_index`; or a value outside 0..1.
    """
    check_steerable(config)
    seen = recall(annotation, config, model)
    changes = {**{item.concept: item.score for item in annotation.steered}, **concepts}
    by_hand: dict[int, float] = {}
    for place, (name, value) in zip(concept_index(changes, config), changes.items(), strict=True):
        if value is None:
            by_hand.pop(place, None)
        elif isinstance(value, bool | int | float) and 0 <= value <= 1:
            by_hand[place] = float(value)
        else:
            raise SemregError(f"the concept {name!r} must be set to a number in 0..1, is {value!r}: 1 is on, 0 is off")
    return Switched(seen, by_hand, config.scale())


def to_encoding(switched: Sequence[Switched], emphasis: float, device: torch.device) -> Encoding:
    """What the decoders get of B pictures; the features are unknown, (B, 0), for the pictures are not looked at."""
    concepts = torch.stack([each.told(emphasis) for each in switched]).to(device)
    margin = torch.finfo(concepts.dtype).eps
    return Encoding(concepts.new_zeros(len(switched), 0), concepts.clamp(margin, 1 - margin).logit(), concepts)
