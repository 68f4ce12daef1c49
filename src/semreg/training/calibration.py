"""What is chosen when the weights are done: how tag scores are put together, and from where on they count."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semreg.data.vocabulary import PADDING, SPECIAL, START
from semreg.decoding.tag_scores import calibrate, combine
from semreg.evaluation import choose_threshold
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.decoder import path_probabilities
from semreg.model.interfaces import Encoding
from semreg.model_folder import ModelConfig, TagScoreConfig
from semreg.training.examples import Examples
from semreg.training.recipe import Recipe
from semreg.training.validation import BATCH, decode, slice_encoding


@dataclass(frozen=True)
class Counts:
    """How many training pictures have each concept (K,), and each label of the tag decoder (L,)."""

    concepts: Tensor
    labels: Tensor | None


def calibrated(
    model: CnnRnn, config: ModelConfig, seen: Encoding, validation: Examples, counts: Counts, recipe: Recipe
) -> ModelConfig:
    """The configuration with tag scores and thresholds chosen on the validation pictures.

    Args:
        model: with its final weights.
        config: of the model.
        seen: the validation pictures' encodings.
        validation: their truth.
        counts: of the training pictures.
        recipe: says which F1 the thresholds serve, or gives the tags' threshold itself.
    """
    model.eval()
    concepts = seen.concepts.float().cpu()
    wanted = recipe.tags.threshold
    metric = wanted if isinstance(wanted, str) else "O-F1"
    changes: dict[str, object] = {
        "concept_threshold": choose_threshold(concepts, validation.truth, metric, recipe.tags.per, counts.concepts)
    }
    if "tags" in config.decoders and validation.labels is not None and counts.labels is not None:
        path = path_scores(model, config, seen, recipe.beams)
        known = known_concepts(config, concepts)
        a, b, c = weights = calibrate(path, known, validation.labels)
        threshold: float | tuple[float, ...]
        if isinstance(wanted, str):
            scores = combine(path, known, weights)
            threshold = choose_threshold(scores, validation.labels, wanted, recipe.tags.per, counts.labels)
        else:
            threshold = wanted
        changes["tag_score"] = TagScoreConfig(path=a, concept=b, bias=c, threshold=threshold)
    return config.model_copy(update=changes)


def path_scores(model: CnnRnn, config: ModelConfig, seen: Encoding, beams: int) -> Tensor:
    """The largest probability of every label over the steps of the path that the search takes, (N, L)."""
    sequences = decode(model, "tags", seen, config.decoders["tags"].max_length, beams)
    scores = []
    for first in range(0, len(sequences), BATCH):
        part = sequences[first : first + BATCH]
        length = max(len(row) for row in part) + 1
        tokens = torch.tensor([[START, *row] + [PADDING] * (length - 1 - len(row)) for row in part])
        lengths = torch.tensor([len(row) + 1 for row in part])
        encoding = slice_encoding(seen, first, first + BATCH)
        device = encoding.concepts.device
        found = path_probabilities(model.decoder("tags"), encoding, tokens.to(device), lengths.to(device))
        scores.append(found[:, len(SPECIAL) :].float().cpu())
    return torch.cat(scores)


def known_concepts(config: ModelConfig, concepts: Tensor) -> Tensor | None:
    """The concept layer's probability of each label, (N, L); None where it was not taught or lacks a label."""
    index = config.concept_vocabulary().of_token(config.decoders["tags"].words)
    return concepts[:, index] if config.supervised and min(index) >= 0 else None
