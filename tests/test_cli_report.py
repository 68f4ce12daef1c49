"""`semreg report` as people meet it: one page, the exit status, one sentence for every mistake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-c", "import sys; from semreg.cli import main; sys.argv[0] = 'semreg'; main()"]


def semreg(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=environment)


def test_a_page_from_a_model_and_a_set(model_folder: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "my page.html"
    done = semreg("report", "--model", model_folder, "--data", data, "-o", output)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    content = output.read_text("utf-8")
    assert content.startswith("<!doctype html>") and "<h2>Learning</h2>" in content  # the run lies beside the model
    assert list(tmp_path.iterdir()) == [output]


def test_what_cannot_be_read_is_said(model_folder: Path, data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(data, folder)
    (folder / "04.jpg").unlink()
    done = semreg("report", "--model", model_folder, "--data", folder, "-o", tmp_path / "page.html")
    assert done.returncode == 1 and done.stderr.strip().endswith("04.jpg does not exist")
    assert "1 picture could not be read" in (tmp_path / "page.html").read_text("utf-8")


def test_mistakes_are_one_sentence_and_leave_nothing(model_folder: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(json.dumps({"event": "run"}))
    output = tmp_path / "page.html"
    for arguments, word in (
        (("--data", tmp_path / "none", "-o", output), "does not exist"),
        (("--data", data, "--split", "dev", "-o", output), "no split 'dev'"),
        (("--data", data, "-o", tmp_path), "it is a folder"),
        (("--data", data, "-o", output, "--run", tmp_path / "gone"), "pass --run with the folder of a run"),
    ):
        done = semreg("report", "--model", model_folder, *arguments)
        assert done.returncode == 2 and done.stdout == "" and word in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not output.exists()


def test_help_has_examples() -> None:
    done = semreg("report", "--help")
    assert done.returncode == 0 and "semreg report --model" in done.stdout.split("Examples:")[1]
