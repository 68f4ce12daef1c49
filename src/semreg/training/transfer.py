"""Starting from another model: every part that fits is carried over, by the names of its concepts, labels and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from pydantic import BaseModel
from torch import Tensor

from semreg.data.vocabulary import SPECIAL
from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_config import DecoderConfig, Form, ModelConfig
from semreg.model_folder import read_config, read_weights_as_saved
from semreg.training.recipe import Recipe

Group = TypeVar("Group", bound=BaseModel)


def as_begun_with(recipe: Recipe) -> Recipe:
    """What a recipe leaves open taken from the model that it starts from: trunk, preprocessing, sizes of the decoder.

    What the recipe says itself stays: another size of the pictures is a choice, another trunk a mistake that
    `carry_over` names. Decoder sizes are those of the first form that both have.

    Raises:
        SemregError: it starts from a model that is none.
    """
    if recipe.init is None:
        return recipe
    source = read_config(recipe.init)
    trunk = {"name": source.trunk.name, "batchnorm": "folded" if source.trunk.folded else "frozen"}
    changes: dict[str, BaseModel] = {
        "trunk": _completed(recipe.trunk, trunk),
        "preprocessing": _completed(recipe.preprocessing, source.preprocessing.model_dump()),
    }
    if recipe.init_decoders and (shared := [source.decoders[form] for form in recipe.forms if form in source.decoders]):
        sizes = shared[0].model_dump(exclude={"words", "max_length", "dropout"})
        changes["decoder"] = _completed(recipe.decoder, sizes)
    return recipe.model_copy(update=changes)


def carry_over(model: CnnRnn, config: ModelConfig, folder: Path, *, decoders: bool = True, trunk: float = 1.0) -> str:
    """Give a new model whatever weights of a finished one fit, in place.

    The trunk, the semantic layer's rows of concepts that both name, and the decoders: an LSTM of the same sizes with
    its interface, and the embeddings and outputs of words that both know.

    Args:
        model: freshly built.
        config: its description.
        folder: of the finished model.
        decoders: whether they are carried over too, or trunk and concepts alone.
        trunk: how much of its trunk; the rest stays as it is in the new model. Two trunks that began as one may be
            averaged, weight by weight.

    Returns:
        A sentence that says what was carried over.

    Raises:
        SemregError: no model there, or its trunk is another one (or kept its batch normalisation where the new one has
            none), so that nothing would fit.
    """
    source = read_config(folder)
    if (source.trunk.name, source.trunk.folded) != (config.trunk.name, config.trunk.folded):
        raise SemregError(
            f"--init needs a model with the trunk {_trunk(config)}, {str(folder)!r} has {_trunk(source)}: "
            "leave trunk.name and trunk.batchnorm out of the recipe, or set them as it has them"
        )
    saved = read_weights_as_saved(folder)
    weights = {name.replace("trunk.taught.", "trunk."): value.float() for name, value in saved.items()}
    weights = {name: value for name, value in weights.items() if not name.startswith("trunk.others.")}
    weights["semantic.weight"] = weights["semantic.weight"][:, : model.semantic.in_features]  # the taught trunk's
    own = model.state_dict()
    fitted = {
        name: own[name].float().lerp(value.to(own[name].device), trunk)
        for name, value in weights.items()
        if name.startswith("trunk.")
    }
    concepts = _pairs(config.concepts, source.concepts, source.forms)
    for name in ("semantic.weight", "semantic.bias"):
        fitted[name] = _rows(own[name], weights[name], concepts)
    share = "" if trunk == 1 else f"{trunk:.0%} of "
    told = [f"{share}{source.name}'s trunk", f"{len(concepts)} of {len(config.concepts)} concepts"]
    for form, decoder in config.decoders.items():
        if decoders and (other := source.decoders.get(form)) is not None and _alike(decoder, other):
            words = _pairs(decoder.words, other.words, source.forms if form == "tags" else None)
            fitted |= _decoder(form, own, weights, decoder.interface, words, concepts)
            told.append(f"the {form} decoder with {len(words)} of {len(decoder.words)} words")
    own.update(fitted)
    model.load_state_dict(own)
    return "starting from " + ", ".join(told)


def _decoder(
    form: Form,
    own: dict[str, Tensor],
    weights: dict[str, Tensor],
    interface: str,
    words: Sequence[tuple[int, int]],
    concepts: Sequence[tuple[int, int]],
) -> dict[str, Tensor]:
    """A decoder's state with the old one's weights: rows by word, columns by concept, the rest as it is."""
    specials = [(token, token) for token in range(len(SPECIAL))]
    tokens = [(len(SPECIAL) + a, len(SPECIAL) + b) for a, b in words]
    fitted = {}
    for name in (name for name in own if name.startswith(f"decoders.{form}.") and name in weights):
        part = name.removeprefix(f"decoders.{form}.")
        if part.startswith(("embed.", "output.")):
            fitted[name] = _rows(own[name], weights[name], [*specials, *tokens])
        elif part.startswith("interface.") and interface == "semantic" and own[name].dim() > 0:
            by_concept = part.startswith("interface.standardise") or own[name].dim() == 2
            fitted[name] = _columns(own[name], weights[name], concepts) if by_concept else weights[name]
        else:
            fitted[name] = weights[name]
    return fitted


def _alike(new: DecoderConfig, old: DecoderConfig) -> bool:
    """Whether two decoders differ in nothing but their words."""
    return new.model_copy(update={"words": old.words, "max_length": old.max_length, "dropout": old.dropout}) == old


def _pairs(new: Sequence[str], old: Sequence[str], forms: Mapping[str, str] | None = None) -> list[tuple[int, int]]:
    """(place in new, place in old) of every name that both have, the old one perhaps in another form ("bird", "birds").

    Of two new names that are forms of one old one, both are paired with it.
    """
    place = {name: index for index, name in enumerate(old)}
    place |= {form: place[name] for form, name in (forms or {}).items() if name in place and form not in place}
    return [(index, place[name]) for index, name in enumerate(new) if name in place]


def _completed(settings: Group, values: Mapping[str, object]) -> Group:
    """Settings with other values in place of the defaults that nobody chose."""
    return settings.model_copy(update={k: v for k, v in values.items() if k not in settings.model_fields_set})


def _rows(own: Tensor, other: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    result = own.clone()
    if pairs:
        to, from_ = torch.tensor(pairs).T
        result[to] = other[from_].to(own)
    return result


def _columns(own: Tensor, other: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    return _rows(own.movedim(-1, 0), other.movedim(-1, 0), pairs).movedim(0, -1)


def _trunk(config: ModelConfig) -> str:
    return config.trunk.name + ("" if config.trunk.folded else " with batch normalisation")
