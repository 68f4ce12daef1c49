"""A model against a data set's truth: tags by every set it could tell, captions by the usual metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semreg.annotator import Annotator, Options
from semreg.data.records import Record
from semreg.errors import SemregError
from semreg.evaluation import (
    caption_scores,
    diversity,
    expected_calibration_error,
    mean_average_precision,
    tagging_scores,
    top_k,
)

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def evaluate(
    annotator: Annotator,
    records: Sequence[Record],
    options: Options | None = None,
    done: Callable[[int], None] = lambda count: None,
) -> dict[str, Any]:
    """Annotate the pictures of `records` and compare with their tags and captions.

    Args:
        annotator: the model.
        records: pictures with their truth; tags and captions may each be missing.
        options: how to annotate.
        done: called with the count of pictures after each batch.

    Returns:
        `model`, `pictures`, `unreadable` (a sentence each), and where model and data have them `tags` (a row for
        the model's own set, the RNN's path, the concept layer and the top 3, with mAP and calibration error) and
        `captions` (the metrics, and how varied they are).

    Raises:
        SemregError: no picture can be read, or the data has neither tags nor captions that the model writes.
    """
    options = options or Options()
    readable: list[Record] = []
    problems: list[str] = []
    predictions = []
    position = 0
    for batch in annotator.read([record.path for record in records], options.batch_size):
        for _, problem in batch.sources:
            if problem is None:
                readable.append(records[position])
            else:
                problems.append(problem)
            position += 1
        if len(batch.pictures):
            predictions.append(annotator.predict(annotator.encode(batch.pictures), options))
        done(len(batch.sources))
    if not readable:
        raise SemregError(f"none of the {len(records)} pictures can be read (first: {problems[0]}): check the set")
    result: dict[str, Any] = {
        "model": annotator.name,
        "beams": options.beams,
        "pictures": len(readable),
        "unreadable": problems,
    }
    truth = _true_tags(annotator, readable)
    if annotator.labels and any(truth):
        concepts = torch.cat([p.concepts for p in predictions]).double().cpu().numpy()
        scores = torch.cat([p.tag_scores for p in predictions if p.tag_scores is not None]).double().cpu().numpy()
        paths = [path for p in predictions for path in p.tag_path or []]
        result["tags"] = _tags(annotator, truth, scores, paths, concepts)
    if "caption" in annotator.config.decoders and any(record.captions for record in readable):
        texts = [text for p in predictions for text in annotator.sentences(p)]
        result["captions"] = _captions(texts, readable)
    if not {"tags", "captions"} & set(result):
        raise SemregError(f"the data has neither tags nor captions that {annotator.name} writes: check the split")
    return result


def _true_tags(annotator: Annotator, records: Sequence[Record]) -> list[list[str]]:
    """What the model's tag decoder should have written of each picture."""
    if annotator.config.tag_source == "labels":
        return [list(record.tags) for record in records]
    vocabulary = annotator.config.concept_vocabulary()
    return [[vocabulary.names[i] for i in vocabulary.find(r.tags, r.captions)] for r in records]


def _tags(
    annotator: Annotator,
    truth: Sequence[Sequence[str]],
    scores: Floats,
    paths: Sequence[Sequence[int]],
    concepts: Floats,
) -> dict[str, Any]:
    config = annotator.config
    # Labels that the model never met count as missed: they are columns that it leaves at 0.
    unknown = sorted({label for row in truth for label in row} - set(annotator.labels))
    column = {label: index for index, label in enumerate([*annotator.labels, *unknown])}
    true = np.zeros((len(truth), len(column)), dtype=bool)
    path = np.zeros_like(true)
    for row, labels in enumerate(truth):
        true[row, [column[label] for label in labels]] = True
        path[row, list(paths[row])] = True

    def padded(values: Floats) -> Floats:
        return np.pad(values, ((0, 0), (0, len(unknown))))

    floor = np.array([*config.tag_thresholds(), *[0.5] * len(unknown)])
    rows = {
        "own": tagging_scores(padded(scores) >= floor, true),
        "path": tagging_scores(path, true),
        "top 3": tagging_scores(top_k(padded(scores), min(3, len(column))), true),
    }
    result: dict[str, Any] = {
        "mAP": mean_average_precision(padded(scores), true),
        "ECE": expected_calibration_error(padded(scores), true),
        "labels unknown to the model": len(unknown),
    }
    index = config.concept_vocabulary().of_token(annotator.labels)
    if config.supervised and min(index) >= 0:
        seen = padded(concepts[:, index])
        own = np.array([*np.array(config.concept_thresholds())[index], *[0.5] * len(unknown)])
        rows["concepts"] = tagging_scores(seen >= own, true)
        rows["concepts at 0.5"] = tagging_scores(seen >= 0.5, true)
        result["concept mAP"] = mean_average_precision(seen, true)
    return {"sets": rows, **result}


def _captions(texts: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
    told = [(text, record.captions) for text, record in zip(texts, records, strict=True) if record.captions]
    predictions = [text for text, _ in told]
    variety = diversity(predictions)
    return {
        **caption_scores(predictions, [captions for _, captions in told]).corpus,
        "references": sum(len(captions) for _, captions in told) / len(told),
        "distinct": variety.distinct,
        "vocabulary": variety.vocabulary,
        "mean length": variety.mean_length,
    }
