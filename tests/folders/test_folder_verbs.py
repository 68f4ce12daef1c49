"""undo, search, watch and annotate into a folder, as people and scripts meet them."""

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

from semreg.cli.annotating import computing
from semreg.metadata import read
from semreg.options import Options

COMMAND = [sys.executable, "-m", "semreg"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def semreg(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd)


@pytest.fixture
def album(data: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "my álbum"
    (folder / "trip").mkdir(parents=True)
    shutil.copy(data / "00.jpg", folder / "a.jpg")
    shutil.copy(data / "01.jpg", folder / "trip" / "b.JPG")
    return folder


def test_annotate_search_and_undo(album: Path, model_folder: Path) -> None:
    before = (album / "a.jpg").read_bytes()
    settings = f'model = {json.dumps(str(model_folder))}\nmin-score = 0\nrename = "names.csv"\nformat = "xmp"\n'
    (album / "semreg.toml").write_text(settings, encoding="utf-8")
    names = "label,name,parent\nred,Rot,Farbe\ngreen,Grün,Farbe\nblue,Blau,Farbe\n"
    (album / "names.csv").write_text(names, encoding="utf-8")

    dry = semreg("annotate", album, "--dry-run", "--max-tags", 3)
    assert dry.returncode == 0, dry.stderr
    assert "a.jpg: " in dry.stdout and len(dry.stdout.splitlines()) == 2
    assert not (album / ".semreg").exists() and (album / "a.jpg").read_bytes() == before

    done = semreg("annotate", album, "--prefix", "", "--always", "Ferien")
    assert done.returncode == 0 and done.stdout == "", done.stderr
    assert "2 pictures annotated, 2 files written" in done.stderr and "semreg undo" in done.stderr
    known = read((album / "a.jpg").read_bytes())
    assert {"Rot", "Grün", "Blau", "Ferien"} <= set(known.tags) and "Farbe|Rot" in known.hierarchy

    found = semreg("search", album, "rot", "ferien")
    assert set(found.stdout.splitlines()) == {str(album / "a.jpg"), str(album / "trip" / "b.JPG")}
    below = semreg("search", album / "trip", "red", "--format", "jsonl")
    row = json.loads(below.stdout)
    assert row["file_name"] == (album / "trip" / "b.JPG").as_posix() and row["relevance"] >= 0
    assert semreg("search", album, "zebra").stderr.startswith("no picture in")
    assert semreg("search", album, "paper", "-Rot").stdout == ""

    told = semreg("annotate", album, "--format", "jsonl")
    assert len(told.stdout.splitlines()) == 2, told.stderr  # from the journal, to stdout

    listed = semreg("undo", "--list", album).stdout
    assert "2 written" in listed and "stopped" not in listed
    number = listed.split()[0]
    undone = semreg("undo", number, cwd=album)
    assert undone.returncode == 0 and "2 files taken back" in undone.stderr, undone.stderr
    assert (album / "a.jpg").read_bytes() == before


def test_what_may_not_be_read_or_written_is_named(album: Path, model_folder: Path) -> None:
    rights = "-dac_override,-dac_read_search,-fowner"  # by which the system's manager passes over permissions
    drop = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"] if os.geteuid() == 0 else []
    if drop and subprocess.run([*drop, "true"], capture_output=True).returncode:
        pytest.skip("setpriv (util-linux) cannot drop the rights of the system's manager here")
    closed = {"locked.jpg": 0o000, "read-only.jpg": 0o444, "private": 0o000}
    (album / "private").mkdir()
    for name in ("locked.jpg", "read-only.jpg", "private/c.jpg"):
        shutil.copy(album / "a.jpg", album / name)
    for name, mode in closed.items():
        (album / name).chmod(mode)
    before = (album / "read-only.jpg").read_bytes()
    command = [*drop, *COMMAND, "annotate", str(album), "--model", str(model_folder), "--format", "xmp"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    finally:
        (album / "private").chmod(0o700)
        (album / "locked.jpg").chmod(0o600)
    assert done.returncode == 1, done.stderr
    told = done.stderr.splitlines()
    assert [sum(f"{album / name}" in line for line in told) for name in closed] == [1, 1, 1], done.stderr
    assert f"{album / 'locked.jpg'} cannot be opened: Permission denied" in told
    assert f"cannot write {album / 'read-only.jpg'}: it is read-only" in told
    assert f"cannot read the folder {album / 'private'}: Permission denied; its pictures are left out" in told
    assert {"1 of 4 pictures could not be read", "1 picture could not be written"} <= set(told)
    assert read((album / "a.jpg").read_bytes()).machine and read((album / "trip" / "b.JPG").read_bytes()).machine
    assert (album / "read-only.jpg").read_bytes() == before == (album / "locked.jpg").read_bytes()
    again = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)  # it may be read now
    assert again.returncode == 1 and "3 pictures annotated, 2 files written" in again.stderr
    assert "locked.jpg" not in again.stderr and read((album / "private" / "c.jpg").read_bytes()).machine


def test_mistakes_are_one_sentence(album: Path, model_folder: Path, tmp_path: Path) -> None:
    def sentence(*arguments: object) -> str:
        done = semreg(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert len(done.stderr.splitlines()) == 1
        return done.stderr

    assert "has no journal" in sentence("search", album, "dog")
    assert "has no journal" in sentence("undo", "--last", album)
    assert "name one run" in sentence("undo")
    assert "leave out --output" in sentence("annotate", album, "--format", "xmp", "-o", tmp_path / "x")
    assert "no folder" in sentence("watch", album / "a.jpg")
    assert "existing: " in sentence("annotate", album, "--existing", "destroy")
    (album / "semreg.toml").write_text("min-scoer = 0.5\n")
    assert "unknown key min-scoer: did you mean min-score?" in sentence("annotate", album)
    (album / "semreg.toml").write_text("min-score = 2\n")
    assert "semreg.toml: min-score: " in sentence("annotate", album)
    (album / "semreg.toml").unlink()
    (tmp_path / "names.csv").write_text("Label;Name\nred;Rot\n")
    assert "first line must name the columns" in sentence("annotate", album, "--rename", tmp_path / "names.csv")


def test_an_engine_of_less_precision_makes_stale_and_one_of_the_same_does_not(album: Path, model_folder: Path) -> None:
    write = ("annotate", album, "--model", model_folder, "--format", "xmp", "--engine")
    assert semreg(*write, "torch").returncode == 0
    coarse = semreg(*write, "torch:bf16")
    assert "2 pictures written with another model or other settings: --refresh" in coarse.stderr
    assert "2 pictures annotated" in semreg(*write, "torch:bf16", "--refresh").stderr
    engines = ("torch:fp32", "torch:compile", "onnx:fp32", "openvino:fp32", "onnx:int8", "openvino:int8", "torch:bf16")
    assert len({computing(Options(beams=3), engine) for engine in engines}) == 4
    assert computing(Options(beams=3), "onnx:fp32") == "beams=3 captions=1 min_score=None"  # as journals have it


def test_parquet_is_read_back(album: Path, model_folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    (album / "letter.jpg").write_text("Dear all")
    done = semreg("annotate", album, "--model", model_folder, "-o", tmp_path / "out.parquet")
    assert done.returncode == 1 and "letter.jpg is not a picture" in done.stderr
    rows = parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert [Path(row["file_name"]).name for row in rows] == ["a.jpg", "letter.jpg", "b.JPG"]
    assert rows[0]["caption"]["text"] and rows[1]["error"] and rows[1]["tags"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_watch_annotates_what_arrives_and_waits_for_files_that_are_written(
    album: Path, model_folder: Path, data: Path, number: int, status: int
) -> None:
    command = [*COMMAND, "watch", str(album), "--model", str(model_folder), "--every", "0.2", "--format", "xmp"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        wait_for(lambda: read((album / "a.jpg").read_bytes()).machine)
        whole = (data / "02.jpg").read_bytes()
        with (album / "late.jpg").open("wb") as stream:
            for start in range(0, len(whole), len(whole) // 4):
                stream.write(whole[start : start + len(whole) // 4])
                stream.flush()
                time.sleep(0.7)
        wait_for(lambda: read((album / "late.jpg").read_bytes()).machine)
        process.send_signal(number)
        told = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == status, told
    assert "cut off" not in told and "Traceback" not in told
    assert semreg("undo", "--last", album).returncode == 0
    assert (album / "late.jpg").read_bytes() == whole


def wait_for(happened, seconds: float = 90) -> None:
    for _ in range(int(seconds / 0.1)):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen")


@pytest.mark.slow
def test_ctrl_c_says_how_it_goes_on_and_the_next_run_does_the_rest(album: Path, model_folder: Path) -> None:
    for number in range(60):
        shutil.copy(album / "a.jpg", album / f"copy {number}.jpg")
        with (album / f"copy {number}.jpg").open("ab") as stream:
            stream.write(b"%d" % number)  # or it would be known
    command = ("annotate", str(album), "--model", str(model_folder), "--format", "xmp", "--batch", "2")
    process = subprocess.Popen([*COMMAND, *command], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        wait_for(lambda: read((album / "a.jpg").read_bytes()).machine)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 130 and told.splitlines()[0] == "stopped: the same command continues where it was"
    assert "Traceback" not in told and "stopped before its end" in semreg("undo", "--list", album).stdout
    done = semreg(*command)
    count = int(done.stderr.split()[0])
    assert done.returncode == 0 and 0 < count < 62 and f"{62 - count} pictures done before" in done.stderr
    assert semreg("undo", "--last", album).stderr.splitlines()[-1] == "62 files taken back"
