"""The stage that teaches language alone: the caption decoder on captions of which there are no pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from semreg.data.captions_alone import read_captions_alone
from semreg.data.concepts import Concepts
from semreg.data.vocabulary import PADDING, Vocabulary, words_of
from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.training.examples import multi_hot, padded
from semreg.training.imagination import Imagination
from semreg.training.memory_stages import FromMemory
from semreg.training.path_loss import path_loss
from semreg.training.recipe_stages import LanguageStage
from semreg.training.setting import Setting

UNKNOWN_WORDS = 1  # that a caption may have


class Language(FromMemory):
    """Before stage 2: the caption decoder on captions alone, and what the CNN would see in their pictures."""

    def __init__(self, name: str, settings: LanguageStage, setting: Setting, model: CnnRnn) -> None:
        super().__init__(name, settings, setting, model, ("caption",))
        self.settings = settings
        concepts, words = setting.concepts, Vocabulary(setting.words["caption"])
        told = told_alone(settings, concepts, words, setting.max_lengths["caption"])
        self.paths = [words.path(sentence) for sentence, _ in told]
        setting.log.event("captions alone", stage=name, captions=len(told))
        named = multi_hot([of_caption for _, of_caption in told], len(concepts))
        mentioned = multi_hot([concepts.find((), captions) for captions in setting.train.captions], len(concepts))
        device = setting.device
        truth = setting.train.truth.to(device)
        self.imagination = Imagination(named.to(device), truth, mentioned.to(device), self.views)
        self.measure()

    def examples(self) -> int:
        """One a caption."""
        return len(self.paths)

    def batches(self, epoch: int, chosen: Sequence[Sequence[int]]) -> Iterator[Any]:
        """Encodings of imagined pictures, and paths."""
        for indices in chosen:
            paths = padded([self.paths[index] for index in indices], PADDING)
            yield self.imagination.see(indices), {"caption": paths.to(self.setting.device)}

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """L_r."""
        encoding, paths = batch
        return path_loss(model(encoding, paths, False), self.setting, self.settings.smoothing)


def told_alone(
    settings: LanguageStage, concepts: Concepts, words: Vocabulary, longest: int
) -> list[tuple[list[str], list[int]]]:
    """The captions that can be learnt from: their words, and the concepts that they name.

    Those with more than one word that the decoder does not know are left out, and those that name no concept.

    Raises:
        SemregError: none is left.
    """
    sentences = [words_of(text)[:longest] for text in read_captions_alone(settings.captions)]
    known = [s for s in sentences if sum(word not in words for word in s) <= UNKNOWN_WORDS]
    told = [(s, concepts.find((), (" ".join(s),))) for s in known]
    if not (told := [(sentence, named) for sentence, named in told if named]):
        raise SemregError(
            f"of {len(sentences)} captions without pictures none speaks of the model's concepts in its words: take "
            "captions in the language of the training set's"
        )
    return told
