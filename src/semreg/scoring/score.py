"""`semreg score`: two files in, every figure out, and what could not be matched counted and said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semreg.errors import SemregError
from semreg.evaluation import caption_report, picture_f1, tag_report
from semreg.scoring.matching import match
from semreg.scoring.sources import Row, Source, read_source, training_captions


@dataclass(frozen=True)
class Score:
    """What was found.

    Attributes:
        result: the figures by their usual names, with the counts of what was left out; ready for JSON.
        pictures: a row a picture: its name, prediction, references and figures.
        notes: sentences for whoever reads the figures.
    """

    result: dict[str, Any]
    pictures: list[dict[str, Any]]
    notes: list[str]


@dataclass(frozen=True)
class _Pair:
    """One picture: its name, its references' row or rows, its prediction if there is one."""

    name: str
    references: list[Row]
    prediction: Row | None


def score_captions(
    predictions: Path,
    references: Path,
    *,
    split: str | None = None,
    training: Path | None = None,
    only_predicted: bool = False,
    with_meteor: bool = True,
) -> Score:
    """Score a file of captions against a file of references.

    A picture without prediction, one that could not be read, counts as an empty caption; a prediction for a
    picture that the references do not know, or know without a caption, is left out. Both are counted.

    Args:
        predictions: one caption for each picture; of several (an n-best list) the first is taken.
        references: one or more for each picture.
        split: take only this part of the references.
        training: captions that the model was trained on, to count those told word for word.
        only_predicted: leave out pictures without prediction instead.
        with_meteor: METEOR too, where Java and pycocoevalcap are there.

    Raises:
        SemregError: a file cannot be read, speaks of no captions, or the two have no picture in common.
    """
    known = None if training is None else training_captions(read_source(training))
    pairs, counts, notes = _pairs(
        read_source(predictions), read_source(references), "captions", split, only_predicted, lambda row: row.captions
    )
    told = [(pair.prediction.captions or ("",))[0] if pair.prediction else "" for pair in pairs]
    truth = [[caption for row in pair.references for caption in row.captions or ()] for pair in pairs]
    report = caption_report(told, truth, training=known, with_meteor=with_meteor)
    per_picture = [
        {
            "file_name": pair.name,
            "caption": told[i] if pair.prediction else None,
            **{name: float(values[i]) for name, values in report.scores.per_picture.items()},
            "references": truth[i],
        }
        for i, pair in enumerate(pairs)
    ]
    figures = report.to_dict()
    figures.setdefault("METEOR", None)
    result = {**_heading(predictions, references), **counts, "references": sum(map(len, truth)) / len(truth), **figures}
    return Score(result, per_picture, [*notes, *report.notes])


def score_tags(
    predictions: Path,
    references: Path,
    *,
    split: str | None = None,
    thresholds: Sequence[float] = (),
    top: int = 3,
    only_predicted: bool = False,
) -> Score:
    """Score a file of tags against a file of true tags.

    A picture without prediction, one that could not be read, counts as one without tags; a prediction for a
    picture that the references do not know, or know without a list of tags, is left out. Both are counted. The
    classes are all labels of both files. A label that a prediction does not list has the score 0.

    Args:
        predictions: tags of each picture, with or without scores.
        references: the true tags.
        split: take only this part of the references.
        thresholds: also report the tags with a score from each of these on.
        top: also report the tags with the so many highest scores.
        only_predicted: leave out pictures without prediction instead.

    Raises:
        SemregError: a file cannot be read, speaks of no tags, the two have no picture in common, or only some tags
            have scores.
    """
    truth = read_source(references)
    told = read_source(predictions, truth.categories)
    pairs, counts, notes = _pairs(told, truth, "tags", split, only_predicted, lambda row: row.tags)
    right = [{label for row in pair.references for label, _ in row.tags or ()} for pair in pairs]
    given = [dict(pair.prediction.tags or ()) if pair.prediction else {} for pair in pairs]
    labels = sorted({*truth.categories.values(), *(label for row in [*right, *given] for label in row)})
    listed = [score for row in given for score in row.values()]
    scored = bool(listed) and None not in listed
    if not scored and any(score is not None for score in listed):
        raise SemregError(f"either all tags in {predictions} must have a score or none: add or take away scores")
    column = {label: k for k, label in enumerate(labels)}
    true, predicted = _table(right, column), _table(given, column)
    scores = np.zeros(true.shape)
    for row, tags in enumerate(given):
        scores[row, [column[label] for label in tags]] = [score or 0.0 for score in tags.values()]
    if not predicted[:, true.any(0)].any():
        notes.append("no predicted label occurs in the references: check that both use the same names")
    if not scored:
        notes.append("the predicted tags have no scores: mAP, calibration, thresholds and top k are left out")
    report = tag_report(labels, true, predicted, scores if scored else None, thresholds=thresholds, top=top)
    f1 = picture_f1(predicted, true)
    per_picture = [
        {"file_name": pair.name, "tags": list(given[i]), "F1": float(f1[i]), "references": sorted(right[i])}
        for i, pair in enumerate(pairs)
    ]
    counts["without true tag"] = int((~true.any(1)).sum())
    counts["empty predictions"] = sum(bool(pair.prediction) and not given[i] for i, pair in enumerate(pairs))
    return Score({**_heading(predictions, references), **counts, **report.to_dict()}, per_picture, notes)


