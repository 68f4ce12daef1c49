"""Writing a set: what is written is what is read, wherever it lies; holding out; nothing half written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from official import picture
from semreg.data.readers.writing import describe, find_missing, hold_out, refuse_overwriting, write_set
from semreg.data.records import Record, read_records
from semreg.errors import SemregError


def records(pictures: Path, count: int = 10, split: str = "train") -> list[Record]:
    names = [f"a/{number}.jpg" for number in range(count)]
    return [Record(pictures / name, name, split, ("dog", "café"), ("A dog.", "A dog.")) for name in names]


def test_beside_the_pictures_names_are_as_they_were(tmp_path: Path) -> None:
    made = records(tmp_path)
    assert write_set(made, tmp_path) == tmp_path / "metadata.jsonl"
    assert read_records(tmp_path) == made
    assert not (tmp_path / "pictures").exists()


def test_above_the_pictures_names_lead_down_to_them(tmp_path: Path) -> None:
    write_set(records(tmp_path / "x/images"), tmp_path / "x/images", tmp_path)
    assert read_records(tmp_path)[0].file_name == "x/images/a/0.jpg"
    assert not (tmp_path / "pictures").exists()


def test_elsewhere_a_link_leads_to_the_pictures(tmp_path: Path) -> None:
    pictures, folder = tmp_path / "photos", tmp_path / "sets/mine"
    picture(pictures / "a/0.jpg")
    write_set(records(pictures), pictures, folder)
    first = read_records(folder)[0]
    assert first.file_name == "pictures/a/0.jpg" and first.path.read_bytes() == b"\xff\xd8"
    write_set(records(pictures, 3), pictures, folder, force=True)  # the link is there already
    assert len(read_records(folder)) == 3


def test_a_link_to_other_pictures_is_kept_unless_forced_and_a_folder_always(tmp_path: Path) -> None:
    pictures, folder = tmp_path / "photos", tmp_path / "set"
    for path in (pictures, tmp_path / "others", folder):
        path.mkdir()
    (folder / "pictures").symlink_to(tmp_path / "others")
    with pytest.raises(SemregError, match=r"pictures must be a link to .*photos, is something else: remove it"):
        write_set(records(pictures), pictures, folder)
    assert not (folder / "metadata.jsonl").exists()
    write_set(records(pictures), pictures, folder, force=True)
    assert (folder / "pictures").resolve() == pictures.resolve()
    (folder / "pictures").unlink()
    (folder / "pictures").mkdir()
    with pytest.raises(SemregError, match="is something else"):
        write_set(records(pictures), pictures, folder, force=True)


def test_a_file_that_is_there_is_not_overwritten_unless_forced(tmp_path: Path) -> None:
    write_set(records(tmp_path, 2), tmp_path)
    with pytest.raises(SemregError, match=r"metadata\.jsonl exists already: pass --force to overwrite it"):
        write_set(records(tmp_path, 3), tmp_path)
    with pytest.raises(SemregError, match="exists already"):
        refuse_overwriting(tmp_path, force=False)
    assert len(read_records(tmp_path)) == 2
    write_set(records(tmp_path, 3), tmp_path, force=True)
    assert len(read_records(tmp_path)) == 3


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, folder = tmp_path / "photos", tmp_path / "set"
    pictures.mkdir()

    def fail(*arguments: object, **options: object) -> str:
        raise OSError("the disk is full")

    monkeypatch.setattr("semreg.data.readers.writing.json.dumps", fail)
    with pytest.raises(OSError, match="the disk is full"):
        write_set(records(pictures), pictures, folder)
    assert list(folder.iterdir()) == []


def test_a_column_that_nobody_has_is_not_written(tmp_path: Path) -> None:
    write_set([Record(tmp_path / "a.jpg", "a.jpg", "test", ("dog",))], tmp_path)
    assert (tmp_path / "metadata.jsonl").read_text(
        "utf-8"
    ) == '{"file_name": "a.jpg", "split": "test", "tags": ["dog"]}\n'


@given(st.integers(2, 60), st.floats(0.001, 0.999), st.integers(0, 9))
def test_held_out_pictures_are_a_share_of_train_and_always_the_same(count: int, share: float, seed: int) -> None:
    made = [*records(Path(), count), Record(Path("t"), "t", "test")]
    held = hold_out(made, share, seed)
    assert held == hold_out(made[::-1], share, seed)[::-1]
    chosen = [record for record in held if record.split == "val"]
    assert len(chosen) == min(max(round(share * count), 1), count - 1)
    assert [record.file_name for record in held] == [record.file_name for record in made]
    assert held[-1].split == "test"


def test_another_seed_holds_out_others_and_these_are_the_same_on_every_machine() -> None:
    def chosen(seed: int) -> set[str]:
        return {record.file_name for record in hold_out(records(Path(), 100), 0.05, seed) if record.split == "val"}

    assert chosen(0) == {"a/1.jpg", "a/32.jpg", "a/57.jpg", "a/63.jpg", "a/75.jpg"}
    assert chosen(0) != chosen(1)


@pytest.mark.parametrize(
    ("made", "share", "said"),
    [
        (records(Path()), 0.0, "--holdout must lie above 0 and below 1, is 0.0: pass --holdout 0.1"),
        (records(Path()), 1.0, "--holdout must lie above 0 and below 1, is 1.0"),
        (records(Path()) + records(Path("b"), split="val"), 0.1, "this one has a split 'val': leave it out"),
        (records(Path(), 1), 0.1, "needs two training pictures at least, there are 1"),
    ],
)
def test_what_cannot_be_held_out_is_refused(made: list[Record], share: float, said: str) -> None:
    with pytest.raises(SemregError, match=said):
        hold_out(made, share)


def test_missing_pictures_are_found_and_each_is_counted(tmp_path: Path) -> None:
    picture(tmp_path / "a/1.jpg")
    steps: list[int] = []
    assert [r.file_name for r in find_missing(records(tmp_path, 3), steps.append)] == ["a/0.jpg", "a/2.jpg"]
    assert steps == [1, 1, 1]


def test_a_set_is_described_by_split() -> None:
    made = [*records(Path(), 1200), *records(Path("v"), 2, "extra"), Record(Path("t"), "t", "test")]
    assert [line.split() for line in describe(made)[:4]] == [
        ["split", "pictures", "tags", "captions"],
        ["train", "1,200", "2,400", "2,400"],
        ["test", "1", "0", "0"],
        ["extra", "2", "4", "4"],
    ]
    assert describe(made)[4:] == ["2 different tags; most frequent: dog, café", "1 pictures without a tag"]
