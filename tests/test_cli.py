"""The command as people and scripts meet it: output, exit status, and one sentence for every mistake."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semreg import __version__

COMMANDS = ("annotate", "train", "evaluate", "info")


def semreg(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    command = [sys.executable, "-c", "from semreg.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)  # type: ignore[call-overload,no-any-return]


def one_sentence(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.fixture
def album(data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "my álbum"
    (folder / "trip").mkdir(parents=True)
    shutil.copy(data / "00.jpg", folder / "a.jpg")
    shutil.copy(data / "01.jpg", folder / "trip" / "b.JPG")
    return folder


def test_it_says_its_version_and_helps_with_examples() -> None:
    assert semreg("--version").stdout == f"semreg {__version__}\n"
    for command in COMMANDS:
        done = semreg(command, "--help")
        assert done.returncode == 0
        assert command == "info" or f"semreg {command}" in done.stdout.split("Options")[0].split("Usage:")[1]


def test_help_brings_no_torch() -> None:
    code = "import sys\nfrom semreg.cli import main\ntry: main()\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("False")


def test_a_folder_becomes_a_line_of_json_a_picture(album: Path, model_folder: Path) -> None:
    done = semreg("annotate", album, "--model", model_folder)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["file_name"] for row in rows] == [(album / "a.jpg").as_posix(), (album / "trip" / "b.JPG").as_posix()]
    assert all(row["error"] is None and row["caption"]["text"] for row in rows)
    assert rows[0]["model"].startswith("tiny@")


def test_csv_text_and_gallery_are_written_whole(album: Path, model_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = semreg("annotate", album, "--model", model_folder, "-o", tmp_path / "out.csv", "--gallery", page)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 2 and rows[0]["caption"]
    assert page.read_text(encoding="utf-8").count("<article>") == 2
    done = semreg("annotate", album, "--model", model_folder, "-f", "txt", "-o", album)
    assert done.returncode == 0, done.stderr
    assert (album / "a.txt").is_file() and (album / "trip" / "b.txt").is_file()
    before = (album / "a.txt").read_bytes()
    again = ("annotate", album, "--model", model_folder, "-f", "txt", "-o", album, "--min-score", "0")
    done = semreg(*again)
    assert "2 pictures written with" in done.stderr and (album / "a.txt").read_bytes() == before
    (album / "a.txt").write_text("mine")
    done = semreg(*again, "--refresh")
    assert "kept the text file" in done.stderr and (album / "a.txt").read_text() == "mine"
    assert len((album / "trip" / "b.txt").read_text().split(", ")) > 3


def test_what_is_no_picture_is_named_and_the_rest_is_done(album: Path, model_folder: Path) -> None:
    (album / "broken.jpg").write_bytes((album / "a.jpg").read_bytes()[:300])
    (album / "letter.jpg").write_text("Dear all")
    done = semreg("annotate", album, "--model", model_folder)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "broken.jpg" in done.stderr and "letter.jpg is not a picture" in done.stderr
    assert "2 of 4 pictures could not be read" in done.stderr
    errors = [json.loads(line)["error"] for line in done.stdout.splitlines()]
    assert len(errors) == 4 and sum(error is None for error in errors) == 2


def test_mistakes_are_one_sentence_with_status_2_and_leave_nothing(
    album: Path, model_folder: Path, recipe_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out.csv"
    one_sentence(semreg("annotate", tmp_path / "empty", "-o", out), 2, "empty", ".jpg")
    one_sentence(semreg("annotate", tmp_path / "gone.jpg", "-o", out), 2, "gone.jpg", "does not exist")
    one_sentence(
        semreg("annotate", album, "--model", tmp_path / "none", "-o", out), 2, "does not exist", "semreg train"
    )
    one_sentence(semreg("annotate", album, "--model", model_folder, "-f", "xml", "-o", out), 2, "xml", "jsonl")
    one_sentence(semreg("annotate", album, "--model", model_folder, "--beam", "0", "-o", out), 2, "--beam")
    one_sentence(semreg("train", recipe_file, "--set", "stages.0.epoch=1", "-o", tmp_path / "run"), 2, "mean epochs?")
    one_sentence(semreg("train", recipe_file, "--data", tmp_path / "none", "-o", tmp_path / "run"), 2, "--data FOLDER")
    one_sentence(semreg("train", "--resume", tmp_path / "run"), 2, "holds no run")
    one_sentence(semreg("train"), 2, "nothing to train")
    one_sentence(semreg("evaluate", "--model", model_folder, "--data", tmp_path / "empty"), 2, "metadata.jsonl")
    one_sentence(semreg("frobnicate"), 2, "frobnicate")
    assert not out.exists() and not (tmp_path / "run").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "my álbum"]


def test_a_broken_record_is_named_by_file_and_line(data: Path, recipe_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    good = (data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()[:2]
    (folder / "metadata.jsonl").write_text("\n".join([*good, '{"file_name": 3}']) + "\n", encoding="utf-8")
    done = semreg("train", recipe_file, "--data", folder, "-o", tmp_path / "run")
    one_sentence(done, 2, "metadata.jsonl, line 3", "file_name")


def test_too_many_missing_pictures_stop_a_run_and_a_few_are_left_out(
    data: Path, recipe_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    shutil.copytree(data, folder)
    (folder / "08.jpg").unlink()
    done = semreg("train", recipe_file, "--data", folder, "-o", tmp_path / "run")
    one_sentence(done, 2, "1 of 12 pictures cannot be read", "08.jpg", "data.unreadable")
    done = semreg("train", recipe_file, "--data", folder, "-o", tmp_path / "run", "--set", "data.unreadable=0.1")
    assert done.returncode == 0, done.stderr
    assert "left out:" in done.stderr and "08.jpg" in done.stderr


def test_evaluation_is_a_table_for_people_and_json_for_programs(model_folder: Path, data: Path, tmp_path: Path) -> None:
    table = semreg("evaluate", "--model", model_folder, "--data", data)
    assert table.returncode == 0 and "O-F1" in table.stdout and "CIDEr-D" in table.stdout, table.stderr
    out = tmp_path / "result.json"
    done = semreg("evaluate", "--model", model_folder, "--data", data, "--format", "json", "--output", out)
    result = json.loads(done.stdout)
    assert result == json.loads(out.read_text(encoding="utf-8"))
    assert {"own", "path", "concepts", "top 3"} <= set(result["tags"]["sets"])
    assert {"Bleu_4", "ROUGE_L", "CIDEr-D"} <= set(result["captions"]) and result["pictures"] == 6


def test_info_tells_what_a_model_is(model_folder: Path) -> None:
    done = semreg("info", "--model", model_folder)
    assert done.returncode == 0 and "tiny@" in done.stdout and "semantic interface" in done.stdout
    assert re.search(r"reaches +C-F1 0\.\d{3}, O-F1 .*, mAP .*, CIDEr-D \d\.\d{3} \(.*, split test\)", done.stdout)


@pytest.mark.parametrize(
    "card", [None, "no head at all", "---\nmodel-index: [1]\n---\n", "---\n: {\n---\n", "---\n---\n"]
)
def test_info_does_without_the_figures_of_a_card_that_has_none(
    model_folder: Path, tmp_path: Path, card: str | None
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "model")
    (folder / "README.md").unlink()
    if card is not None:
        (folder / "README.md").write_text(card, encoding="utf-8")
    done = semreg("info", "--model", folder)
    assert done.returncode == 0 and "semantic interface" in done.stdout and "reaches" not in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error(album: Path, model_folder: Path) -> None:
    command = f'"{sys.executable}" -c "from semreg.cli import main; main()" annotate "$1" --model "$2" | true'
    done = subprocess.run(["sh", "-c", command, "sh", album, model_folder], capture_output=True, text=True)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_writes_a_checkpoint_and_the_run_goes_on(recipe_file: Path, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "run"
    changes = ["--set=stages.0.epochs=20", "--set=stages.1.epochs=1"]
    code = "from semreg.cli import main; main()"
    arguments = [sys.executable, "-c", code, "train", str(recipe_file), *changes, "--output", str(folder)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (folder / "checkpoint.pt").exists():
            break
        time.sleep(0.1)
    process.send_signal(number)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert f"semreg train --resume {folder}" in told and "Traceback" not in told
    done = semreg("train", "--resume", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / "model")
