"""The benchmark measures what it says it does, with cases in turn; the plain ways give the same answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import semreg
from semreg import Annotator, SemregError
from semreg.bench.measure import Case, measure, ratio
from semreg.bench.pictures import make_files
from semreg.bench.plain import PlainTrunk, picture_by_picture, plain_annotate
from semreg.bench.run import Plan, run
from semreg.cli import app


@pytest.fixture(scope="module")
def annotator(model_folder: Path) -> Annotator:
    return semreg.load(model_folder)


def test_cases_take_turns_and_only_the_rounds_count() -> None:
    order: list[str] = []
    cases = [Case("a", 10, lambda: order.append("a")), Case("b", 20, lambda: order.append("b"))]
    found = measure(cases, rounds=3, warm=1)
    assert order == ["a", "b"] * 4
    assert found["a"]["rounds"] == 3
    seconds = found["a"]["seconds"]
    assert 0 < seconds["low"] <= seconds["median"] <= seconds["high"]
    assert found["a"]["rate"] == pytest.approx(10 / seconds["median"], rel=1e-2)
    assert ratio(found, "b", "a") == pytest.approx(found["b"]["rate"] / found["a"]["rate"], rel=1e-3)


def test_a_slow_case_ends_early_but_counts() -> None:
    found = measure([Case("slow", 1, lambda: None, most=0.0)], rounds=9, warm=0)
    assert found["slow"]["rounds"] == 3


def test_files_are_of_the_kinds_that_their_names_say(data: Path, tmp_path: Path) -> None:
    found = make_files(sorted(data.glob("*.jpg"))[:2], tmp_path, small=3, large=1)
    assert {kind: len(paths) for kind, paths in found.items()} == {
        **{f"small {suffix}": 3 for suffix in ("jpg", "png", "webp")},
        **{f"large {suffix}": 1 for suffix in ("jpg", "png", "webp")},
    }
    for kind, paths in found.items():
        with Image.open(paths[0]) as picture:
            assert picture.size == ((500, 375) if kind.startswith("small") else (4000, 3000))
            assert picture.format == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[kind.split()[1]]


def test_the_plain_trunk_and_the_plain_searches_say_the_same(annotator: Annotator, data: Path) -> None:
    paths = sorted(data.glob("*.jpg"))[:6]
    (batch,) = annotator.read(paths, 6)
    with torch.inference_mode():
        plain = PlainTrunk(annotator.model.trunk)(batch.pictures)
        torch.testing.assert_close(plain, annotator.model.trunk(batch.pictures), rtol=1e-3, atol=1e-3)
    tags, captions = plain_annotate(annotator, paths, 6, 3)
    assert len(tags) == len(captions) == 6
    alone = picture_by_picture(annotator, batch.pictures, 3)
    vocabulary = annotator.config.vocabulary("caption")
    assert all(vocabulary.text(tokens) for tokens in alone)


def test_the_command_measures_and_writes_json(model_folder: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "speed.json"
    arguments = ["bench", str(data / "00.jpg"), "--model", str(model_folder), "--batch", "2", "--rounds", "3"]
    arguments += ["--part", "model", "--part", "files", "--small", "2", "--large", "1", "--output", str(output)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    assert found["model"]["torch: all, beam 3"]["rate"] > 0 and "torch: files, large jpg / plain" in found["ratios"]
    assert str(tmp_path) not in output.read_text() and str(data) not in output.read_text()
    assert "torch: all, beam 3 / trunk" in done.output.replace("\n", " ") and found["memory"] > 10


def test_any_part_can_be_measured_by_itself(data: Path, model_folder: Path) -> None:
    found = run(Plan([data / "00.jpg"], model=str(model_folder), small=1, large=1, rounds=1, parts=("metrics",)), "")
    assert found["name"].startswith("tiny@") and found["metrics"] and found["ratios"] == {}


def test_unknown_parts_and_no_photographs_are_refused(data: Path) -> None:
    with pytest.raises(SemregError, match=r"parts must be of decode, .*is 'speed'"):
        Plan([data / "00.jpg"], parts=("speed",))
    with pytest.raises(SemregError, match="there is no photograph"):
        Plan([])