def _table(rows: Sequence[Any], column: dict[str, int]) -> NDArray[np.bool_]:
    """(N, K) which labels each row holds."""
    table = np.zeros((len(rows), len(column)), dtype=bool)
    for number, labels in enumerate(rows):
        table[number, [column[label] for label in labels]] = True
    return table


def _heading(predictions: Path, references: Path) -> dict[str, Any]:
    return {"predictions": predictions.name, "against": references.name}


def _pairs(
    told: Source,
    truth: Source,
    what: str,
    split: str | None,
    only_predicted: bool,
    content: Callable[[Row], tuple[Any, ...] | None],
) -> tuple[list[_Pair], dict[str, Any], list[str]]:
    """The pictures with their predictions, the counts of those without, and a sentence for each such count."""
    rows = _of_split(truth, split)
    pictures: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        pictures.setdefault(row.names, []).append(row)
    answers = [row for row in told.rows if row.failed or content(row) is not None]
    # As truth an empty list of tags says something, an empty list of captions nothing.
    useful = [row for row in rows if content(row) or (content(row) is not None and what == "tags")]
    for source, spoken in ((truth, useful), (told, answers)):
        if not spoken:
            raise SemregError(f"{source.path} speaks of no {what}: check that it is the right file")
    found = match([*pictures], [row.names for row in answers])
    known = {row.names for row in useful}
    pairs = [
        _Pair(names[0], references, None if number is None or answers[number].failed else answers[number])
        for (names, references), number in zip(pictures.items(), found.of_picture, strict=True)
        if names in known
    ]
    bare = len(pictures) - len(pairs)
    missing = [pair.name for pair in pairs if pair.prediction is None]
    if len(missing) == len(pairs):
        raise SemregError(
            f"{told.path} and {truth.path} have no picture in common ({answers[0].names[0]!r} and "
            f"{next(iter(pictures))[0]!r} are their first): both must name pictures by the same file name or image id"
        )
    if only_predicted:
        pairs = [pair for pair in pairs if pair.prediction is not None]
    counts = {
        "pictures": len(pairs),
        "without prediction": len(missing),
        "unknown pictures": len(found.unknown),
        "without reference": bare,
    }
    unknown = [answers[number].names[0] for number in found.unknown]
    fate = "are left out" if only_predicted else f"count as an empty {'caption' if what == 'captions' else 'set'}"
    notes = [
        f"{_many(len(names), 'picture' if names is missing else 'prediction')} {text} (the first: {names[0]!r})"
        for names, text in (
            (missing, f"without prediction: they {fate}"),
            (unknown, "for unknown pictures: they are left out"),
        )
        if names
    ]
    if bare:
        notes.append(f"{_many(bare, 'picture')} without {what} in the references: they are left out")
    return pairs, counts, notes


def _many(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _of_split(source: Source, split: str | None) -> list[Row]:
    rows = [row for row in source.rows if split is None or row.split == split]
    if not rows:
        known = ", ".join(sorted({row.split for row in source.rows if row.split})) or "none"
        raise SemregError(f"{source.path} has no split {split!r}: it has {known}")
    return rows
