"""What one trained variant says of the test pictures: looked at once, kept, and read again from there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semreg.annotator import Annotator
from semreg.data.records import Record
from semreg.evaluate import compare, predict, score_captions, tag_tables
from semreg.evaluation import top_k
from semreg.files import atomic_write
from semreg.options import Options

FIGURES, TABLES = "test.json", "test.npz"


@dataclass(frozen=True)
class Outcome:
    """One variant on N test pictures with K labels.

    Attributes:
        figures: as `semreg evaluate` gives them.
        true: (N, K) the tags that are right; None without tags.
        tags: (N, K) by the name of the set: "own", "path", and of the concept layer "concepts" (tuned threshold),
            "concepts at 0.5", "concepts top 3".
        cider_d: of each captioned picture; None without captions.
        captions: what was said of each picture.
    """

    figures: dict[str, Any]
    true: NDArray[np.bool_] | None
    tags: dict[str, NDArray[np.bool_]]
    cider_d: NDArray[np.float64] | None
    captions: tuple[str, ...]


def outcome(model: Path, records: Sequence[Record], folder: Path, beams: int) -> Outcome:
    """A variant's outcome: from `folder` where it has been seen before, else from one look at the pictures.

    Args:
        model: the variant's model folder.
        records: the test pictures.
        folder: where the outcome is kept.
        beams: width of the search.
    """
    if not (folder / FIGURES).is_file():
        _save(_look(model, records, beams), folder)
    with np.load(folder / TABLES) as tables:
        found = {name: tables[name] for name in tables.files}
    figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
    captions = tuple(figures.pop("captions told"))
    tags = {name.removeprefix("tags "): table for name, table in found.items() if name.startswith("tags ")}
    return Outcome(figures, found.get("true"), tags, found.get("CIDEr-D"), captions)


def _look(model: Path, records: Sequence[Record], beams: int) -> Outcome:
    annotator = Annotator.load(model)
    predictions = predict(annotator, records, Options(beams=beams, batch_size=32))
    tables, captions = tag_tables(annotator, predictions), score_captions(predictions)
    sets = {}
    if tables is not None:
        sets = {"own": tables.own, "path": tables.path}
        if tables.concepts is not None and tables.seen is not None:
            sets["concepts"] = tables.seen
            sets["concepts at 0.5"] = tables.concepts >= 0.5
            sets["concepts top 3"] = top_k(tables.concepts, min(3, tables.concepts.shape[1]))
    return Outcome(
        compare(annotator, predictions),
        None if tables is None else tables.true,
        sets,
        None if captions is None else captions.scores.per_picture["CIDEr-D"],
        tuple(predictions.captions or ()),
    )


def _save(found: Outcome, folder: Path) -> None:
    """Tables first: where the figures are, all is there."""
    tables: dict[str, Any] = {f"tags {name}": table for name, table in found.tags.items()}
    if found.true is not None:
        tables["true"] = found.true
    if found.cider_d is not None:
        tables["CIDEr-D"] = found.cider_d
    with atomic_write(folder / TABLES, binary=True) as file:
        np.savez_compressed(file, **tables)
    with atomic_write(folder / FIGURES) as file:
        file.write(json.dumps({**found.figures, "captions told": found.captions}, indent=1, ensure_ascii=False) + "\n")
