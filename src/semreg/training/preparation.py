"""From records to numbers: which pictures are learnt from and which choose, vocabularies, both splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from semreg.data.concepts import Concepts, concept_vocabulary
from semreg.data.implied import implied_labels
from semreg.data.label_order import ORDERS, LabelOrder, label_counts
from semreg.data.loader import leave_out_unreadable
from semreg.data.records import Record, of_split
from semreg.data.vocabulary import Vocabulary, word_vocabulary
from semreg.errors import SemregError
from semreg.model_config import (
    DecoderConfig,
    Form,
    GeneralConfig,
    GroundingConfig,
    KindConfig,
    ModelConfig,
    TrunkConfig,
)
from semreg.model_folder import read_config
from semreg.training.examples import Examples, tag_labels, to_examples
from semreg.training.log import RunLog
from semreg.training.recipe import Recipe
from semreg.training.recipe_groups import GroundingSettings

SPARE_LENGTH = 4  # tags that a path may have beyond the longest of the training set


def split_records(records: Sequence[Record], recipe: Recipe) -> tuple[list[Record], list[Record]]:
    """Training and validation records; a share is held out by the data's own seed."""
    train = of_split(records, recipe.data.train)
    if isinstance(recipe.data.validation, str):
        return train, of_split(records, recipe.data.validation)
    count = round(recipe.data.validation * len(train))
    if not 0 < count < len(train):
        raise SemregError(
            f"data.validation must leave pictures on both sides, holds out {count} of {len(train)}: raise or lower it"
        )
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(recipe.data.seed)).tolist()
    held = set(order[:count])
    return (
        [record for index, record in enumerate(train) if index not in held],
        [record for index, record in enumerate(train) if index in held],
    )


def prepare_data(
    recipe: Recipe, train: Sequence[Record], validation: Sequence[Record], also: Sequence[Record] = ()
) -> tuple[ModelConfig, Examples, Examples]:
    """Vocabularies from the training records alone, and both splits in numbers.

    Args:
        recipe: says what is a concept, a word, a label.
        train: to learn from.
        validation: to choose by.
        also: to learn from too, in the vocabularies of `train`.

    Raises:
        SemregError: a form is wanted that the data has nothing for, to learn from or to validate with.
    """
    if "tags" in recipe.forms and recipe.tags.source == "labels" and not any(r.tags for r in train):
        raise SemregError("the training pictures have no tags: take forms: [caption], or tags.source: concepts")
    if "caption" in recipe.forms and not any(r.captions for r in train):
        raise SemregError("the training pictures have no captions: take forms: [tags]")
    concepts = concept_vocabulary(
        [r.tags for r in train],
        [r.captions for r in train],
        source=recipe.concepts.source,
        size=recipe.concepts.size,
        minimum=recipe.concepts.minimum,
        include=recipe.concepts.include,
        exclude=recipe.concepts.exclude,
    )
    decoder = recipe.decoder.model_dump()
    decoders: dict[Form, DecoderConfig] = {}
    order: LabelOrder | None = None
    general: tuple[GeneralConfig, ...] = ()
    if "tags" in recipe.forms:
        never = set(recipe.tags.exclude)
        tags = [[t for t in tag_labels(r, concepts, recipe.tags.source) if t not in never] for r in train]
        if not any(tags):
            raise SemregError("no tag is left of the training pictures: shorten tags.exclude")
        counts = label_counts(tags)
        fixed = recipe.tags.order if recipe.tags.order in ORDERS else ORDERS[0]  # others are arranged at every update
        order = LabelOrder(fixed, counts)
        longest = max(len(row) for row in tags)
        decoders["tags"] = DecoderConfig(
            **decoder, words=tuple(sorted(counts)), max_length=min(longest + SPARE_LENGTH, len(counts))
        )
    if "caption" in recipe.forms:
        words = word_vocabulary((text for r in train for text in r.captions), recipe.captions.minimum)
        decoders["caption"] = DecoderConfig(**decoder, words=words.words, max_length=recipe.captions.max_length)
        general = _known_kinds(recipe.captions.general, concepts, words)
    beside = recipe.beside.trunks if recipe.beside else ()
    config = ModelConfig(
        name=recipe.name,
        bits=recipe.bits,
        trunk=TrunkConfig(name=recipe.trunk.name, folded=recipe.trunk.batchnorm == "folded", beside=beside),
        neighbours=recipe.neighbours.config(len(train) + len(also)) if recipe.neighbours else None,
        preprocessing=recipe.preprocessing,
        concepts=concepts.names,
        forms=concepts.forms,
        supervised=recipe.supervised or _supervised_before(recipe, concepts),
        tag_source=recipe.tags.source,
        general=general,
        decoders=decoders,
        candidates=recipe.captions.candidates,
    )
    if recipe.consensus is not None:
        most = max(len(record.captions) for record in (*train, *also))
        config = config.model_copy(update={"consensus": recipe.consensus.config(len(train) + len(also), most)})
    vocabularies: dict[str, Vocabulary] = {form: config.vocabulary(form) for form in config.decoders}
    options: dict[str, Any] = {"tag_source": recipe.tags.source, "max_words": recipe.captions.max_length}
    held_out = to_examples(validation, concepts, vocabularies, order, **options)
    missing = {
        "concepts": not held_out.truth.any(),
        "tags": held_out.labels is not None and not held_out.labels.any(),
        "captions": "caption" in vocabularies and not any(held_out.captions),
    }
    for what in (what for what, absent in missing.items() if absent):  # said now, not when a stage is done
        raise SemregError(f"the validation pictures have no {what} that training has: take data.validation: 0.1")
    learnt = to_examples([*train, *also], concepts, vocabularies, order, **options)
    if recipe.grounding is not None:
        usual = learnt.truth.double().mean(0)
        config = config.model_copy(update={"grounding": _grounding(recipe.grounding, concepts, usual, train)})
    return config, learnt, held_out


