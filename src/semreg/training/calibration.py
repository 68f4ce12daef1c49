"""What is chosen when the weights are done: how tag scores are put together, and from where on they count."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, SPECIAL, START, STOP
from semreg.decoding import beam_search, search_for
from semreg.decoding.tag_scores import combine, evidence, evidence_of_paths
from semreg.evaluation import choose_threshold, fit_logistic, fit_scale
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding
from semreg.model_config import ConceptScaleConfig, ModelConfig, TagScoreConfig
from semreg.training.examples import Examples
from semreg.training.recipe import Recipe
from semreg.training.validation import BATCH, slice_encoding


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
    metric, per = (wanted, recipe.tags.per) if isinstance(wanted, str) else ("O-F1", "all")
    threshold = choose_threshold(concepts, validation.truth, metric, per, counts.concepts)
    slope, offset = fit_scale(concepts, validation.truth, threshold)
    changes: dict[str, object] = {
        "beams": recipe.beams,
        "concept_threshold": threshold,
        "concept_scale": ConceptScaleConfig(slope=slope, offset=offset) if config.supervised else None,
    }
    labels = validation.labels
    if "tags" in config.decoders and labels is not None and counts.labels is not None:
        path = path_scores(model, config, seen, recipe.beams, recipe.tags.paths)
        known = known_concepts(config, concepts)
        a, b, c = weights = fit_weights(path, known, labels)

        choose = partial(choose_threshold, true=labels, counts=counts.labels)
        changes["tag_score"] = TagScoreConfig(
            path=a,
            concept=b,
            bias=c,
            paths=recipe.tags.paths,
            threshold=choose(combine(path, known, weights), wanted=wanted, per=recipe.tags.per, lift=recipe.tags.lift),
            head=None if known is None else choose(known, wanted=metric, per=per),
        )
    return config.model_copy(update=changes)


def fit_weights(path: Tensor, concepts: Tensor | None, truth: Tensor) -> tuple[float, float, float]:
    """Fit the weights of `combine` by logistic regression, all labels pooled.

    Args:
        path: (N, L), as in `combine`.
        concepts: (N, L), or None.
        truth: (N, L), 0 or 1.

    Returns:
        w_path, w_concept, bias; w_concept is 0 without concepts.
    """
    x = evidence(path, concepts).double().flatten(0, 1).numpy()  # (N * L, 3)
    a, b, c = fit_logistic(x, truth.double().flatten().numpy(), start=(1.0, 0.0, 0.0), ridge=(1e-3,) * 3).tolist()
    return a, b, c


def path_scores(model: CnnRnn, config: ModelConfig, seen: Encoding, beams: int, paths: int) -> Tensor:
    """How probable the RNN finds every label, (N, L): see `evidence_of_paths`."""
    decoder, scores = model.decoder("tags"), []
    search = search_for(
        "tags",
        max_length=config.decoders["tags"].max_length,
        never=NEVER_PRODUCED,
        beams=beams,
        n_best=min(paths, beams),
    )
    for first in range(0, len(seen.concepts), BATCH):
        part = slice_encoding(seen, first, first + BATCH)
        found = beam_search(decoder, part, search, start=START, stop=STOP, padding=PADDING, evidence=True)
        scores.append(evidence_of_paths(found)[:, len(SPECIAL) :].float().cpu())
    return torch.cat(scores)


def known_concepts(config: ModelConfig, concepts: Tensor) -> Tensor | None:
    """The concept layer's probability of each label, (N, L); None where it was not taught or lacks a label."""
    index = config.concept_vocabulary().of_token(config.decoders["tags"].words)
    return concepts[:, index] if config.supervised and min(index) >= 0 else None
