"""A model against a data set's truth: tags by every set it could tell, captions by the usual metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semreg.annotator import Annotator
from semreg.data.records import Record
from semreg.errors import SemregError
from semreg.evaluation import (
    CaptionReport,
    caption_report,
    expected_calibration_error,
    mean_average_precision,
    tagging_scores,
    top_k,
)
from semreg.options import Options
from semreg.prediction import Prediction

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predictions:
    """What a model says of the N pictures of a set that can be read, in plain numbers and words.

    Attributes:
        model: NAME@HASH.
        beams: width of the search.
        candidates: captions that the best was chosen from.
        records: the pictures with their truth.
        problems: for each picture that cannot be read a sentence that says why.
        concepts: (N, C) probability of every concept.
        tag_scores: (N, L) probability of every label; None without a tag decoder.
        tag_paths: the labels on the RNN's best path, for each picture; None without a tag decoder.
        captions: the best sentence of each picture; None without a caption decoder.
        ended: whether the model put a stop behind it, rather than reaching the length limit.
    """

    model: str
    beams: int
    candidates: int
    records: list[Record]
    problems: list[str]
    concepts: Floats
    tag_scores: Floats | None
    tag_paths: list[list[int]] | None
    captions: list[str] | None
    ended: list[bool] | None


@dataclass(frozen=True)
class Tags:
    """Truth and predicted tags of N pictures as tables.

    Attributes:
        labels: names of the K classes: the model's labels, then those that it never met.
        unknown: how many the model never met; it leaves them at 0, so they count as missed.
        true: (N, K) what it should have told.
        own: (N, K) what it tells.
        path: (N, K) the labels on the RNN's path.
        scores: (N, K) probabilities in 0..1.
        concepts: (N, K) probabilities of the concept layer; None where labels are no concepts, or untaught ones.
        concept_floors: (K,) the concept layer's thresholds for these labels; None likewise.
        seen: (N, K) concepts above their threshold; None likewise.
    """

    labels: tuple[str, ...]
    unknown: int
    true: Bools
    own: Bools
    path: Bools
    scores: Floats
    concepts: Floats | None
    concept_floors: Floats | None
    seen: Bools | None


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
        done: called with the count of pictures after each group of batches.

    Returns:
        `model`, `pictures`, `unreadable` (a sentence each), and where model and data have them `tags` (a row for
        the model's own set, the RNN's path, the concept layer and the top 3, with mAP and calibration error) and
        `captions` (the metrics, and how varied they are); `alarm`, a sentence, where one caption takes over.

    Raises:
        SemregError: no picture can be read, or the data has neither tags nor captions that the model writes.
    """
    return compare(annotator, predict(annotator, records, options, done))


def predict(
    annotator: Annotator,
    records: Sequence[Record],
    options: Options | None = None,
    done: Callable[[int], None] = lambda count: None,
) -> Predictions:
    """Annotate the pictures of `records`, each once.

    Args:
        annotator: the model.
        records: pictures with their truth.
        options: how to annotate.
        done: called with the count of pictures after each group of batches.

    Raises:
        SemregError: no picture can be read.
    """
    options = options or Options()
    readable: list[Record] = []
    problems: list[str] = []
    predictions: list[Prediction] = []
    position = 0
    paths = [record.path for record in records]
    for read, found in annotator.in_groups(paths, options.batch_size, lambda seen, _: annotator.predict(seen, options)):
        for _, problem in read:
            if problem is None:
                readable.append(records[position])
            else:
                problems.append(problem)
            position += 1
        predictions += [] if found is None else [found]
        done(len(read))
    if not readable:
        raise SemregError(f"none of the {len(records)} pictures can be read (first: {problems[0]}): check the set")
    scores = [p.tag_scores for p in predictions if p.tag_scores is not None]
    told = [p.captions for p in predictions if p.captions is not None]
    return Predictions(
        model=annotator.name,
        beams=annotator.beams(options),
        candidates=annotator.candidates(options),
        records=readable,
        problems=problems,
        concepts=torch.cat([p.concepts for p in predictions]).double().cpu().numpy(),
        tag_scores=torch.cat(scores).double().cpu().numpy() if scores else None,
        tag_paths=[path for p in predictions for path in p.tag_path or []] if scores else None,
        captions=[text for p in predictions for text in annotator.sentences(p)] if told else None,
        ended=[bool(end) for found in told for end in found.ended[:, 0].tolist()] if told else None,
    )


