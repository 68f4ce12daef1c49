"""How good a model is on the validation pictures while it learns: quick figures that choose the best epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, SPECIAL, START, STOP
from semreg.decoding import beam_search, search_for
from semreg.evaluation import CiderD, mean_average_precision, tagging_scores, tokenize
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding
from semreg.training.examples import Examples

BATCH = 256


def validate_concepts(encoding: Encoding, examples: Examples) -> tuple[float, dict[str, float]]:
    """Mean average precision of the concept layer."""
    score = mean_average_precision(encoding.concepts.float().cpu().numpy(), examples.truth.numpy() > 0.5)
    return score, {"concept mAP": score}


def validate_forms(
    model: CnnRnn,
    encoding: Encoding,
    examples: Examples,
    max_lengths: Mapping[str, int],
    words: Mapping[str, Sequence[str]],
    forms: Sequence[str],
) -> tuple[float, dict[str, float]]:
    """Greedy decoding: for tags the mean of both F1 of the path, for captions CIDEr-D.

    Returns:
        The mean over the forms, to be maximised; and all figures.
    """
    metrics: list[float] = []
    figures: dict[str, float] = {}
    for form in forms:
        sequences = decode(model, form, encoding, max_lengths[form])
        if form == "tags":
            assert examples.labels is not None
            scores = tagging_scores(membership(sequences, examples.labels.shape[1]), examples.labels.numpy() > 0.5)
            figures |= {"O-F1": scores["O-F1"], "C-F1": scores["C-F1"]}
            metrics.append((scores["O-F1"] + scores["C-F1"]) / 2)
        else:
            told = [(i, row) for i, row in enumerate(sequences) if examples.captions[i]]
            references = [[tokenize(text) for text in examples.captions[i]] for i, _ in told]
            texts = [tokenize(" ".join(words[form][t - len(SPECIAL)] for t in row)) for _, row in told]
            figures["CIDEr-D"] = float(np.mean(CiderD(references).score(texts)))
            metrics.append(figures["CIDEr-D"])
    return float(np.mean(metrics)), figures


def decode(model: CnnRnn, form: str, encoding: Encoding, max_length: int, beams: int = 1) -> list[list[int]]:
    """The best sequence of each of N pictures, as tokens without start and stop."""
    search = search_for(form, max_length=max_length, never=NEVER_PRODUCED, beams=beams)
    sequences: list[list[int]] = []
    for first in range(0, len(encoding.concepts), BATCH):
        part = slice_encoding(encoding, first, first + BATCH)
        found = beam_search(model.decoder(form), part, search, start=START, stop=STOP, padding=PADDING)
        sequences += [best[0] for best in found.lists()]
    return sequences


def slice_encoding(encoding: Encoding, first: int, end: int) -> Encoding:
    """The pictures first..end - 1."""
    return Encoding(encoding.features[first:end], encoding.logits[first:end], encoding.concepts[first:end])


def membership(sequences: Sequence[Sequence[int]], labels: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which labels each sequence holds, (N, L)."""
    found: Tensor = torch.zeros(len(sequences), labels, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        found[row, [token - len(SPECIAL) for token in sequence]] = True
    return found.numpy()
