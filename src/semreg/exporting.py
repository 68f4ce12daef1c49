"""A model exported for other engines, and the export checked against torch: in numbers, and in what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from semreg.annotator import Annotator
from semreg.data.images import prepare, read_picture
from semreg.data.records import METADATA, Record, read_records
from semreg.data.vocabulary import SPECIAL
from semreg.errors import PictureError, SemregError
from semreg.evaluate import compare, predict
from semreg.folders.walk import find_pictures
from semreg.model_folder import HUB
from semreg.options import Options
from semreg.runtime.choose import cache_folder
from semreg.runtime.exported import Manifest, open_export, write_graphs, write_manifest
from semreg.runtime.parity import check_pictures, parity, pictures_a_second

CALIBRATE, JUDGE = 300, 1000  # pictures at most
LOSS = 0.01  # relative, of each metric: what int8 may cost
JUDGES = ("O-F1", "C-F1", "mAP", "CIDEr-D")

Say = Callable[[str], None]


def export_model(
    annotator: Annotator,
    kind: str,
    output: Path,
    *,
    calibrate: Path | None = None,
    int8: bool = False,
    say: Say = lambda text: None,
    done: Callable[[int], None] = lambda count: None,
) -> Manifest:
    """Export a model and check what came out.

    Args:
        annotator: the model, on the CPU, computed by torch in single precision.
        kind: "onnx" or "openvino".
        output: folder for the graphs.
        calibrate: a data set, or a folder of pictures. Of a data set, pictures of its split "train" calibrate and those
            of "val" judge: every precision is evaluated on them beside torch.
        int8: write int8 graphs too.
        say: told what is going on.
        done: called with 1 after each graph.

    Returns:
        The manifest, with a row of `checks` for each precision: the differences from torch, `pictures_a_second` of the
        CNN as seen here, and `faithful`: within what the precision's rounding explains, or for int8 every one of
        `JUDGES` within 1 percent of torch's; None where there were no pictures to judge int8 by.

    Raises:
        SemregError: a package or the pictures are missing.
    """
    if int8 and calibrate is None:
        raise SemregError("int8 must be calibrated on pictures such as it will see: add --calibrate FOLDER")
    chosen, judged = ([], []) if calibrate is None else calibration_records(calibrate)
    pictures = _read(annotator, chosen) if int8 else []
    size, forms = annotator.config.preprocessing.size, annotator.config.decoders
    tokens = {str(form): [*SPECIAL, *decoder.words] for form, decoder in forms.items()}
    say(f"converting for {kind}")
    manifest = write_graphs(
        annotator.model,
        annotator.config,
        annotator.name,
        kind,
        output,
        calibration=pictures,
        tokens=tokens,
        done=done,
    )
    checked = check_pictures(size)
    truth = None
    if judged:
        say(f"evaluating torch on {len(judged)} pictures")
        truth = metrics(annotator, judged)
        manifest.checks["torch"] = {"pictures_a_second": _rate(annotator, checked), **truth}
    for precision in manifest.graphs:
        differences = parity(open_export(manifest, output, precision), annotator.engine, tuple(forms), checked)
        engine = open_export(manifest, output, precision, annotator.model)
        other = Annotator(annotator.model, annotator.config, annotator.name, engine=engine)
        row: dict[str, Any] = {"pictures_a_second": _rate(other, checked), **differences.json()}
        row["faithful"] = None if precision == "int8" else differences.within(precision)
        if truth is not None:
            say(f"evaluating {engine.name} on {len(judged)} pictures")
            found = metrics(other, judged)
            row |= found
            lost = [1 - found[name] / value for name, value in truth.items() if name in JUDGES and value > 0]
            row["largest_loss"] = round(max(lost), 4) if lost else None
            if precision == "int8" and lost:
                row["faithful"] = max(lost) <= LOSS
        manifest.checks[precision] = row
    write_manifest(manifest, output)
    return manifest


def calibration_records(folder: Path) -> tuple[list[Record], list[Record]]:
    """Pictures to calibrate on, spread over the set, and pictures with truth to judge by.

    Raises:
        SemregError: the folder has no picture.
    """
    if (folder / METADATA).is_file():
        records = read_records(folder)
        train = [record for record in records if record.split == "train"] or records
        known = [record for record in records if record.split == "val" and (record.tags or record.captions)]
        return _spread(train, CALIBRATE), _spread(known, JUDGE)
    found = [Record(each.path, each.file_name, "") for each in find_pictures([folder])]
    if not found:
        raise SemregError(f"{folder} has no picture to calibrate on: name a folder with some hundred")
    return _spread(found, CALIBRATE), []


def metrics(annotator: Annotator, records: Sequence[Record]) -> dict[str, float]:
    """F1 of the tags (overall and per class), their mean average precision, and CIDEr-D; what the data has of them."""
    result = compare(annotator, predict(annotator, records, Options(batch_size=32)))
    found: dict[str, float] = {}
    if "tags" in result:
        own = result["tags"]["sets"]["own"]
        found |= {"O-F1": own["O-F1"], "C-F1": own["C-F1"], "mAP": result["tags"]["mAP"]}
    if "captions" in result:
        found["CIDEr-D"] = result["captions"]["CIDEr-D"]
    return {name: round(float(value), 5) for name, value in found.items()}


def _rate(annotator: Annotator, pictures: Tensor) -> float:
    return round(pictures_a_second(annotator.engine, pictures), 1)


def _spread(records: list[Record], most: int) -> list[Record]:
    """At most so many, evenly from the whole list."""
    return records[:: max(1, -(-len(records) // most))]


def _read(annotator: Annotator, records: Sequence[Record]) -> list[Tensor]:
    preprocessing = annotator.config.preprocessing.build()
    pictures = []
    for record in records:
        try:
            pictures.append(prepare(read_picture(record.path, at_least=2 * preprocessing.size), preprocessing)[None])
        except PictureError:
            continue
    if not pictures:
        raise SemregError(f"none of the {len(records)} pictures to calibrate on can be read: name another folder")
    return pictures


def default_output(model: str | None, name: str, kind: str) -> Path:
    """Where an export goes that no folder was named for: into the model's, or for the package's own into the cache."""
    own = model is not None and not model.startswith(HUB)
    return Path(str(model)) / kind if own else cache_folder() / name / kind