def compare(annotator: Annotator, predictions: Predictions) -> dict[str, Any]:
    """The figures that `evaluate` returns, of predictions that were made before.

    Raises:
        SemregError: the data has neither tags nor captions that the model writes.
    """
    result: dict[str, Any] = {
        "model": predictions.model,
        "beams": predictions.beams,
        "candidates": predictions.candidates,
        "pictures": len(predictions.records),
        "unreadable": predictions.problems,
    }
    tags, captions = tag_tables(annotator, predictions), score_captions(predictions)
    if tags is not None:
        result["tags"] = _tags(tags)
    if captions is not None:
        result["captions"] = _captions(captions, predictions)
        if captions.variety.alarm:
            result["alarm"] = captions.variety.alarm
    if tags is None and captions is None:
        raise SemregError(f"the data has neither tags nor captions that {annotator.name} writes: check the split")
    return result


def tag_tables(annotator: Annotator, predictions: Predictions) -> Tags | None:
    """Truth and predicted tags as tables; None where the model or the data has none."""
    truth = true_tags(annotator, predictions.records)
    if predictions.tag_scores is None or predictions.tag_paths is None or not any(truth):
        return None
    config = annotator.config
    unknown = sorted({label for row in truth for label in row} - set(annotator.labels))
    column = {label: index for index, label in enumerate([*annotator.labels, *unknown])}
    true = np.zeros((len(truth), len(column)), dtype=bool)
    path = np.zeros_like(true)
    for row, labels in enumerate(truth):
        true[row, [column[label] for label in labels]] = True
        path[row, predictions.tag_paths[row]] = True

    def padded(values: Floats) -> Floats:
        return np.pad(values, ((0, 0), (0, len(unknown))))

    scores = padded(predictions.tag_scores)
    concepts = floors = seen = None
    index = config.concept_vocabulary().of_token(annotator.labels)
    if config.supervised and min(index) >= 0:
        concepts = padded(predictions.concepts[:, index])
        floors = np.array([*config.head_thresholds(), *[0.5] * len(unknown)])
        seen = concepts >= floors
    own = scores >= np.array([*config.tag_thresholds(), *[0.5] * len(unknown)])
    return Tags(tuple(column), len(unknown), true, own, path, scores, concepts, floors, seen)


def score_captions(predictions: Predictions) -> CaptionReport | None:
    """The captions' scores, over the pictures with references; None where the model or the data has no captions."""
    told = captioned(predictions)
    if predictions.captions is None or predictions.ended is None or not told:
        return None
    references = [predictions.records[i].captions for i in told]
    ended = [predictions.ended[i] for i in told]
    return caption_report([predictions.captions[i] for i in told], references, ended=ended)


def captioned(predictions: Predictions) -> list[int]:
    """The pictures that have reference captions."""
    return [i for i, record in enumerate(predictions.records) if record.captions]


def true_tags(annotator: Annotator, records: Sequence[Record]) -> list[list[str]]:
    """What the model's tag decoder should have written of each picture."""
    if annotator.config.tag_source == "labels":
        return [list(record.tags) for record in records]
    vocabulary, tags = annotator.config.concept_vocabulary(), set(annotator.labels)  # a concept need not be a tag
    named = [[vocabulary.names[i] for i in vocabulary.find(r.tags, r.captions)] for r in records]
    return [[name for name in row if name in tags] for row in named]


def _tags(tags: Tags) -> dict[str, Any]:
    rows = {
        "own": tagging_scores(tags.own, tags.true),
        "path": tagging_scores(tags.path, tags.true),
        "top 3": tagging_scores(top_k(tags.scores, min(3, len(tags.labels))), tags.true),
    }
    result: dict[str, Any] = {
        "mAP": mean_average_precision(tags.scores, tags.true),
        "ECE": expected_calibration_error(tags.scores, tags.true),
        "labels unknown to the model": tags.unknown,
    }
    if tags.concepts is not None and tags.seen is not None:
        rows["concepts"] = tagging_scores(tags.seen, tags.true)
        rows["concepts at 0.5"] = tagging_scores(tags.concepts >= 0.5, tags.true)
        rows["concepts top 3"] = tagging_scores(top_k(tags.concepts, min(3, len(tags.labels))), tags.true)
        result["concept mAP"] = mean_average_precision(tags.concepts, tags.true)
    return {"sets": rows, **result}


def _captions(report: CaptionReport, predictions: Predictions) -> dict[str, Any]:
    told = captioned(predictions)
    return {
        **report.scores.corpus,
        "references": sum(len(predictions.records[i].captions) for i in told) / len(told),
        "distinct": report.variety.distinct,
        "vocabulary": report.variety.vocabulary,
        "mean length": report.variety.mean_length,
        "never ended": report.variety.never_ended,
    }
