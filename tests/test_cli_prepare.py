"""`semreg prepare` as people meet it: every format from end to end, exit statuses, and nothing half written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from official import captions, instances, karpathy, nuswide, picture, put, voc
from semreg.cli.prepare import prepare
from semreg.data.readers import READERS
from semreg.data.records import read_records

FORMATS = tuple(READERS)


def semreg(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `semreg prepare` as a process of its own."""
    command = [sys.executable, "-c", "from semreg.cli import main; main()", "prepare", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert done.stderr.startswith("semreg: ") and len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def with_pictures(pictures: Path) -> None:
    """Put a file in the place of each picture of the set that was written, and write the set again."""
    for record in read_records(pictures):
        picture(record.path)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "my álbum"
    for name in ("a.jpg", "b.jpg"):
        picture(folder / name)
    put(folder / "labels.csv", 'file_name,tags\na.jpg,dog\nb.jpg,"dog,cat"\nsub/gone.jpg,cat\n')
    return folder


def test_every_format_has_a_command_that_helps_with_an_example() -> None:
    commands = typer.main.get_command(prepare).commands  # type: ignore[attr-defined]
    assert set(commands) == set(FORMATS)
    assert all(f"semreg prepare {name} " in commands[name].help for name in FORMATS)


def test_help_loads_neither_torch_nor_the_readers() -> None:
    code = (
        "import sys\nfrom semreg.cli import main\ntry: main()\n"
        "except SystemExit: print({'torch', 'PIL', 'semreg.data.readers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, "prepare", "coco", "-h"], capture_output=True, text=True)
    assert done.stdout.strip().endswith("set()")


def make(form: str, folder: Path) -> tuple[list[object], list[str]]:
    """Official files of a format: the arguments to prepare them, and the splits of what must come out."""
    if form == "coco":
        for part in ("train2014", "val2014"):
            put(folder / f"annotations/instances_{part}.json", instances(part))
            put(folder / f"annotations/captions_{part}.json", captions(part))
        return [folder, "--val-as", "val"], ["train"] * 3 + ["val"] * 3
    if form == "karpathy":
        return [folder, put(folder / "dataset_coco.json", karpathy())], ["test", "train", "train", "val"]
    if form == "nuswide":
        return [nuswide(folder), "--unlabelled"], ["train"] * 3 + ["test"] * 2
    if form == "voc":
        return [voc(folder), "--difficult"], ["train"] * 2 + ["val"] * 2 + ["test"] * 2
    if form == "flickr8k":
        put(folder / "text/Flickr8k.token.txt", "a.jpg#0\tA.\nb.jpg#0\tB.\nc.jpg#0\tC.\n")
        for part, name in (("train", "a"), ("dev", "b"), ("test", "c")):
            put(folder / f"text/Flickr_8k.{part}Images.txt", f"{name}.jpg\n")
        return [folder, "--annotations", folder / "text"], ["train", "val", "test"]
    if form == "corel5k":
        put(folder / "words", "city\nsky\n")
        put(folder / "training_label", "1 1\n2 2\n")
        put(folder / "test_label", "3 1 2\n")
        return [folder, "--all-words"], ["train"] * 2 + ["test"]
    if form == "csv":
        return [folder, put(folder / "t.tsv", "file_name\ttags\na.jpg\tx\nb.jpg\ty;z\n"), "--separator", ";"], [
            "train"
        ] * 2
    put(picture(folder / "a.jpg").with_suffix(".txt"), "dog")
    put(picture(folder / "test/b.jpg").with_suffix(".txt"), "cat")
    return [folder], ["test", "train"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_becomes_a_set_that_is_read(form: str, tmp_path: Path) -> None:
    arguments, splits = make(form, tmp_path)
    done = semreg(form, *arguments, "--missing", "keep")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'metadata.jsonl'}\n"), done.stderr
    records = read_records(tmp_path)
    assert sorted(record.split for record in records) == sorted(splits)
    assert any(record.tags or record.captions for record in records)
    assert done.stderr.splitlines()[0].split() == ["split", "pictures", "tags", "captions"]
    with_pictures(tmp_path)  # now that they are there, the same command has nothing to complain of
    done = semreg(form, *arguments, "--force")
    assert done.returncode == 0 and "not on disk" not in done.stderr, done.stderr
    assert [(r.split, r.tags, r.captions) for r in read_records(tmp_path)] == [
        (r.split, r.tags, r.captions) for r in records
    ]


def test_missing_pictures_are_counted_named_and_kept_with_status_1(album: Path) -> None:
    done = semreg("csv", album, album / "labels.csv")
    assert (done.returncode, done.stdout) == (1, f"{album / 'metadata.jsonl'}\n")
    assert "1 of 3 pictures are not on disk (kept): sub/gone.jpg" in done.stderr
    assert "train              3         4         0" in done.stderr
    assert "2 different tags; most frequent: dog, cat" in done.stderr
    assert len(read_records(album)) == 3


def test_missing_pictures_may_be_dropped_before_some_are_held_out(album: Path, tmp_path: Path) -> None:
    arguments = ("csv", album, album / "labels.csv", "--missing", "drop", "--holdout", "0.5", "-o", tmp_path / "set")
    done = semreg(*arguments, "--seed", 3)
    assert done.returncode == 0 and "1 of 3 pictures are not on disk (left out)" in done.stderr
    records = read_records(tmp_path / "set")
    assert sorted(record.split for record in records) == ["train", "val"]
    assert all(record.path.exists() and record.file_name.startswith("pictures/") for record in records)


def test_a_folder_without_any_of_the_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    table = put(tmp_path / "labels.csv", "file_name,tags\na.jpg,dog\n")
    done = semreg("csv", tmp_path / "empty", table)
    refused(done, "none of the 1 pictures is there", str(tmp_path / "empty" / "a.jpg"), "--missing keep")
    refused(semreg("csv", tmp_path / "empty", table, "--missing", "drop"), "none of the 1 pictures is there")
    assert files_below(tmp_path) == {"empty", "labels.csv"}


def test_what_is_there_is_not_overwritten_and_not_even_read_for(album: Path) -> None:
    put(album / "metadata.jsonl", "mine")
    done = semreg("csv", album, album / "no such table.csv")
    refused(done, "metadata.jsonl exists already: pass --force to overwrite it, or --output FOLDER")
    assert semreg("csv", album, album / "labels.csv", "--force", "--missing", "keep").returncode == 0
    assert len(read_records(album)) == 3


@pytest.mark.parametrize("before", [None, "mine"])
def test_a_damaged_file_leaves_everything_as_it_was(tmp_path: Path, before: str | None) -> None:
    arguments, _ = make("coco", tmp_path)
    if before is not None:
        put(tmp_path / "metadata.jsonl", before)
    path = tmp_path / "annotations/captions_val2014.json"
    path.write_text(json.dumps(captions("val2014"))[:-40], encoding="utf-8")
    there = files_below(tmp_path)
    refused(semreg("coco", *arguments, "--force"), "captions_val2014.json, line 1 column", "the file is cut short")
    refused(semreg("coco", *arguments, "--force", "-o", tmp_path / "set"), "the file is cut short")
    assert files_below(tmp_path) == there
    if before is not None:
        assert (tmp_path / "metadata.jsonl").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("coco", ".", "--file", "export.json"), "--file must be SPLIT=FILE, is 'export.json'"),
        (("coco", ".", "--file", "train=gone.json"), "gone.json does not exist"),
        (("coco", "."), "must have one of instances_train2014.json"),
        (("coco", "gone"), "the pictures' folder 'gone' does not exist: name the folder"),
        (("csv", ".", "t.csv", "--delimiter", "||"), "--delimiter must be one character, is '||'"),
        (("csv", ".", "t.csv", "--separator", ""), "--separator must not be empty"),
        (("csv", ".", "t.csv", "--missing", "ask"), "--missing must be keep or drop, is 'ask'"),
        (("csv", ".", "t.csv", "--holdout", "2"), "--holdout must lie above 0 and below 1, is 2.0"),
        (("nuswide", ".", "--test-labels", "l.txt"), "--test-labels belongs to a list: pass --test-list FILE too"),
        (("karpathy", ".", "gone.json"), "gone.json does not exist"),
    ],
)
def test_mistakes_are_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "t.csv", "file_name,tags\na.jpg,dog\nb.jpg,cat\n")
    picture(tmp_path / "a.jpg")
    refused(semreg(*arguments), said)
    assert files_below(tmp_path) == {"t.csv", "a.jpg"}


