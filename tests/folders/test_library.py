"""A folder annotated in place: what is written, what is done again and what is not, and what stays as it was."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from album import KINDS, FakeAnnotator, make_album, open_journal, pixels, run
from PIL import Image

from semreg.errors import PictureError, SemregError
from semreg.folders.journal import Journal
from semreg.folders.labels import Labels, Name
from semreg.folders.library import Library
from semreg.folders.targets import TextTarget, XmpTarget
from semreg.folders.undo import Undo, last_run
from semreg.folders.walk import find_pictures
from semreg.metadata import read
from semreg.options import Options


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".semreg" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_picture_gets_its_tags_and_keeps_its_pixels_times_and_mode(tmp_path: Path) -> None:
    paths = make_album(tmp_path)
    for path in paths:
        os.utime(path, ns=(10**18, 10**18 + 7))
        path.chmod(0o640)
    before = {path: pixels(path) for path in paths}
    library, told, notes = run(tmp_path)
    assert (library.counts.annotated, library.counts.written, notes) == (8, 8, [])
    by_name = {annotation.file_name: annotation for annotation in told}
    for path in paths:
        known = read(path.read_bytes())
        assert known.tags == tuple(tag.label for tag in by_name[path.as_posix()].tags)
        assert known.machine is not None and known.machine.model == "fake@1"
        assert pixels(path) == before[path]
        assert path.stat().st_mtime_ns == 10**18 + 7 and path.stat().st_mode & 0o777 == 0o640
    assert all(name.split(".")[-1] in KINDS for name in contents(tmp_path))


def test_a_second_run_asks_the_model_nothing_and_changes_nothing(tmp_path: Path) -> None:
    make_album(tmp_path)
    run(tmp_path)
    before = contents(tmp_path)
    annotator = FakeAnnotator()
    library, told, _ = run(tmp_path, annotator)
    assert (annotator.asked, told, library.run, library.counts.unchanged) == ([], [], None, 8)
    assert contents(tmp_path) == before


def test_new_and_changed_pictures_are_done_moved_and_copied_ones_are_not_computed_again(tmp_path: Path) -> None:
    paths = make_album(tmp_path)
    run(tmp_path)
    paths[0].rename(tmp_path / "moved.jpg")
    shutil.copy(paths[1], tmp_path / "copy.png")
    Image.new("RGB", (24, 16), "white").save(paths[2])
    Image.new("RGB", (24, 16), "red").save(tmp_path / "new.png")
    os.utime(paths[3])  # touched only
    annotator = FakeAnnotator()
    library, _, _ = run(tmp_path, annotator)
    assert sorted(annotator.asked) == sorted([paths[2].as_posix(), (tmp_path / "new.png").as_posix()])
    assert library.counts.written == 2  # the copy holds its tags already
    with open_journal(tmp_path) as journal:
        assert journal.picture(Path("moved.jpg")) and not journal.picture(Path("a/000.jpg"))


def test_what_somebody_edits_is_left_alone_and_removed_tags_do_not_come_back(tmp_path: Path) -> None:
    path = make_album(tmp_path, 1)[0]
    run(tmp_path)
    data = path.read_bytes()
    gone = read(data).tags[0]
    edited = data.replace(f"<rdf:li>{gone}</rdf:li>".encode(), b"<rdf:li>mine</rdf:li>".ljust(len(gone) + 17), 1)
    assert edited != data
    path.write_bytes(edited)
    annotator = FakeAnnotator()
    library, _, _ = run(tmp_path, annotator)
    assert (annotator.asked, library.counts.edited) == ([], 1) and path.read_bytes() == edited
    run(tmp_path, FakeAnnotator("fake@2"), refresh=True)
    assert "mine" in read(path.read_bytes()).tags and gone not in read(path.read_bytes()).tags


def test_other_settings_make_stale_and_only_refresh_writes_again(tmp_path: Path) -> None:
    paths = make_album(tmp_path)
    run(tmp_path)
    before = contents(tmp_path)
    prefixed = Labels(prefix="ai:")
    annotator = FakeAnnotator()
    library, _, _ = run(tmp_path, annotator, rules=prefixed)
    assert library.counts.stale == 8 and contents(tmp_path) == before
    library, _, _ = run(tmp_path, annotator, rules=prefixed, refresh=True)
    assert annotator.asked == [] and library.counts.written == 8  # the model said the same: it is not asked again
    assert all(tag.startswith("ai:") for tag in read(paths[0].read_bytes()).tags)
    run(tmp_path, FakeAnnotator("fake@2"), rules=prefixed, refresh=True)
    assert read(paths[0].read_bytes()).machine.model == "fake@2"  # type: ignore[union-attr]


HUMAN = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>holiday</rdf:li>
</rdf:Bag></dc:subject><dc:description><rdf:Alt><rdf:li xml:lang="x-default">Anna in Brittany</rdf:li></rdf:Alt>
</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("existing", ["keep", "merge", "replace-machine"])
def test_tags_and_captions_of_a_human_stay(tmp_path: Path, existing: str) -> None:
    Image.new("RGB", (24, 16), "red").save(tmp_path / "x.jpg", xmp=HUMAN)
    before = (tmp_path / "x.jpg").read_bytes()
    run(tmp_path, target=XmpTarget(existing))  # type: ignore[arg-type]
    known = read((tmp_path / "x.jpg").read_bytes())
    assert known.caption == "Anna in Brittany" and known.tags[0] == "holiday"
    assert (len(known.tags) > 1) == (existing == "merge")
    assert ((tmp_path / "x.jpg").read_bytes() == before) == (existing != "merge")


def test_hierarchy_goes_where_a_label_has_a_parent(tmp_path: Path) -> None:
    paths = make_album(tmp_path)
    names = {word: Name(word.title(), ("thing",), "Life|Sea") for word in FakeAnnotator().labels}
    run(tmp_path, rules=Labels(names=names, always=("Brittany",)))
    known = read(paths[0].read_bytes())
    assert known.tags[-1] == "Brittany" and "thing" in known.tags and known.tags[0][0].isupper()
    assert all(way.startswith("Life|Sea|") for way in known.hierarchy) and known.hierarchy


@pytest.mark.parametrize(("naming", "name"), [("darktable", "x.nef.xmp"), ("lightroom", "x.xmp")])
def test_raw_files_and_kinds_that_hold_no_xmp_get_a_sidecar(tmp_path: Path, naming: str, name: str) -> None:
    Image.new("RGB", (9, 9), "red").save(tmp_path / "x.jpg")
    (tmp_path / "x.nef").write_bytes(b"II*\0 a raw file that is seen by the JPEG beside it")
    Image.new("RGB", (9, 9), "red").save(tmp_path / "y.bmp")
    raw, bitmap = (tmp_path / "x.nef").read_bytes(), (tmp_path / "y.bmp").read_bytes()
    library, _, notes = run(tmp_path, target=XmpTarget(naming=naming))  # type: ignore[arg-type]
    assert (library.counts.written, notes) == (3, [])
    assert read((tmp_path / name).read_bytes()).tags == read((tmp_path / "x.jpg").read_bytes()).tags
    assert (tmp_path / "x.nef").read_bytes() == raw and (tmp_path / "y.bmp").read_bytes() == bitmap


def test_two_pictures_never_share_a_sidecar(tmp_path: Path) -> None:
    for name, colour in (("x.jpg", "red"), ("x.png", "blue")):
        Image.new("RGB", (9, 9), colour).save(tmp_path / name)
    library, _, notes = run(tmp_path, target=XmpTarget(naming="lightroom", sidecar_only=True))
    assert library.counts.kept == 1 and "is about x.jpg already" in notes[0]


def test_texts_beside_pictures_are_ours_or_kept(tmp_path: Path) -> None:
    paths = make_album(tmp_path, 4)
    mine = paths[0].with_suffix(".txt")
    mine.write_text("my own words")
    library, _, notes = run(tmp_path, target=TextTarget())
    assert (library.counts.written, library.counts.kept) == (3, 1) and "000.txt" in notes[0]
    ours = paths[1].with_suffix(".txt")
    assert mine.read_text() == "my own words" and ours.read_text().endswith("\n")
    run(tmp_path, target=TextTarget("caption"), refresh=True)
    assert ours.read_text().startswith("a ")
    ours.write_text("corrected")
    run(tmp_path, target=TextTarget("tags"), refresh=True)
    assert ours.read_text() == "corrected"


def test_links_stay_links_and_hard_links_stay_one_file(tmp_path: Path) -> None:
    outside = make_album(tmp_path / "elsewhere", 3)
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "link.jpg").symlink_to(outside[0])
    (folder / "hard.png").hardlink_to(outside[1])
    (folder / "same.jpg").symlink_to("link.jpg")
    for number in range(6):  # so many that the other name comes in a later batch
        Image.new("RGB", (9, 9), (number, 0, 0)).save(folder / f"m{number}.png")
    (folder / "z.jpg").symlink_to("link.jpg")
    _, _, notes = run(folder)
    assert notes == [] and run(folder)[2] == []
    assert (folder / "link.jpg").is_symlink() and read(outside[0].read_bytes()).machine
    assert (folder / "hard.png").samefile(outside[1]) and read(outside[1].read_bytes()).machine
    assert not list(tmp_path.rglob("*semreg-tmp*"))


def test_what_cannot_be_read_or_written_is_named_and_tried_again(tmp_path: Path) -> None:
    paths = make_album(tmp_path, 4)
    paths[0].write_bytes(paths[0].read_bytes()[:100])
    paths[1].write_bytes(b"")
    for _ in range(2):
        library, _, notes = run(tmp_path)
        assert library.counts.failed == 2 and "000.jpg" in notes[0] and "001.png is empty" in notes[1]
    run(tmp_path, retry=False)
    library, _, notes = run(tmp_path, retry=False)
    assert notes == [] and library.counts.failed == 0


def test_a_picture_that_could_not_be_opened_is_done_when_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_album(tmp_path, 2)

    def closed(path: Path, **options: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("semreg.folders.library.file_hash", closed)
        patched.setattr("album.read_picture", lambda path: (_ for _ in ()).throw(PictureError(f"{path} is closed")))
        assert run(tmp_path)[0].counts.failed == 2
    library, _, notes = run(tmp_path)  # its size and its time are what they were
    assert (library.counts.written, notes) == (2, [])


def test_a_picture_that_breaks_after_it_was_done_is_named_every_time(tmp_path: Path) -> None:
    path = make_album(tmp_path, 1)[0]
    run(tmp_path)
    path.write_bytes(b"")
    for _ in range(2):
        library, _, notes = run(tmp_path)
        assert library.counts.failed == 1 and "is empty" in notes[0]


def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path) -> None:
    make_album(tmp_path)
    before = contents(tmp_path)
    annotator = FakeAnnotator()
    foretold = []
    with Journal(tmp_path / ".semreg" / "journal.sqlite", dry=True) as journal:
        foretell = lambda contents, told: foretold.append(contents.target.name)  # noqa: E731
        library = Library(journal, XmpTarget(), Labels(), "fake@1", "", foretell=foretell)
        list(library.annotate(find_pictures([tmp_path]), annotator, Options()))  # type: ignore[arg-type]
    assert len(foretold) == 8 and contents(tmp_path) == before and not (tmp_path / ".semreg").exists()


def test_a_journal_that_cannot_grow_is_one_sentence_and_nothing_is_spoilt(tmp_path: Path) -> None:
    make_album(tmp_path, 24)
    before = contents(tmp_path)
    with open_journal(tmp_path):
        pass
    stopped = 0
    for pages in range(400):  # as on a disk that is full, and a little less full at each try
        try:
            _run_with(tmp_path, pages)
            break
        except SemregError as error:
            assert "cannot go on with the journal" in str(error) and "disk is full): make room" in str(error)
            stopped += 1
    assert stopped > 2
    assert run(tmp_path)[0].counts.annotated == 0
    assert all(read(path.read_bytes()).machine for path in tmp_path.rglob("*.jpg"))
    with open_journal(tmp_path) as journal:
        list(Undo(journal, last_run(journal), print).take_back())
    assert contents(tmp_path) == before


def _run_with(folder: Path, pages: int) -> None:
    """A run whose journal may have only so many more pages (of 4 KiB)."""
    annotator = FakeAnnotator()
    with open_journal(folder) as journal:
        size = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count = {size + pages}")
        library = Library(journal, XmpTarget(), Labels(), annotator.name, "beams=1")
        list(library.annotate(find_pictures([folder]), annotator, Options(batch_size=4)))  # type: ignore[arg-type]


def test_one_run_at_a_time_and_anybody_may_read(tmp_path: Path) -> None:
    make_album(tmp_path, 1)
    file = tmp_path / ".semreg" / "journal.sqlite"
    with open_journal(tmp_path):
        with pytest.raises(SemregError, match="another run is at work"):
            Journal(file)
        with Journal(file, reading=True) as other:
            assert other.runs() == []


def test_names_that_are_no_utf8_and_names_with_newlines(tmp_path: Path) -> None:
    for name in (b"caf\xe9.jpg", b"a\nb.jpg", "日本 العربية.jpg".encode()):
        Image.new("RGB", (9, 9), "red").save(tmp_path / os.fsdecode(name))
    library, _, notes = run(tmp_path)
    assert (library.counts.written, notes) == (3, [])
    assert run(tmp_path)[0].counts.unchanged == 3
