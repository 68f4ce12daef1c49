"""`semreg export --to onnx|openvino`, as a user meets it: what is refused, and the table that is printed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from semreg import SemregError
from semreg.cli import app


def test_a_model_is_exported_into_its_folder_and_the_checks_are_printed(model_folder: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("openvino not installed")
    output = tmp_path / "graphs"
    done = CliRunner().invoke(app, ["export", "--to", "openvino", str(model_folder), "--output", str(output)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert any("faithful" in line and "yes" in line for line in lines)
    assert lines[-1] == f"written: {output}"
    manifest = json.loads((output / "export.json").read_text())
    assert all((output / file).is_file() for files in manifest["graphs"].values() for file in files.values())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--to", "tflite"], "--to must be one of labelstudio, fiftyone, coco, hf, onnx, openvino, is 'tflite'"),
        (["--to", "onnx", "--int8"], "add --calibrate FOLDER"),
        (["--to", "hf"], "--to hf needs annotations"),
        (["--to", "coco", "told.jsonl"], "--to coco needs a place: name one with --output"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: list[str], sentence: str) -> None:
    done = CliRunner().invoke(app, ["export", *arguments])
    assert isinstance(done.exception, SemregError) and sentence in str(done.exception)
