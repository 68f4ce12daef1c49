"""What the page says, section by section: tags, captions, what the RNN changed, best and worst pictures, learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semreg.evaluate import Predictions, Tags, captioned
from semreg.evaluation import CaptionReport, TagReport, precision_recall
from semreg.report import page
from semreg.report.changes import Change, find_changes
from semreg.report.learning import Learning
from semreg.report.plots import Line, Plot, bars, draw

_SET_COLUMNS = ("C-P", "C-R", "C-F1", "C-F1 mean", "O-P", "O-R", "O-F1", "N+")
_SETS = (
    "The model tells what is probable enough by RNN and concept layer together; beside it the RNN's path alone, the 3 "
)
_SETS += "most probable labels, and the concept layer alone, at its tuned threshold and at 0.5."
_SET_NAMES = {
    "own": "the model",
    "path": "RNN alone",
    "concepts": "concepts",
    "concepts at 0.5": "concepts at 0.5",
    "concepts top 3": "concepts, top 3",
}
_PLOTTED = ("own", "path", "top 3", "concepts")  # the sets that have a mark among the curves
_CURVE_POINTS = 150
_BARS, _IN_A_PLOT = 30, 10  # classes with a bar; the others are in the table
_PICTURES = 8  # best and worst pictures of each
_EXAMPLES = 4  # pairs of labels of which pictures are shown


@dataclass(frozen=True)
class Findings:
    """Everything that the page is made of.

    Attributes:
        result: what `semreg.evaluate.compare` returns.
        predictions: what the model says.
        tags: truth and tags as tables, where there are any.
        tag_report: their figures.
        captions: the captions' figures, where there are any.
        learning: the run's curves, where they are at hand.
    """

    result: dict[str, Any]
    predictions: Predictions
    tags: Tags | None
    tag_report: TagReport | None
    captions: CaptionReport | None
    learning: Learning | None


def overview(found: Findings) -> str:
    """The most important figures, and what must not be overlooked."""
    figures = [(f"{found.result['pictures']:,}", "pictures")]
    if found.tag_report is not None:
        sets = found.result["tags"]["sets"]["own"]
        figures += [(page.percent(sets[name]), f"{name}, percent") for name in ("O-F1", "C-F1")]
        figures += [(page.percent(found.result["tags"]["mAP"]), "mAP, percent")]
    if found.captions is not None:
        scores = found.captions.scores.corpus
        figures += [(f"{scores['CIDEr-D']:.3f}", "CIDEr-D"), (f"{scores['Bleu_4']:.3f}", "BLEU-4")]
    alarms = [page.paragraph(found.result["alarm"], "alarm")] if "alarm" in found.result else []
    problems = found.result["unreadable"]
    if problems:
        many = "1 picture" if len(problems) == 1 else f"{len(problems)} pictures"
        told = f"{many} could not be read, left out of all figures (the first: {problems[0]})"
        alarms.append(page.paragraph(told, "alarm"))
    return page.tiles(figures) + "".join(alarms)


def tag_section(tags: Tags, report: TagReport, sets: dict[str, dict[str, float]]) -> str:
    """Every set of tags in a table, the curves, the classes."""
    rows = [
        [_SET_NAMES.get(name, name), *(f"{row[c]:.0f}" if c == "N+" else page.percent(row[c]) for c in _SET_COLUMNS)]
        for name, row in sets.items()
    ]
    absent = int((report.classes.positives == 0).sum())
    told = f"{len(report.labels) - absent} labels occur in these pictures."
    if absent:
        told += f" {absent} of the model's labels do not and are left out of the means."
    plots = [_precision_recall(tags, sets), _reliability(report), _thresholds(report)]
    return page.section(
        "Tags",
        page.paragraph(f"Percent; C: mean over labels, O: over all answers, N+: labels found at least once. {told}"),
        page.table(["set", *_SET_COLUMNS], rows),
        page.paragraph(_SETS, "hint"),
        f'<div class="plots">{"".join(plots)}</div>',
        _classes(report),
    )


def _precision_recall(tags: Tags, sets: dict[str, dict[str, float]]) -> str:
    lines = [Line("tag scores", _curve(tags.scores, tags.true))]
    if tags.concepts is not None:
        lines.append(Line("concept layer alone", _curve(tags.concepts, tags.true)))
    marks = [(_SET_NAMES.get(name, name), row["O-R"], row["O-P"]) for name, row in sets.items() if name in _PLOTTED]
    return draw(Plot("Precision and recall", "O-R, recall", "O-P, precision", lines, marks, (0, 1), (0, 1)))


def _curve(scores: NDArray[np.float64], true: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """(recall, precision) at evenly spaced recalls."""
    _, precision, recall = precision_recall(scores, true)
    places = np.unique(np.searchsorted(recall, np.linspace(0, recall[-1], _CURVE_POINTS), side="left"))
    places = places[places < len(recall)]
    kept = places[recall[places] > 0]
    return [(float(r), float(p)) for r, p in zip(recall[kept], precision[kept], strict=True)]


def _reliability(report: TagReport) -> str:
    bins = report.reliability
    assert bins is not None  # the model's tags have scores
    kept = np.flatnonzero(bins.counts)
    points = [(float(bins.probability[i]), float(bins.frequency[i])) for i in kept]
    sizes = [1.5 + float(np.log10(bins.counts[i])) for i in kept]
    note = f"Expected calibration error {bins.error:.4f}. The larger a dot, the more answers (logarithmic)."
    lines = [Line("", points, dots=True, sizes=sizes)]
    return draw(
        Plot(
            "Reliability",
            "probability told",
            "share that is right",
            lines,
            (),
            (0, 1),
            (0, 1),
            diagonal=True,
            note=note,
        )
    )


def _thresholds(report: TagReport) -> str:
    lines = [Line(name, [(row["threshold"], row[name]) for row in report.thresholds]) for name in ("O-F1", "C-F1")]
    note = "Tags with a probability from one threshold on, the same for all labels."
    return draw(Plot("F1 over thresholds", "threshold", "F1", lines, (), (0, 1), (0, 1), note=note))


def _classes(report: TagReport) -> str:
    rows = sorted(report.per_class(), key=lambda row: -row["positives"])
    present = [row for row in rows if row["positives"]]
    parts = [
        bars(
            f"Average precision, labels {first + 1} to {min(first + _IN_A_PLOT, len(present))} by frequency",
            [(row["label"], row["AP"], page.percent(row["AP"])) for row in present[first : first + _IN_A_PLOT]],
        )
        for first in range(0, min(len(present), _BARS), _IN_A_PLOT)
    ]
    columns = ("positives", "predicted", "hits")
    cells = [
        [
            row["label"],
            *(str(row[c]) for c in columns),
            *(page.percent(row[c]) for c in ("precision", "recall", "F1", "AP")),
        ]
        for row in rows
    ]
    listing = page.table(["label", *columns, "precision", "recall", "F1", "AP"], cells)
    return f'<div class="plots">{"".join(parts)}</div>' + page.details(f"All {len(rows)} labels", listing)


def caption_section(report: CaptionReport, references: float) -> str:
    """The metrics and how varied the captions are."""
    variety = report.variety
    metrics = [[name, f"{value:.3f}"] for name, value in report.scores.corpus.items()]
    told = [
        ["distinct captions", f"{variety.distinct:,} of {variety.captions:,}"],
        ["different words", f"{variety.vocabulary:,}"],
        ["words a caption", f"{variety.mean_length:.1f}"],
        ["never ended", f"{100 * variety.never_ended:.1f} %"],
        ["the commonest", f"{100 * variety.commonest_share:.1f} %: {variety.commonest}"],
    ]
    return page.section(
        "Captions",
        page.paragraph(
            f"Against {references:g} reference{'s' if references != 1 else ''} a picture. What papers call CIDEr is "
            "CIDEr-D here. The fewer references, the lower every figure: compare only figures of one data set."
        ),
        page.beside(page.table(["metric", "value"], metrics), page.table(["variety", ""], told, words=2)),
    )


def change_section(found: Findings) -> str:
    """Label pairs that the RNN changed against the concept layer, on real pictures."""
    tags = found.tags
    if tags is None or tags.seen is None or tags.concepts is None:
        return ""
    changes = find_changes(tags.seen, tags.path, tags.true)
    summary = (
        f"The CNN judges each concept by itself; the RNN knows which go together. It added {changes.added:,} labels "
        f"({_share(changes.added_right, changes.added)} of them right) and took back {changes.taken:,} "
        f"({_share(changes.taken_right, changes.taken)} of them rightly)."
    )
    kinds = (
        ("Added, beside a label that goes with it", changes.additions, "added"),
        ("Taken back, beside a label that it does not go with", changes.removals, "taken back"),
    )
    tables = [f"<h3>{title}</h3>{_change_table(tags, pairs, verb)}" for title, pairs, verb in kinds if pairs]
    parts = [page.paragraph(summary), page.beside(*tables)]
    parts.append(
        page.paragraph("Lift: how much more often than by chance both are true of one of these pictures.", "hint")
    )
    for title, pairs, verb in kinds:
        shown: set[int] = set()
        examples = [*filter(None, (_example(found, tags, c, verb, shown) for c in pairs[:_EXAMPLES]))]
        if examples:
            parts += [f"<h3>{title.partition(',')[0]}</h3>", page.cards(examples)]
    return page.section("What the RNN changed", *parts)


def _change_table(tags: Tags, pairs: Sequence[Change], verb: str) -> str:
    rows = [
        [tags.labels[c.label], tags.labels[c.beside], str(len(c.pictures)), str(c.right), f"{c.lift:.1f}"]
        for c in pairs
    ]
    return page.table([verb, "beside", "times", "rightly", "lift"], rows, words=2)


def _example(found: Findings, tags: Tags, change: Change, verb: str, shown: set[int]) -> str | None:
    """A card for a picture in which this happened, one that no other card shows."""
    row = next((picture for picture in change.pictures if picture not in shown), None)
    if row is None or tags.concepts is None or tags.concept_floors is None:
        return None
    shown.add(row)
    record, label = found.predictions.records[row], tags.labels[change.label]
    rightly = bool(tags.true[row, change.label]) == (verb == "added")
    sign = "+" if verb == "added" else "−"
    seen, needed = tags.concepts[row, change.label], tags.concept_floors[change.label]
    told = (
        f"{label}, beside {tags.labels[change.beside]}: the concept layer gives it {seen:.1%} and needs {needed:.1%}, "
    )
    told += "the RNN told it all the same" if verb == "added" else "the RNN left it out"
    changed = page.chips([(f"{sign} {label}", "right" if rightly else "wrong")])
    kept = page.chips([(tags.labels[k], "") for k in np.flatnonzero(tags.path[row]) if k != change.label])
    captions = [page.paragraph(caption, "refs") for caption in record.captions[:1]]
    return page.card(record.path, record.file_name, label, changed, page.paragraph(told), kept, *captions)


def picture_section(found: Findings, quality: NDArray[np.float64], rows: Sequence[int], measure: str) -> str:
    """The best and the worst pictures, references beside predictions.

    Args:
        found: everything.
        quality: (n,) how good each is, in the order of `rows`.
        rows: pictures that can be judged.
        measure: what the quality is.
    """
    order = np.argsort(-quality, kind="stable")
    count = min(_PICTURES, len(order) // 2)
    if count == 0:
        return ""
    parts = [page.paragraph(f"By {measure}. Tags: ✓ right, ✗ wrong, – missed.")]
    for title, chosen in (("Best", order[:count]), ("Worst", order[::-1][:count])):
        items = [_judged(found, rows[i], f"{measure}\u00a0{quality[i]:.2f}".replace("-", "\u2011")) for i in chosen]
        parts += [f"<h3>{title}</h3>", page.cards(items)]
    return page.section("Best and worst pictures", *parts)


def _judged(found: Findings, row: int, figure: str) -> str:
    record, parts = found.predictions.records[row], []
    said = found.predictions.captions[row] if found.predictions.captions is not None else ""
    if said:
        parts.append(page.paragraph(said, "said"))
    if found.tags is not None:
        own, true, labels = found.tags.own[row], found.tags.true[row], found.tags.labels
        given = [(labels[k], "right" if true[k] else "wrong") for k in np.flatnonzero(own)]
        parts.append(page.chips([*given, *((labels[k], "missed") for k in np.flatnonzero(true & ~own))]))
    parts += [page.paragraph(f"Reference: {caption}", "refs") for caption in record.captions[:2]]
    return page.card(record.path, f"{record.file_name}, {figure}", said or record.file_name, *parts)


def caption_quality(found: Findings) -> tuple[NDArray[np.float64], list[int]] | None:
    """CIDEr-D of each captioned picture and ROUGE-L to tell equals apart, and which pictures these are."""
    if found.captions is None:
        return None
    each = found.captions.scores.per_picture
    return each["CIDEr-D"] + 1e-6 * each["ROUGE_L"], captioned(found.predictions)


def learning_section(learning: Learning) -> str:
    """Loss and validation metrics over the updates."""
    plots = []
    if learning.loss:
        lines = [Line(stage, points) for stage, points in learning.loss.items()]
        plots.append(draw(Plot("Training loss", "update", "loss, averaged", lines)))
    if learning.metrics:
        lines = [Line(name, points, dots=True) for name, points in learning.metrics.items()]
        plots.append(draw(Plot("Validation pictures, after each epoch", "update", "metric", lines)))
    return page.section("Learning", f'<div class="plots">{"".join(plots)}</div>')


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} percent" if whole else "none"
