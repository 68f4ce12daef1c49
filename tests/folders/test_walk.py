"""Finding pictures: order, what is left out, circles, overlaps, and the sentences when there is nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from semreg.errors import SemregError
from semreg.folders.walk import find_pictures


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*paths: str) -> list[str]:
    return [picture.file_name for picture in find_pictures([Path(path) for path in paths])]


def test_natural_order_files_before_folders(here):
    make("p/10.jpg", "p/2.jpg", "p/B.png", "p/a.png", "p/b10/1.jpg", "p/b9/1.jpg", "p/c.WEBP")
    assert found("p") == [
        "p/2.jpg",
        "p/10.jpg",
        "p/a.png",
        "p/B.png",
        "p/c.WEBP",
        "p/b9/1.jpg",
        "p/b10/1.jpg",
    ]


def test_names_are_as_given(here):
    make("p/q/a.jpg")
    assert found("p/q") == ["p/q/a.jpg"]
    assert found("./p") == ["p/q/a.jpg"]
    assert found(str(here / "p")) == [(here / "p/q/a.jpg").as_posix()]


def test_hidden_system_and_other_files_are_left_out(here):
    make(
        *("p/a.jpg", "p/.b.jpg", "p/._a.jpg", "p/.git/c.jpg", "p/@eaDir/a.jpg", "p/__MACOSX/a.jpg"),
        *("p/$RECYCLE.BIN/a.jpg", "p/Thumbs/a.jpg", "p/notes.txt", "p/jpg", "p/.jpg"),
    )
    assert found("p") == ["p/a.jpg"]


def test_a_folder_named_like_a_picture_is_searched(here):
    make("p/x.jpg/y.jpg")
    assert found("p") == ["p/x.jpg/y.jpg"]


def test_named_files_are_always_tried(here):
    make("picture", ".hidden.jpg", ".dir/a.jpg")
    assert found("picture", ".hidden.jpg", ".dir") == ["picture", ".hidden.jpg", ".dir/a.jpg"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("p", "p/a.jpg"), ["p/a.jpg", "p/q/b.jpg"]),
        (("p/q/b.jpg", "p", "p"), ["p/q/b.jpg", "p/a.jpg"]),
        (("p/q", "p"), ["p/q/b.jpg", "p/a.jpg"]),
        (("p/a.jpg", "./p/a.jpg", "p/q/../a.jpg"), ["p/a.jpg"]),
    ],
)
def test_overlapping_paths_yield_each_picture_once(here, paths, names):
    make("p/a.jpg", "p/q/b.jpg")
    assert found(*paths) == names


def test_a_named_file_that_the_folder_leaves_out_is_still_tried(here):
    make("p/a.jpg", "p/raw.dat")
    assert found("p", "p/raw.dat") == ["p/a.jpg", "p/raw.dat"]


def test_symbolic_links(here):
    make("p/a.jpg", "elsewhere/b.jpg")
    Path("p/up").symlink_to("..")
    Path("p/self").symlink_to("self")
    Path("p/broken.jpg").symlink_to("gone.jpg")
    Path("p/link").symlink_to(here / "elsewhere")
    assert found("p") == ["p/a.jpg", "p/link/b.jpg"]


def test_name_that_is_no_utf8(here):
    make("p/a.jpg")
    Path(os.fsdecode(b"p/caf\xe9.jpg")).touch()
    assert found("p") == ["p/a.jpg", os.fsdecode(b"p/caf\xe9.jpg")]


def test_missing_path_is_said_before_anything_is_searched(here):
    make("p/a.jpg")
    with pytest.raises(SemregError, match=r"file or folder does not exist: p/none"):
        find_pictures([Path("p"), Path("p/none")])


def test_nothing_found_names_folder_and_suffixes(here):
    make("p/notes.txt", "q/.x.jpg")
    with pytest.raises(SemregError, match=r"no pictures found in: p, q \(looked for \.jpg \.jpeg .*\.png"):
        found("p", "q")


def test_unreadable_folders(here, monkeypatch, caplog):
    make("p/a.jpg", "p/locked/b.jpg")
    listed = os.scandir

    def scandir(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert found("p") == ["p/a.jpg"]
    assert "cannot read the folder p/locked: Permission denied" in caplog.text
    with pytest.raises(SemregError, match="cannot read the folder p/locked"):
        found("p/locked")
