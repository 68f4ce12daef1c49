"""Taking back: byte for byte where nobody touched a file, the machine's part alone where somebody did."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from album import FakeAnnotator, make_album, open_journal, run
from test_library import contents

from semreg.errors import SemregError
from semreg.folders.labels import Labels
from semreg.folders.targets import TextTarget, XmpTarget
from semreg.folders.undo import Undo, Undone, last_run
from semreg.metadata import read


def undo(folder: Path, number: str | None = None, **options) -> tuple[Undone, list[str]]:
    notes: list[str] = []
    with open_journal(folder) as journal:
        work = Undo(journal, number or last_run(journal), notes.append, **options)
        assert sum(work.take_back()) >= 0
    return work.done, notes


@pytest.mark.parametrize("target", [XmpTarget(), XmpTarget(sidecar_only=True), TextTarget()])
def test_everything_is_what_it_was(tmp_path: Path, target: XmpTarget | TextTarget) -> None:
    paths = make_album(tmp_path, 24)
    for path in paths:
        os.utime(path, ns=(10**18, 10**18 + 7))
    before = contents(tmp_path)
    library, _, _ = run(tmp_path, target=target)
    assert contents(tmp_path) != before
    done, notes = undo(tmp_path)
    assert (done.files, done.failed, notes) == (24, 0, [])
    assert contents(tmp_path) == before
    assert all(path.stat().st_mtime_ns == 10**18 + 7 for path in paths)
    with pytest.raises(SemregError, match="nothing to take back"):
        undo(tmp_path)
    annotator = FakeAnnotator()
    library, _, _ = run(tmp_path, annotator, target=target)
    assert annotator.asked == [] and library.counts.written == 24  # what the model said is still known


def test_a_picture_that_was_renamed_or_moved_is_found(tmp_path: Path) -> None:
    paths = make_album(tmp_path)
    data = {path.name: path.read_bytes() for path in paths}
    run(tmp_path)
    paths[0].rename(tmp_path / "other name.jpg")
    (tmp_path / "new").mkdir()
    paths[1].rename(tmp_path / "new" / paths[1].name)
    done, notes = undo(tmp_path)
    assert (done.files, notes) == (8, [])
    assert (tmp_path / "other name.jpg").read_bytes() == data["000.jpg"]
    assert (tmp_path / "new" / "001.png").read_bytes() == data["001.png"]


def test_what_was_edited_since_loses_the_machine_s_part_only(tmp_path: Path) -> None:
    paths = make_album(tmp_path)
    run(tmp_path)
    for place, path in enumerate((paths[0], paths[4])):
        tag = read(path.read_bytes()).tags[-1]
        old, new = f"<rdf:li>{tag}</rdf:li>".encode(), b"<rdf:li>" + b"me".ljust(len(tag)) + b"</rdf:li>"
        path.write_bytes(path.read_bytes().replace(old, new, 1))
        if place:
            path.rename(tmp_path / "renamed and edited.jpg")
    done, notes = undo(tmp_path)
    assert (done.files, done.touched, done.failed) == (8, 2, 0) and len(notes) == 2
    for path in (paths[0], tmp_path / "renamed and edited.jpg"):
        known = read(path.read_bytes())
        assert known.machine is None and known.caption is None and [tag.strip() for tag in known.tags] == ["me"]


def test_what_is_gone_or_was_edited_as_text_is_named(tmp_path: Path) -> None:
    paths = make_album(tmp_path, 4)
    run(tmp_path, target=TextTarget())
    paths[0].with_suffix(".txt").write_text("mine")
    paths[1].with_suffix(".txt").unlink()
    done, notes = undo(tmp_path)
    assert (done.files, done.failed) == (2, 2)
    assert "somebody has changed it" in notes[0] and "is not there any more" in notes[1]
    assert paths[0].with_suffix(".txt").read_text() == "mine"


def test_runs_are_taken_back_in_turn(tmp_path: Path) -> None:
    make_album(tmp_path)
    before = contents(tmp_path)
    first = run(tmp_path)[0].run
    between = contents(tmp_path)
    second = run(tmp_path, rules=Labels(prefix="ai:"), refresh=True)[0].run
    assert first and second and first != second
    done, notes = undo(tmp_path, first)
    assert done.failed == 8 and notes == [
        f"8 of the files were written by the run {second} as well: take that back first"
    ]
    undo(tmp_path, second)
    assert contents(tmp_path) == between
    undo(tmp_path, first)
    assert contents(tmp_path) == before


def test_an_undo_that_was_stopped_goes_on(tmp_path: Path) -> None:
    make_album(tmp_path, 40)
    before = contents(tmp_path)
    run(tmp_path)
    with open_journal(tmp_path) as journal:
        next(Undo(journal, last_run(journal), print).take_back())
    assert contents(tmp_path) != before
    done, _ = undo(tmp_path)
    assert done.files == 24 and contents(tmp_path) == before


def test_an_unknown_run_is_one_sentence(tmp_path: Path) -> None:
    make_album(tmp_path, 1)
    number = run(tmp_path)[0].run
    with pytest.raises(SemregError, match=f"has no run 7: known are {number}"):
        undo(tmp_path, "7")