def test_nuswide_is_read_by_lists(tmp_path: Path) -> None:
    put(tmp_path / "Concepts81.txt", "sky\nsea\n")
    put(tmp_path / "train.txt", "a\\1.jpg x\na\\2.jpg y\n")
    put(tmp_path / "train_label.txt", "0 1\n1 1\n")
    put(tmp_path / "test.txt", "a/3.jpg 1 0\n")
    picture(tmp_path / "Flickr/a/2.jpg")
    done = semreg(
        *("nuswide", tmp_path, "--train-list", tmp_path / "train.txt", "--train-labels", tmp_path / "train_label.txt"),
        *("--test-list", tmp_path / "test.txt", "--missing", "keep"),
    )
    assert done.returncode == 0, done.stderr
    assert [(r.file_name, r.split, r.tags) for r in read_records(tmp_path)] == [
        ("Flickr/a/1.jpg", "train", ("sea",)),
        ("Flickr/a/2.jpg", "train", ("sky", "sea")),
        ("Flickr/a/3.jpg", "test", ("sky",)),
    ]


def test_karpathy_s_restval_is_left_out_on_demand(tmp_path: Path) -> None:
    path = put(tmp_path / "dataset_coco.json", karpathy())
    done = semreg("karpathy", tmp_path, path, "--restval", "none", "--missing", "keep")
    assert done.returncode == 0 and [record.split for record in read_records(tmp_path)] == ["test", "train", "val"]


