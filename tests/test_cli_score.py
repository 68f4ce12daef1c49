"""`semreg score` as people and scripts meet it: JSON with the usual names, tables, files per picture, one sentence."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "import sys; from semreg.cli import main; sys.argv[0] = 'semreg'; main()"]


def semreg(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {**os.environ, "COLUMNS": "100", **environment}
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=told)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Predictions and references below a path with spaces and accents."""
    folder = tmp_path / "été à la mer"
    folder.mkdir()
    images = [{"id": number, "file_name": f"COCO_val2014_{number:012}.jpg"} for number in (1, 2, 3)]
    captions = [{"image_id": n, "id": n, "caption": f"a {word} on the grass"} for n, word in ((1, "dog"), (2, "café"))]
    captions.append({"image_id": 3, "id": 3, "caption": "an old train"})
    (folder / "truth.json").write_text(json.dumps({"images": images, "annotations": captions}), "utf-8")
    told = [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": ""}, {"image_id": 9, "caption": "x"}]
    (folder / "told.json").write_text(json.dumps(told), "utf-8")
    (folder / "truth.csv").write_text("file_name,tags\nü/1.jpg,dog; grass\nü/2.jpg,\n", "utf-8")
    (folder / "told.csv").write_text("file_name,tags,tag_scores\n1.jpg,dog; cat,0.9; 0.3\n", "utf-8")
    return folder


def test_captions_as_json_with_the_usual_names(folder: Path) -> None:
    done = semreg("score", "captions", folder / "told.json", folder / "truth.json", "--format", "json", "--no-meteor")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    usual = {"Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr", "CIDEr-D", "METEOR"}
    assert usual <= set(result) and result["METEOR"] is None
    assert (result["pictures"], result["without prediction"], result["unknown pictures"], result["empty"]) == (
        3,
        1,
        1,
        2,
    )
    assert "1 picture without prediction: they count as an empty caption" in done.stderr
    assert "1 prediction for unknown pictures" in done.stderr


def test_without_java_a_plain_sentence(folder: Path) -> None:
    done = semreg("score", "captions", folder / "told.json", folder / "truth.json", "-f", "json", PATH="/nowhere")
    assert done.returncode == 0 and json.loads(done.stdout)["METEOR"] is None
    assert "METEOR is left out, for " in done.stderr and "Traceback" not in done.stderr


def test_nothing_is_written_into_any_package(folder: Path) -> None:
    import semreg as package

    places = [Path(package.__file__).parent]
    found = find_spec("pycocoevalcap")
    places += [Path(place) for place in found.submodule_search_locations or ()] if found else []

    def state() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for place in places for path in [place, *place.rglob("*")]}

    before = state()
    done = semreg("score", "captions", folder / "told.json", folder / "truth.json", PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stderr
    assert state() == before


def test_tags_as_json_and_as_a_table(folder: Path) -> None:
    arguments = ("score", "tags", folder / "told.csv", folder / "truth.csv", "--threshold", "0.5", "--top", "1")
    done = semreg(*arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {"C-P", "C-R", "C-F1", "C-F1 mean", "O-P", "O-R", "O-F1", "N+", "mAP", "ECE"} <= set(result)
    assert set(result["sets"]) == {"predicted", "at 0.5", "top 1"}
    assert (result["O-P"], result["O-R"], result["sets"]["at 0.5"]["O-P"]) == (0.5, 0.5, 1)
    table = semreg(*arguments)
    assert table.returncode == 0 and "C-F1 mean" in table.stdout and "grass" in table.stdout, table.stderr


def test_figures_of_each_picture_go_to_a_file(folder: Path) -> None:
    for name in ("each.csv", "each.jsonl"):
        done = semreg(
            *("score", "captions", folder / "told.json", folder / "truth.json", "--no-meteor"),
            *("--per-picture", folder / name),
        )
        assert done.returncode == 0 and "CIDEr-D" in done.stdout, done.stderr
    rows = list(csv.DictReader((folder / "each.csv").read_text("utf-8").splitlines()))
    lines = [json.loads(line) for line in (folder / "each.jsonl").read_text("utf-8").splitlines()]
    assert [float(row["ROUGE_L"]) for row in rows] == [line["ROUGE_L"] for line in lines]
    assert lines[1]["references"] == ["a café on the grass"] and lines[2]["caption"] is None


def test_it_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys\nfrom semreg.cli import main\ntry: main()\nexcept SystemExit: print('torch' in sys.modules)"
        "\nfinally: sys.stdout.flush()"
    )
    arguments = ["score", "tags", folder / "told.csv", folder / "truth.csv"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert done.stdout.strip().endswith("False"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("captions", "gone.json", "truth.json"), ("gone.json", "does not exist")),
        (("captions", "told.json", "truth.csv"), ("truth.csv", "speaks of no captions")),
        (("tags", "told.csv", "truth.csv", "--format", "xml"), ("--format must be table or json", "xml")),
        (("tags", "told.csv", "truth.csv", "--split", "test"), ("no split 'test'",)),
        (("tags", "told.csv", "truth.csv", "--threshold", "2"), ("--threshold",)),
        (("tags", "told.csv", "truth.csv", "--per-picture", "none/x.csv"), ("cannot write",)),
    ],
)
def test_mistakes_are_one_sentence(folder: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    placed = [folder / part if "." in part and "-" not in part else part for part in arguments]
    done = semreg("score", *placed)
    assert done.returncode == 2 and done.stdout == "", done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize("verb", ["captions", "tags"])
def test_help_has_examples(verb: str) -> None:
    done = semreg("score", verb, "--help")
    assert done.returncode == 0 and f"semreg score {verb}" in done.stdout.split("Examples:")[1]
