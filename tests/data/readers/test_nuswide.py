"""NUS-WIDE: the official files in either form of the truth, re-splits by list files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from official import CONCEPTS, nuswide, picture, put, real, short
from semreg.data.readers import read_nuswide
from semreg.data.readers.nuswide import ListedSplit, read_nuswide_lists
from semreg.errors import SemregError

EXPECTED = [
    ("actor/0001_2124494179.jpg", "train", ("animal",), ()),
    ("zoo/0002_1.jpg", "train", ("airport", "beach"), ()),
    ("actor/0004_3.jpg", "test", ("beach",), ()),
]


@pytest.mark.parametrize(
    "truth", ["Groundtruth/TrainTestLabels", "TrainTestLabels", "Groundtruth/AllLabels", "AllLabels"]
)
def test_both_forms_of_the_truth_say_the_same(tmp_path: Path, truth: str, caplog: pytest.LogCaptureFixture) -> None:
    assert short(read_nuswide(tmp_path, nuswide(tmp_path, truth=truth))) == EXPECTED
    assert caplog.messages == ["2 pictures have none of the labels: left out (--unlabelled keeps them)"]


def test_pictures_without_a_label_may_be_kept_and_the_usual_folder_is_found(tmp_path: Path) -> None:
    nuswide(tmp_path)
    picture(tmp_path / "Flickr/zoo/0003_2.jpg")
    records = read_nuswide(tmp_path, tmp_path, unlabelled=True)
    assert [record.file_name for record in records if not record.tags] == [
        "Flickr/zoo/0003_2.jpg",
        "Flickr/beach/0005_4.jpg",
    ]
    assert len(records) == 5


def listed(folder: Path) -> tuple[list[ListedSplit], Path]:
    put(folder / "train_list.txt", "actor/0001_2124494179.jpg 1\nzoo\\0002_1.jpg 2\n")
    put(folder / "train_label.txt", "0 1 0 \n1 0 1 \n")
    put(folder / "test.txt", "actor/0004_3.jpg 0 0 1\nbeach/0005_4.jpg 0 0 0\n")
    concepts = put(folder / "dict.txt", "\r\n".join(CONCEPTS))
    train = ListedSplit("train", folder / "train_list.txt", folder / "train_label.txt")
    return [train, ListedSplit("test", folder / "test.txt")], concepts


def test_list_files_with_labels_beside_or_behind_give_any_split(tmp_path: Path) -> None:
    splits, concepts = listed(tmp_path)
    assert short(read_nuswide_lists(tmp_path, splits, concepts)) == EXPECTED
    assert len(read_nuswide_lists(tmp_path, splits, concepts, unlabelled=True)) == 4


def test_the_real_list_of_81_concepts_is_read_with_lists(tmp_path: Path) -> None:
    concepts = real("annotations/nuswide/nus1_dict81.txt")
    flags = ["0"] * 81
    flags[0] = flags[80] = "1"
    path = put(tmp_path / "list.txt", f"images/0001_1.jpg {' '.join(flags)}\n")
    (record,) = read_nuswide_lists(tmp_path, [ListedSplit("train", path)], concepts)
    assert record.tags == ("airport", "zebra")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "Groundtruth/TrainTestLabels/Labels_beach_Test.txt",
            "0\n",
            r"Test\.txt must have a line for each of the 2 pictures of .*, has 1",
        ),
        (
            "Groundtruth/TrainTestLabels/Labels_beach_Train.txt",
            "0\n2\n0\n",
            r"Train\.txt, line 2: a label must be 0 or 1, is '2'",
        ),
        ("Groundtruth/TrainTestLabels/Labels_animal_Train.txt", b"0\n\xff\n0\n", r"line 2: must be UTF-8"),
        (
            "Groundtruth/TrainTestLabels/Labels_animal_Train.txt",
            "",
            r"Labels_animal_Train\.txt must have a line .*, has 0",
        ),
        ("Concepts81.txt", "animal\nbeach\nanimal\n", r"81\.txt, line 3: a concept must be named once"),
        ("Concepts81.txt", "animal\ncar\n", r"Labels_car_Train\.txt does not exist"),
        (
            "ImageList/TestImagelist.txt",
            "a\\1.jpg\na\\1.jpg\n",
            r"list\.txt, line 2: the picture 'a/1\.jpg' must be named once",
        ),
    ],
)
def test_wrong_official_files_are_refused(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    put(nuswide(tmp_path) / name, content)
    with pytest.raises(SemregError, match=said):
        read_nuswide(tmp_path, tmp_path, unlabelled=True)


def test_a_listed_picture_must_stand_in_the_whole_list(tmp_path: Path) -> None:
    nuswide(tmp_path, truth="Groundtruth/AllLabels")
    put(tmp_path / "ImageList/TestImagelist.txt", "actor\\0004_3.jpg\nactor\\9.jpg\n")
    with pytest.raises(SemregError, match=r"TestImagelist\.txt, line 2: the picture must stand in Imagelist\.txt"):
        read_nuswide(tmp_path, tmp_path)


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(SemregError, match=r"must have Concepts81\.txt or ConceptsList/Concepts81\.txt, has none"):
        read_nuswide(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train_label.txt", "0 1 0\n", r"train_label\.txt must have a line for each of the 2 pictures of .*, has 1"),
        (
            "train_label.txt",
            "0 1 0\n0 1\n",
            r"label\.txt, line 2: must have a 0 or 1 for each of the 3 concepts, has 2",
        ),
        ("test.txt", "a.jpg 0 0 1\nb.jpg 0 0 5\n", r"test\.txt, line 2: a label must be 0 or 1, is '5'"),
        ("test.txt", "a.jpg\n", r"test\.txt, line 1: must have a 0 or 1 .* has 0 values: pass the labels' file"),
        ("dict.txt", "airport\nanimal\n", r"train_label\.txt, line 1: must have a 0 or 1 for each of the 2 concepts"),
    ],
)
def test_wrong_lists_are_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    splits, concepts = listed(tmp_path)
    put(tmp_path / name, content)
    with pytest.raises(SemregError, match=said):
        read_nuswide_lists(tmp_path, splits, concepts)
