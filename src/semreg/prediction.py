"""From what was seen to tags and captions in numbers: both decoders' searches, and who chooses among what they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, SPECIAL, START, STOP
from semreg.decoding import Hypotheses, beam_search, search_for
from semreg.decoding.constraints import IMPOSSIBLE
from semreg.decoding.general import generalise
from semreg.decoding.generator import Generator
from semreg.decoding.tag_scores import combine, evidence_of_paths
from semreg.model.consensus import Consensus
from semreg.model.interfaces import Encoding
from semreg.model_config import Form, ModelConfig, TagScoreConfig
from semreg.options import Options
from semreg.steering import Wording, general_words, grounding_of, word_rules

EXTRA = 2  # times as many captions as are wanted are said in general: of those that become the same one stays
TOKENS = {"start": START, "stop": STOP, "padding": PADDING}


@dataclass(frozen=True)
class Prediction:
    """What the model says of B pictures, in numbers.

    Attributes:
        concepts: s_hat, (B, K).
        tag_path: the labels on the RNN's best path, for each picture; None without a tag decoder.
        tag_scores: calibrated probability of every label, (B, L); None without a tag decoder.
        captions: the n-best sentences; None without a caption decoder.
    """

    concepts: Tensor
    tag_path: list[list[int]] | None
    tag_scores: Tensor | None
    captions: Hypotheses | None


class Predictor:
    """A model's decoders ready for use.

    Args:
        config: of the model.
        generator: gives each form's decoder.
        consensus: what judges captions, or none.
        device: where they compute.
    """

    def __init__(
        self,
        config: ModelConfig,
        generator: Callable[[Form], Generator[Any]],
        consensus: Consensus | None,
        device: torch.device,
    ) -> None:
        self._config, self._generator, self._consensus = config, generator, consensus
        labels = config.decoders["tags"].words if "tags" in config.decoders else ()
        index = config.concept_vocabulary().of_token(labels)
        known = config.supervised and labels and min(index) >= 0
        self._label_concepts = torch.tensor(index, device=device) if known else None
        self._content = config.content("caption")
        self._general = general_words(config)
        grounding = grounding_of(config)
        self._grounding = grounding and grounding.to(device)
        self._scale = config.scale()

    @torch.inference_mode()
    def predict(self, encoding: Encoding, options: Options | None = None, given: Sequence[int] = ()) -> Prediction:
        """Tags and captions; label paths hold the labels that are `given`."""
        options = options or Options()
        path = scores = captions = None
        if "tags" in self._config.decoders:
            path, scores = self._tags(encoding, options, given)
        if "caption" in self._config.decoders:
            captions = self._captions(encoding, options)
        return Prediction(encoding.concepts, path, scores, captions)

    def label_paths(self, encoding: Encoding, options: Options, given: Sequence[int] = ()) -> Hypotheses:
        """The best paths of labels, as many as count for a tag's probability, with the evidence along them."""
        setting, beams = self._config.tag_score or TagScoreConfig(), self.beams(options)
        return self._search("tags", encoding, options, min(setting.paths, beams), given)

    def beams(self, options: Options) -> int:
        """How wide the search is: as the options say, or as the model has it."""
        return max(self._config.beams, options.n_best) if options.beams is None else options.beams

    def candidates(self, options: Options) -> int:
        """How wide the search for captions is, and how many of them the best is chosen from."""
        wanted = self._config.candidates if options.beams is None else None
        return self.beams(options) if wanted is None else max(wanted, options.n_best)

    def wording(self, options: Options, form: Form) -> Wording:
        """What one decoder must and must not say."""
        return word_rules(options.must, options.never, self._config)[form]

    def _tags(self, encoding: Encoding, options: Options, given: Sequence[int]) -> tuple[list[list[int]], Tensor]:
        setting = self._config.tag_score or TagScoreConfig()
        found = self.label_paths(encoding, options, given)
        evidence = evidence_of_paths(found)
        concepts = None if self._label_concepts is None else encoding.concepts[:, self._label_concepts]
        weights = (setting.path, setting.concept, setting.bias)
        scores = combine(evidence[:, len(SPECIAL) :], concepts, weights)  # (B, L)
        return [[token - len(SPECIAL) for token in row[0]] for row in found.lists()], scores

    def _captions(self, encoding: Encoding, options: Options) -> Hypotheses:
        found = self._search("caption", encoding, options, self.candidates(options))
        seen = self._scale.shown(encoding.concepts.clamp(0, 1))
        if found.lengths.shape[1] > 1:
            found = self._ranked(found, encoding, seen)
        if self._general is None:
            return found.first(options.n_best)
        rules, decoder, general = self.wording(options, "caption"), self._generator("caption"), self._general

        def in_general(count: int) -> Hypotheses:
            few = found.first(count)
            told = generalise(few, general, seen, decoder, encoding, rules.tokens, rules.never, **TOKENS)
            return told.first(options.n_best)

        told = in_general(1 if options.n_best == 1 else EXTRA * options.n_best)
        if bool((told.scores == IMPOSSIBLE).any()):  # too many have become the same
            told = in_general(found.lengths.shape[1])
        return told

    def _ranked(self, found: Hypotheses, encoding: Encoding, seen: Tensor) -> Hypotheses:
        """By how likely they are, how much captions of others agree, and how far what is seen bears them out."""
        bonus, chosen = torch.zeros_like(found.scores), self._config.consensus
        if chosen is not None and self._consensus is not None and chosen.weight:
            bonus += chosen.weight * self._consensus(encoding.concepts, found.tokens)
        if self._grounding is not None:
            bonus += self._grounding(seen, found.tokens)
        return found.ranked(bonus, found.lengths.shape[1])

    def _search(
        self, form: Form, encoding: Encoding, options: Options, n_best: int, given: Sequence[int] = ()
    ) -> Hypotheses:
        rules = self.wording(options, form)
        known = [len(SPECIAL) + label for label in given]
        search = search_for(
            form,
            max_length=self._config.decoders[form].max_length,
            never=NEVER_PRODUCED,
            beams=self.candidates(options) if form == "caption" else self.beams(options),
            n_best=n_best,
            once=self._content if form == "caption" else (),  # "a clock tower with a clock tower" tells nothing more
            required=(*rules.must, *(((token,),) for token in known)),
            forbidden=rules.never,
        )
        return beam_search(self._generator(form), encoding, search, **TOKENS, evidence=form == "tags", known=known)
