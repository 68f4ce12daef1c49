"""A whole comparison on tiny data, through the command: what it writes, and that nothing finished is done again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "semreg", "compare"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
SMALL = [
    *("--set", "stages.0.epochs=1"),
    *("--set", "stages.1.epochs=2"),
    *("--interfaces", "state,semantic", "--seeds", "2"),
]


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def folder(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison of two interfaces, two seeds, both ways."""
    folder = tmp_path_factory.mktemp("comparison") / "all of it"
    done = compare(recipe_file, *SMALL, "--output", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (folder / "table.md").read_text(encoding="utf-8") + "\n"
    return folder


@pytest.mark.slow
def test_the_results_say_what_was_found(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert results["pictures"] == 6 and results["seeds"] == 2
    for way in ("fine-tuned", "end-to-end"):
        found = results["ways"][way]
        for interface in ("state", "semantic"):
            row = found["interfaces"][interface]
            values = row["tags"]["path"]["O-F1"]["values"]
            assert len(values) == 2 and row["tags"]["path"]["O-F1"]["mean"] == pytest.approx(sum(values) / 2)
            assert 0 <= row["captions"]["CIDEr-D"]["mean"] <= 10
            assert len(row["curve"]["share of its updates"]) == 2
        difference = found["differences"]["semantic against"]["state"]["O-F1"]
        means = [found["interfaces"][i]["tags"]["path"]["O-F1"]["mean"] for i in ("semantic", "state")]
        assert difference["difference"] == pytest.approx(means[0] - means[1])
        assert set(found["differences"]["semantic against"]["state"]) >= {"C-F1", "O-F1", "CIDEr-D"}
    # Where no L_u taught the concept layer, it is no contestant.
    heads = {
        way: {i for i, row in results["ways"][way]["interfaces"].items() if "concepts" in row["tags"]}
        for way in results["ways"]
    }
    assert heads == {"fine-tuned": {"state", "semantic"}, "end-to-end": {"semantic"}}


@pytest.mark.slow
def test_everything_a_reader_wants_is_there_and_the_page_needs_nothing_else(folder: Path) -> None:
    for name in ("table.md", "index.html", "curves-fine-tuned.png", "curves-end-to-end.png"):
        assert (folder / name).stat().st_size > 500
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2 and "<table>" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)


@pytest.mark.slow
def test_a_second_time_nothing_is_trained_and_a_third_seed_is_added(folder: Path, recipe_file: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("model.safetensors")}
    results = (folder / "results.json").read_text(encoding="utf-8")
    assert compare(recipe_file, *SMALL, "--output", folder).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("model.safetensors")} == before
    assert (folder / "results.json").read_text(encoding="utf-8") == results
    more = [*SMALL[:-1], "3", "--ways", "fine-tuned", "--jobs", str(min(2, os.cpu_count() or 1))]
    assert compare(recipe_file, *more, "--output", folder).returncode == 0
    now = {path: path.stat().st_mtime_ns for path in folder.rglob("model.safetensors")}
    assert len(now) == len(before) + 2 and before.items() <= now.items()


@pytest.mark.slow
def test_other_settings_are_refused_in_the_same_folder(folder: Path, recipe_file: Path) -> None:
    done = compare(recipe_file, *SMALL, "--set", "decoder.hidden=8", "--output", folder)
    assert done.returncode == 2
    assert done.stderr.startswith("semreg: ") and "holds a comparison with other settings" in done.stderr


@pytest.mark.slow
def test_a_comparison_that_was_stopped_goes_on(recipe_file: Path, tmp_path: Path) -> None:
    arguments = [str(recipe_file), *SMALL, "--set", "stages.0.epochs=40", "--output", str(tmp_path / "out")]
    in_background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *COMMAND, *arguments]  # as a script's `&` has it
    process = subprocess.Popen(in_background, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    checkpoint = tmp_path / "out" / "cnn" / "checkpoint.pt"
    for _ in range(1200):
        if checkpoint.exists():
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert checkpoint.exists() and not (tmp_path / "out" / "cnn" / "model").exists()
    assert "stopped; go on with" in (tmp_path / "out" / "cnn" / "console.txt").read_text(encoding="utf-8")
    few = ["--ways", "fine-tuned", "--seeds", "1"]
    assert compare(*arguments, *few).returncode == 0
    assert '"resumed": true' in (tmp_path / "out" / "cnn" / "log.jsonl").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_that_fails_is_named_with_what_it_said(recipe_file: Path, tmp_path: Path) -> None:
    done = compare(recipe_file, *SMALL, "--set", "stages.0.freeze=99", "--output", tmp_path / "out")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "the run cnn ended with status 2 (freeze must lie in 0..9" in done.stderr


def test_mistakes_in_the_arguments_are_one_sentence(recipe_file: Path, tmp_path: Path) -> None:
    for arguments, sentence in (
        (["--interfaces", "sematic"], "interfaces must name some of"),
        (["--jobs", "999"], "--jobs must be at most"),
        (["--set", "data.test=null"], "needs test pictures"),
    ):
        done = compare(recipe_file, *arguments, "--output", tmp_path / "out")
        assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()
