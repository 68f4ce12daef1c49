"""Tables: columns by name or as they are usually called, rows of one picture put together, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from official import put, short
from semreg.data.readers import read_table
from semreg.data.readers.table import Columns
from semreg.errors import SemregError


def test_usual_columns_are_known(tmp_path: Path) -> None:
    text = 'file_name,tags,caption,split\na/1.jpg,"dog, grass,dog",A dog.,train\nb.jpg,,"One, two.",test\n'
    assert short(read_table(tmp_path, put(tmp_path / "labels.csv", text))) == [
        ("a/1.jpg", "train", ("dog", "grass"), ("A dog.",)),
        ("b.jpg", "test", (), ("One, two.",)),
    ]


def test_a_mark_at_the_beginning_tabs_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = put(tmp_path / "labels.tsv", "\ufeffImage\tLabels\r\n\r\na.jpg\tdog\r\n\t\r\n")
    assert short(read_table(tmp_path, path)) == [("a.jpg", "train", ("dog",), ())]


def test_a_caption_a_row_comes_together_and_repeated_ones_are_kept(tmp_path: Path) -> None:
    path = put(tmp_path / "captions.txt", "image,caption\na.jpg,A dog .\na.jpg,A dog .\nb.jpg,A cat .\na.jpg,Run !\n")
    assert [record.captions for record in read_table(tmp_path, path)] == [("A dog .", "A dog .", "Run !"), ("A cat .",)]


def test_columns_separators_and_several_captions_may_be_named(tmp_path: Path) -> None:
    path = put(tmp_path / "labels.csv", "p;words;en;short;part\na.jpg;dog|cat;A dog.;Dog;val\n")
    columns = Columns("p", "words", ("en", "short"), "part", "|")
    assert short(read_table(tmp_path, path, columns, ";")) == [("a.jpg", "val", ("dog", "cat"), ("A dog.", "Dog"))]


@pytest.mark.parametrize("cell", ["\"['clouds', 'sky']\"", '"[""clouds"", ""sky""]"'])
def test_lists_in_brackets_are_read(tmp_path: Path, cell: str) -> None:
    path = put(tmp_path / "nus_wid_data.csv", f"filepath,label,split_name\nimages/0001.jpg,{cell},val\n")
    assert short(read_table(tmp_path, path)) == [("images/0001.jpg", "val", ("clouds", "sky"), ())]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"file_name,tags\na.jpg,dog,cat\n", r"line 2: must have 2 cells as the header has, has 3: put cells"),
        (b"file_name,tags\na.jpg,dog\nb.jpg\n", r"line 3: must have 2 cells as the header has, has 1"),
        (b'file_name,tags\na.jpg,"dog\n', r"line 2: not a table \(unexpected end of data\): mend the quotes"),
        (b"file_name,tags\na.jpg,dog\nb.jpg,caf\xe9\n", r"line 3: must be UTF-8, has byte 0xe9"),
        (b"name,tags\na.jpg,dog\n", r"must have a column file_name, has name, tags: pass --file-name COLUMN"),
        (b"file_name,words\na.jpg,dog\n", r"must have a column of tags or captions, has file_name, words: pass --tags"),
        (
            b"file_name,tags,split\na.jpg,x,train\na.jpg,y,val\n",
            r"line 3: .* must have one split, 'a\.jpg' has 'train' and 'val'",
        ),
        (b"file_name,tags,split\na.jpg,x,\n", r"line 2: a picture must have one split"),
        (b"file_name,tags\n,dog\n", r"line 2: a picture must lie within the pictures' folder, is ''"),
        (b"file_name,tags\n/etc/a.jpg,dog\n", r"line 2: a picture must lie within .*, is '/etc/a\.jpg'"),
        (b"file_name,tags\na.jpg,[dog\na.jpg,[dog]\n", r"line 3: a list in brackets must hold texts"),
        (b"file_name,tags\n", r"must name at least one picture, names none"),
        (b"", r"must have a column file_name, has : pass"),
    ],
)
def test_malformed_tables_are_refused_by_line(tmp_path: Path, text: bytes, said: str) -> None:
    with pytest.raises(SemregError, match=rf"labels\.csv,? {said}"):
        read_table(tmp_path, put(tmp_path / "labels.csv", text))


def test_a_named_column_must_be_there(tmp_path: Path) -> None:
    path = put(tmp_path / "labels.csv", "file_name,tags\na.jpg,dog\n")
    with pytest.raises(SemregError, match=r"must have a column 'text', has file_name, tags: pass --caption COLUMN"):
        read_table(tmp_path, path, Columns(captions=("text",)))
