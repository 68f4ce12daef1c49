"""The explanation of one annotation: reasons for its tags and words, and where RNN and concept layer disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semreg.annotation import Annotation
from semreg.data.vocabulary import SPECIAL, START
from semreg.decoding import Hypotheses
from semreg.decoding.tag_scores import combine
from semreg.explanation import Explanation, Influence, Overruled, TagReason, WordReason
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_config import ModelConfig, TagScoreConfig
from semreg.steering.reasons import path_evidence, strongest, without_each, word_log_probabilities
from semreg.steering.switches import Switched

COUNT, LEAST = 4, 0.05  # influences that are told of each tag or word; smaller ones are no reason
MARGIN = 1e-6


@dataclass(frozen=True)
class Explained:
    """What is to be explained, and by whom.

    Attributes:
        annotation: with its tags and caption.
        switched: its concepts.
        told: the concept values that the decoders got, (K,).
        model: in evaluation mode.
        config: its description.
        name: NAME@HASH.
    """

    annotation: Annotation
    switched: Switched
    told: Tensor
    model: CnnRnn
    config: ModelConfig
    name: str

    def influences(self, effects: Tensor, *, sign: int = 0, beside: int = -1) -> tuple[Influence, ...]:
        """The strongest of K effects, with names."""
        shown = self.switched.shown()
        return tuple(
            Influence(self.config.concepts[each.place], float(shown[each.place]), each.size)
            for each in strongest(effects, COUNT, LEAST, sign=sign, beside=beside)
        )


def explain(what: Explained, tag_paths: Hypotheses | None) -> Explanation:
    """Explain one annotation.

    Args:
        what: the annotation and the model.
        tag_paths: the label paths that its tags came from; None without a tag decoder.
    """
    tags, overruled = _tags(what, tag_paths) if tag_paths is not None else ((), ())
    caption = what.annotation.caption
    return Explanation(
        file_name=what.annotation.file_name,
        caption=caption.text if caption else None,
        tags=tags,
        words=_words(what, caption.text.split()) if caption and "caption" in what.config.decoders else (),
        overruled=overruled,
        model=what.name,
    )


def _words(what: Explained, words: Sequence[str]) -> tuple[WordReason, ...]:
    vocabulary = what.config.vocabulary("caption")
    concepts = what.config.concept_vocabulary().of_token(words)
    decoder = what.model.decoder("caption")
    tokens = [START, *(vocabulary.token(word) for word in words)]
    told = word_log_probabilities(decoder, without_each(what.told, decoder), tokens)  # (K + 1, T)
    effects = told[0] - told[1:]  # (K, T)
    return tuple(
        WordReason(
            word=word,
            position=t,
            probability=float(told[0, t].exp()),
            concept=what.config.concepts[concept],
            influences=what.influences(effects[:, t]),
        )
        for t, (word, concept) in enumerate(zip(words, concepts, strict=True))
        if concept >= 0
    )


def _tags(what: Explained, found: Hypotheses) -> tuple[tuple[TagReason, ...], tuple[Overruled, ...]]:
    scores = _tag_scores(what, found)  # (K + 1, L)
    odds = scores.clamp(MARGIN, 1 - MARGIN).logit()
    effects = odds[0] - odds[1:]  # (K, L)
    labels = what.config.decoders["tags"].words
    place = {label: i for i, label in enumerate(labels)}
    told = [place[tag.label] for tag in what.annotation.tags if tag.label in place]
    reasons = [TagReason(labels[i], float(scores[0, i]), what.influences(effects[:, i])) for i in told]
    return tuple(reasons), _overruled(what, scores[0], effects, set(told))


def _tag_scores(what: Explained, found: Hypotheses) -> Tensor:
    """The score of each label, as it is and with each concept left out: (K + 1, L)."""
    decoder, config = what.model.decoder("tags"), what.config
    setting = config.tag_score or TagScoreConfig()
    encoding = without_each(what.told, decoder)
    paths = [[START, *path] for path in found.lists()[0]]
    paid = found.lengths[0, : len(paths)] + found.ended[0, : len(paths)]
    weights = (found.scores[0, : len(paths)] * paid).softmax(0)
    evidence = path_evidence(decoder, encoding, paths, weights)[:, len(SPECIAL) :]
    index = config.concept_vocabulary().of_token(config.decoders["tags"].words)
    concepts = encoding.concepts[:, index] if min(index) >= 0 else None
    return combine(evidence, concepts, (setting.path, setting.concept, setting.bias))


def _overruled(what: Explained, scores: Tensor, effects: Tensor, told: set[int]) -> tuple[Overruled, ...]:
    labels = what.config.decoders["tags"].words
    index = what.config.concept_vocabulary().of_token(labels)
    if min(index) < 0:
        return ()
    floors, scale = torch.tensor(what.config.head_thresholds()), what.switched.scale
    above = (what.switched.set()[index] >= floors).tolist()
    shown, floors = what.switched.shown(), scale.shown(floors, index)
    differ = [i for i in scores.argsort(descending=True).tolist() if (i in told) != above[i]]
    return tuple(
        Overruled(
            label=labels[i],
            score=float(scores[i]),
            told=i in told,
            seen=float(shown[index[i]]),
            threshold=float(floors[i]),
            influences=what.influences(effects[:, i], sign=1 if i in told else -1, beside=index[i]),
        )
        for i in differ
    )
