"""How the command ends when it is stopped, when nobody reads on, and when something it was given cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "import sys; from semreg.cli import main; sys.argv[0] = 'semreg'; main()"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def semreg(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)


@pytest.fixture
def many(data: Path, tmp_path: Path) -> Path:
    """So many pictures that nobody waits for the last one."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3000):
        os.link(data / f"{number % 24:02}.jpg", folder / f"{number:04}.jpg")
    return folder


@pytest.mark.parametrize("command", ["annotate", "train", "evaluate", "info"])
def test_every_command_helps_with_examples_of_itself(command: str) -> None:
    done = semreg(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    usage, _, examples = done.stdout.partition("Examples:")
    assert f"Usage: semreg {command}" in usage
    assert f"semreg {command}" in examples


def test_ctrl_c_while_annotating_is_one_sentence_and_leaves_no_output(
    many: Path, model_folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    process = subprocess.Popen(
        [*COMMAND, "annotate", str(many), "--model", str(model_folder), "-o", str(output), "--beam", "9"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    for _ in range(600):  # the output is opened just before the first picture
        if any(path.name.startswith(".out.jsonl") for path in tmp_path.iterdir()):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told, complaints = process.communicate(timeout=120)
    assert process.returncode == 130, complaints
    assert told == "" and complaints.strip() in ("", "semreg: interrupted")  # some versions of typer say nothing
    assert [path.name for path in tmp_path.iterdir()] == ["many"]


def test_a_reader_that_stops_after_one_line_gets_it_and_nobody_complains(many: Path, model_folder: Path) -> None:
    script = '"$@" | head -n 1; exit "${PIPESTATUS[0]}"'
    arguments = ["bash", "-c", script, "bash", *COMMAND, "annotate", str(many), "--model", str(model_folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    assert json.loads(done.stdout)["file_name"].endswith("0000.jpg")
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_device_that_is_not_there_is_one_sentence(data: Path, model_folder: Path) -> None:
    device = "cuda:99"
    done = semreg("annotate", data / "00.jpg", "--model", model_folder, "--device", device)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"semreg: cannot compute on the device '{device}'") and done.stderr.count("\n") == 1


def test_outputs_that_cannot_be_written_are_one_sentence(data: Path, model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for arguments in (
        ("annotate", data / "00.jpg", "--model", model_folder, "-o", tmp_path / "none" / "out.csv"),
        ("annotate", data / "00.jpg", "--model", model_folder, "-f", "txt", "-o", tmp_path / "file" / "texts"),
    ):
        done = semreg(*arguments)
        assert done.returncode == 2 and done.stdout == "", done.stderr
        assert done.stderr.startswith("semreg: cannot ") and done.stderr.count("\n") == 1, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_whose_folder_is_a_file_is_one_sentence(recipe_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = semreg("train", recipe_file, "--output", tmp_path / "file")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("semreg: ") and "file" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_model_without_its_weights_is_one_sentence(model_folder: Path, tmp_path: Path) -> None:
    shutil.copy(model_folder / "config.json", tmp_path)
    done = semreg("info", "--model", tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert "model.safetensors" in done.stderr and done.stderr.count("\n") == 1, done.stderr
