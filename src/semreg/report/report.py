"""`semreg report`: a model's predictions for a data set, told on one page."""

from __future__ import annotations

from pathlib import Path

from semreg.annotator import Annotator
from semreg.evaluate import Predictions, compare, score_captions, tag_tables
from semreg.evaluation import picture_f1, tag_report
from semreg.files import atomic_write
from semreg.report import page, sections
from semreg.report.learning import LOG, Learning, read_learning


def write_report(
    path: Path, annotator: Annotator, predictions: Predictions, *, data: str, split: str, run: Path | None = None
) -> None:
    """Write one HTML page: figures, plots, what the RNN changed, best and worst pictures, learning curves.

    Pictures are embedded as small JPEGs and plots as SVG, so the page can be sent by itself and asks nothing from the
    network; it has no script. An older page stays as it was until the new one is complete.

    Args:
        path: the page.
        annotator: the model.
        predictions: what it says of the set's pictures, from `semreg.evaluate.predict`.
        data: name of the set.
        split: which part of it.
        run: the run that made the model, for the learning curves.

    Raises:
        SemregError: the data has neither tags nor captions that the model writes, the run has no log, or the page
            cannot be written.
    """
    found = _find(annotator, predictions, None if run is None else read_learning(run))
    parts = [sections.overview(found)]
    if found.tags is not None and found.tag_report is not None:
        parts.append(sections.tag_section(found.tags, found.tag_report, found.result["tags"]["sets"]))
    if found.captions is not None:
        parts.append(sections.caption_section(found.captions, found.result["captions"]["references"]))
    parts += [sections.change_section(found), _pictures(found)]
    if found.learning is not None:
        parts.append(sections.learning_section(found.learning))
    name = annotator.name.partition("@")[0]
    subtitle = f"{annotator.name}; {split} split, {len(predictions.records):,} pictures; beam {predictions.beams}"
    if predictions.candidates != predictions.beams:
        subtitle += f", {predictions.candidates} for captions"
    footer = page.paragraph("Definitions of all figures: docs/evaluation.md of semreg.")
    with atomic_write(path) as file:
        file.write(page.page(f"{name} on {data}", subtitle, parts, footer))


def find_run(model: Path | None) -> Path | None:
    """The run that a model folder lies in, if its log is there."""
    if model is None or not (model.parent / LOG).is_file():
        return None
    return model.parent


def _find(annotator: Annotator, predictions: Predictions, learning: Learning | None) -> sections.Findings:
    tags = tag_tables(annotator, predictions)
    report = None if tags is None else tag_report(tags.labels, tags.true, tags.own, tags.scores)
    return sections.Findings(
        compare(annotator, predictions), predictions, tags, report, score_captions(predictions), learning
    )


def _pictures(found: sections.Findings) -> str:
    judged = sections.caption_quality(found)
    if judged is not None:
        return sections.picture_section(found, *judged, "CIDEr-D")
    if found.tags is None:
        return ""
    quality = picture_f1(found.tags.own, found.tags.true)
    return sections.picture_section(found, quality, range(len(quality)), "F1 of the tags")
