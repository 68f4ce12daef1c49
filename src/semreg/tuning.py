"""Thresholds for a model that exists: chosen again on pictures with known tags, for the metric that somebody wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from semreg.annotator import Annotator
from semreg.data.records import Record
from semreg.errors import SemregError
from semreg.evaluate import predict, tag_tables, true_tags
from semreg.evaluation import choose_threshold, expected_calibration_error, fit_scale, tagging_scores
from semreg.model_config import ConceptScaleConfig, ModelConfig, TagScoreConfig
from semreg.options import Options

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tuned:
    """A configuration with new thresholds, and what they changed.

    Attributes:
        config: to be saved in place of the model's.
        before: `tagging_scores` of the tags, of the concepts (with "ECE", the calibration error as shown), and of the
            labels that the concept layer alone tells ("head"), with the old thresholds.
        after: the same with the new ones.
    """

    config: ModelConfig
    before: dict[str, dict[str, float]]
    after: dict[str, dict[str, float]]


def tune(
    annotator: Annotator,
    records: Sequence[Record],
    known: Sequence[Record],
    *,
    wanted: str | float = "mean",
    per: str = "all",
    lift: float = 1.0,
    keep: bool = False,
    options: Options | None = None,
    done: Callable[[int], None] = lambda count: None,
) -> Tuned:
    """Choose the thresholds of a model's tags and concepts on pictures whose tags are known.

    Args:
        annotator: the model.
        records: to choose on; better not the ones it was trained on, and never those it is judged by.
        known: whose tags say how frequent each class is, for `per` "frequency": the training pictures.
        wanted: a metric to maximise, see `semreg.evaluation.tune_threshold`; or the probability that a tag needs, which
            leaves the concepts' thresholds and those of the concept layer alone as they are.
        per: "all", "frequency" or "class"; see `semreg.evaluation.choose_threshold`.
        lift: with a probability per class, see `semreg.evaluation.thresholds_at`.
        keep: keep all thresholds, and fit only the probabilities that are shown of concepts.
        options: how to annotate; the model keeps the width of the search.
        done: called with the count of pictures after each batch.

    Raises:
        SemregError: no picture can be read, or the data has no tags that the model tells.
    """
    predictions = predict(annotator, records, options, done)
    config = annotator.config
    changes: dict[str, object] = {"beams": predictions.beams}
    tables: dict[str, tuple[Floats, Bools]] = {}
    if config.supervised:
        tables["concepts"] = predictions.concepts, _concepts(config, predictions.records)
    if (tags := tag_tables(annotator, predictions)) is not None:
        known_to_it = slice(len(annotator.labels))  # the columns behind are labels that it never met
        tables["tags"] = tags.scores[:, known_to_it], tags.true[:, known_to_it]
        if tags.concepts is not None:
            tables["head"] = tags.concepts[:, known_to_it], tags.true[:, known_to_it]
    tables = {name: (scores, true) for name, (scores, true) in tables.items() if true.any()}
    if not tables:
        raise SemregError(f"the pictures have no tag or caption that {annotator.name} knows: tune on others")
    of_labels = _label_counts(annotator, known)
    counts = {"concepts": _concepts(config, known).sum(0), "tags": of_labels, "head": of_labels}
    new = [] if keep else [name for name in tables if isinstance(wanted, str) or name == "tags"]
    chosen = {name: choose_threshold(*tables[name], wanted, per, counts[name], lift=lift) for name in new}
    if "concepts" in tables:
        changes["concept_threshold"] = threshold = chosen.get("concepts", config.concept_threshold)
        slope, offset = fit_scale(*tables["concepts"], threshold)
        changes["concept_scale"] = ConceptScaleConfig(slope=slope, offset=offset)
    if "tags" in chosen:
        setting = config.tag_score or TagScoreConfig()
        floors = {"threshold": chosen["tags"], "head": chosen.get("head", setting.head)}
        changes["tag_score"] = setting.model_copy(update=floors)
    tuned = config.model_copy(update=changes)
    return Tuned(tuned, _figures(config, tables), _figures(tuned, tables))


def _figures(config: ModelConfig, tables: dict[str, tuple[Floats, Bools]]) -> dict[str, dict[str, float]]:
    thresholds = {"concepts": config.concept_thresholds(), "tags": config.tag_thresholds()}
    if "head" in tables:
        thresholds["head"] = config.head_thresholds()
    found = {name: tagging_scores(s >= np.array(thresholds[name]), true) for name, (s, true) in tables.items()}
    if "concepts" in tables:
        values, true = tables["concepts"]
        shown = config.scale().shown(torch.from_numpy(values).float()).numpy()
        found["concepts"]["ECE"] = expected_calibration_error(shown, true)
    return found


def _concepts(config: ModelConfig, records: Sequence[Record]) -> Bools:
    """Which concepts each picture has, (N, C)."""
    vocabulary = config.concept_vocabulary()
    table = np.zeros((len(records), len(vocabulary)), dtype=np.bool_)
    for row, record in enumerate(records):
        table[row, vocabulary.find(record.tags, record.captions)] = True
    return table


def _label_counts(annotator: Annotator, records: Sequence[Record]) -> NDArray[np.int64]:
    """How many pictures have each of the tag decoder's labels, (L,)."""
    counts = Counter(label for row in true_tags(annotator, records) for label in row)
    return np.array([counts[label] for label in annotator.labels], dtype=np.int64)