def options(form: str, folder: Path) -> tuple[list[object], list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]]:
    """A command with all the options of its own that a format has, and the records that come of it."""
    if form == "coco":
        put(folder / "instances_val2017.json", instances("val2017"))
        flags = ["--annotations", folder, "--year", 2017, "--val-as", "val", "--labelled-only", "--flat"]
        name = "COCO_val2017_%012d.jpg"
        return [folder, *flags], [
            (name % 9, "val", ("car",), ()),
            (name % 25, "val", ("person", "giraffe"), ()),
        ]
    if form == "coco by file":
        one, two = put(folder / "a.json", captions("a")), put(folder / "b.json", instances("b"))
        done = [folder, "--file", f"train={one}", "--file", f"odd={two}", "--labelled-only"]
        return done, [
            (f"COCO_b_{n:012}.jpg", "odd", tags, ()) for n, tags in ((9, ("car",)), (25, ("person", "giraffe")))
        ]
    if form == "voc":
        voc(voc(folder), 2012, ("train", "val"))
        base = "VOC2012/JPEGImages/00000%d.jpg"
        expected = [(5, ("chair",)), (6, ("dog", "chair")), (7, ("chair",)), (8, ("dog", "chair"))]
        arguments = [folder, "--year", 2012, "--val-as", "train", "--difficult"]
        return arguments, [(base % n, "train", tags, ()) for n, tags in expected]
    if form == "csv":
        table = put(folder / "t.txt", "p;w;e;f;s\na.jpg;dog|cat;A dog.;Un chien.;odd\n")
        columns = ["--file-name", "p", "--tags", "w", "--caption", "e", "--caption", "f", "--split", "s"]
        arguments = [folder, table, *columns, "--separator", "|", "--delimiter", ";"]
        return arguments, [("a.jpg", "odd", ("dog", "cat"), ("A dog.", "Un chien."))]
    put(picture(folder / "a.jpg").with_suffix(".txt"), "A dog, and a cat.\nTwo animals.")
    return [folder, "--captions"], [("a.jpg", "train", (), ("A dog, and a cat.", "Two animals."))]


@pytest.mark.parametrize("form", ["coco", "coco by file", "voc", "csv", "txt"])
def test_every_option_reaches_its_reader(form: str, tmp_path: Path) -> None:
    arguments, expected = options(form, tmp_path)
    done = semreg(form.split()[0], *arguments, "--missing", "keep")
    assert done.returncode == 0, done.stderr
    assert [(r.file_name, r.split, r.tags, r.captions) for r in read_records(tmp_path)] == expected