def _known_kinds(wanted: Sequence[GeneralConfig], concepts: Concepts, words: Vocabulary) -> tuple[GeneralConfig, ...]:
    """Kinds with the concepts and words that the data has; no group of which it does not have two."""
    known, sayable = [], {*words.words, ""}
    for group in wanted:
        kinds = []
        for kind in group.kinds:
            names = tuple(name for name in kind.concepts if name in concepts.index)
            pairs = {word: general for word, general in kind.words.items() if word in words and general in sayable}
            if names and pairs:
                kinds.append(KindConfig(concepts=names, words=pairs))
        omit = tuple(name for name in group.omit if name in concepts.index and name in words)
        if len(kinds) + len(omit) > 1:
            known.append(GeneralConfig(share=group.share, kinds=tuple(kinds), omit=omit))
    return tuple(known)


def _grounding(
    wanted: GroundingSettings, concepts: Concepts, usual: Tensor, train: Sequence[Record]
) -> GroundingConfig:
    """How usual the concepts are, (K,), and which of them are labels that words of captions imply."""
    implied = implied_labels([record.tags for record in train], [record.captions for record in train])
    known = {word: tuple(label for label in labels if label in concepts.index) for word, labels in implied.items()}
    return GroundingConfig(
        **wanted.model_dump(),
        usual=tuple(round(share, 5) for share in usual.tolist()),
        implied={word: labels for word, labels in known.items() if labels},
    )


def _supervised_before(recipe: Recipe, concepts: Concepts) -> bool:
    """Whether the model that this run starts from was taught these concepts, and will not forget them."""
    if recipe.init is None or recipe.unlearns:
        return False
    source = read_config(recipe.init)
    return source.supervised and set(concepts.names) <= set(source.concepts)


def readable(records: Sequence[Record], recipe: Recipe, log: RunLog, what: str) -> list[Record]:
    """The records whose pictures can be read; the others are named in the log.

    Raises:
        SemregError: more than the recipe's share cannot.
    """
    log.start_bar(f"reading {what} pictures", len(records))
    good, problems = leave_out_unreadable(records, recipe.data.unreadable, log.advance)
    log.end_bar()
    for problem in problems:
        log.event("unreadable", problem=problem)
        log.say(f"left out: {problem}")
    if problems:
        log.say(f"{len(problems)} of {len(records)} {what} pictures are left out")
    return good
