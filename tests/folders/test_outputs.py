"""The writers: each form as others read it, hostile names, and nothing half-written."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest

from semreg.annotation import Annotation, Caption, Tag
from semreg.errors import SemregError
from semreg.folders.formats import open_writer
from semreg.folders.outputs import TextFolderWriter

DOG = Annotation("a/b.jpg", (Tag("dog", 0.97), Tag("grass", 0.5)), Caption("a dog runs", -0.61))
FAILED = Annotation.failed("c.jpg", "c.jpg cannot be read", "m@1")
NO_UTF8 = Annotation(os.fsdecode(b"caf\xe9.jpg"), (Tag("été", 0.5),), Caption("東京", -1.0))
HOSTILE = Annotation("x\n\x1b[31m\t'\".jpg", (Tag("a,b", 0.5),), Caption('say "hi"', -1.0))
EVERY = (DOG, FAILED, NO_UTF8, HOSTILE, Annotation(None))


def written(form: str, path: Path, *annotations: Annotation) -> str:
    with open_writer(form, path) as writer:
        for annotation in annotations:
            writer.write(annotation)
    return path.read_bytes().decode("utf-8")


def test_jsonl_round_trip(tmp_path):
    text = written("jsonl", tmp_path / "a.jsonl", *EVERY)
    assert [Annotation.from_json(line) for line in text.split("\n")[:-1]] == list(EVERY)


def test_csv(tmp_path):
    text = written("csv", tmp_path / "a.csv", *EVERY)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert text.startswith("file_name,caption,caption_score,tags,tag_scores,error\r\n")
    assert rows[1] == ["a/b.jpg", "a dog runs", "-0.61", "dog; grass", "0.97; 0.5", ""]
    assert rows[2] == ["c.jpg", "", "", "", "", "c.jpg cannot be read"]
    assert rows[3][:2] == ["caf\\udce9.jpg", "東京"]
    assert rows[4][:2] == [HOSTILE.file_name, 'say "hi"']
    assert len(rows) == 1 + len(EVERY)


def test_csv_holds_no_formula_and_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["=1+1.jpg", "-x.jpg", "+x.jpg", "@x.jpg"]
    text = written("csv", Path("a.csv"), *(Annotation(name, (Tag("=cmd", 1.0),)) for name in names))
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert not any(cell[:1] in tuple("=+-@\t\r") for row in rows for cell in row if cell)
    assert [Path(row[0]) for row in rows] == [Path(name) for name in names]
    assert rows[0][3] == "'=cmd"


def test_txt_is_one_line_of_three_fields_a_picture(tmp_path):
    text = written("txt", tmp_path / "a.txt", *EVERY)
    lines = [line.split("\t") for line in text.splitlines()]
    assert lines[0] == ["a/b.jpg", "dog, grass", "a dog runs"]
    assert lines[1] == ["c.jpg", "", ""]
    assert [len(line) for line in lines] == [3] * len(EVERY)
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [80, 200])
def test_table_fits_and_says_everything(tmp_path, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = written("table", tmp_path / "a.txt", *EVERY, Annotation("w" * 300 + ".jpg"))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "dog 97%, grass 50%" in text
    assert "a dog runs" in text
    assert "c.jpg cannot be read" in text
    assert "\\x1b" in text and "\x1b" not in text


def test_table_breaks_a_long_name_after_its_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = written("table", tmp_path / "a.txt", Annotation("holiday/picture_0001.jpg")).splitlines()
    assert [line.split()[0] for line in lines] == ["picture", "holiday/", "picture_0001.jpg"]


@pytest.mark.parametrize("form", ["jsonl", "csv", "txt", "table"])
def test_stdout(capfd, form):
    with open_writer(form) as writer:
        for annotation in EVERY:
            writer.write(annotation)
    assert "a/b.jpg" in capfd.readouterr().out


@pytest.mark.parametrize("form", ["jsonl", "csv", "txt", "table"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_interruption_leaves_the_older_file(tmp_path, form, error):
    path = tmp_path / "a.out"
    path.write_text("old")
    with pytest.raises(error), open_writer(form, path) as writer:
        writer.write(DOG)
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_folder_mirrors_names(tmp_path):
    out = tmp_path / "out"
    with open_writer("txt", out) as writer:
        writer.write(DOG)
        writer.write(FAILED)
        writer.write(Annotation("/etc/../../up.jpg", (Tag("x", 1.0),)))
    files = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.txt")}
    assert files == {"out/a/b.txt": "dog, grass\n", "out/etc/up.txt": "x\n"}


def test_text_folder_beside_the_pictures(tmp_path):
    with open_writer("txt", tmp_path, content="caption", base=tmp_path) as writer:
        writer.write(Annotation((tmp_path / "q/a.jpg").as_posix(), caption=DOG.caption))
    assert (tmp_path / "q/a.txt").read_text() == "a dog runs\n"


def test_text_folder_keeps_what_it_did_not_write(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with TextFolderWriter(tmp_path) as writer:
        writer.write(Annotation("mine.jpg", (Tag("x", 1.0),)))
        writer.write(Annotation("new.jpg", (Tag("x", 1.0),)))
        writer.write(Annotation("new.png", (Tag("y", 1.0),)))
    assert writer.left == ["mine.jpg", "new.png"]
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / "new.txt").read_text() == "x\n"


def test_text_folder_overwrites_when_told_but_never_its_own(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with TextFolderWriter(tmp_path, overwrite=True) as writer:
        writer.write(Annotation("a.jpg", (Tag("x", 1.0),)))
        writer.write(Annotation("a.png", (Tag("y", 1.0),)))
    assert (tmp_path / "a.txt").read_text() == "x\n"
    assert writer.left == ["a.png"]


def test_txt_output_with_a_suffix_is_a_file(tmp_path):
    written("txt", tmp_path / "all.txt", DOG)
    assert (tmp_path / "all.txt").is_file()


def test_refusals(tmp_path):
    with pytest.raises(SemregError, match="format must be one of jsonl, csv, parquet, txt, table, is 'xml'"):
        open_writer("xml")
    with pytest.raises(SemregError, match="content of text files must be 'tags' or 'caption'"):
        open_writer("txt", tmp_path, content="both")
    with pytest.raises(SemregError, match="it is a folder"), open_writer("jsonl", tmp_path):
        pass
    with pytest.raises(SemregError, match="without file name"), TextFolderWriter(tmp_path) as writer:
        writer.write(Annotation(None))
    (tmp_path / "file").touch()
    with pytest.raises(SemregError, match="cannot make the folder"), TextFolderWriter(tmp_path / "file/x"):
        pass
