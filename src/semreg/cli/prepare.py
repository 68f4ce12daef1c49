"""`semreg prepare`: the files of a benchmark, or one's own tables and texts, become a data set's metadata.jsonl."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semreg.cli.options import FAILED
from semreg.errors import SemregError
from semreg.terminal import progress_bar

if TYPE_CHECKING:
    from semreg.data.records import Record

NAMED = 3  # missing pictures that are told by name

prepare = typer.Typer(
    help="Write a data set's metadata.jsonl from a benchmark's files, from a table, or from texts beside pictures.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

PicturesArgument = Annotated[Path, typer.Argument(help="Folder with the pictures; none is copied.", metavar="PICTURES")]
AnnotationsOption = Annotated[
    Path | None,
    typer.Option("--annotations", help="Folder with the official files.", show_default="PICTURES"),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder for metadata.jsonl; a link in it leads to the pictures.",
        show_default="PICTURES",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite a metadata.jsonl that is there.")]
MissingOption = Annotated[
    str | None,
    typer.Option(
        "--missing",
        help="Pictures that are not on disk: keep or drop them. Without it they are kept, but not when none is there, "
        "and the exit status is 1.",
        show_default=False,
    ),
]
HoldoutOption = Annotated[
    float | None,
    typer.Option("--holdout", help="Share of the training part that becomes the split val.", show_default=False),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Which pictures are held out.")]
ValidationOption = Annotated[
    str, typer.Option("--val-as", help="What the official val part is called: val, test or train.")
]


@prepare.command()
def coco(
    pictures: PicturesArgument,
    annotations: Annotated[
        Path | None,
        typer.Option("--annotations", help="Folder with the official files.", show_default="PICTURES/annotations"),
    ] = None,
    year: Annotated[int, typer.Option("--year", help="2014 or 2017.")] = 2014,
    val_as: ValidationOption = "test",
    file: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            metavar="SPLIT=FILE",
            help="Read this file instead of the official ones; repeatable.",
            show_default=False,
        ),
    ] = None,
    labelled_only: Annotated[bool, typer.Option("--labelled-only", help="Leave out pictures without a tag.")] = False,
    flat: Annotated[bool, typer.Option("--flat", help="All pictures lie in one folder.")] = False,
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
    holdout: HoldoutOption = None,
    seed: SeedOption = 0,
) -> None:
    """MS-COCO: 80 categories as tags, and captions, from the official files of 2014 or 2017.

    Examples:

        semreg prepare coco ~/coco --holdout 0.05

        semreg prepare coco ~/coco --year 2017 --output ~/sets/coco2017

        semreg prepare coco ~/photos --file train=export.json
    """
    from semreg.data.readers import READERS
    from semreg.data.readers.coco import official_files

    def read() -> list[Record]:
        files = [_split_and_file(value) for value in file or ()]
        files = files or official_files(annotations or pictures / "annotations", year, val_as)
        return READERS["coco"](pictures, files, labelled_only=labelled_only, flat=flat)

    _prepare(pictures, read, output, force, missing, holdout, seed)


@prepare.command()
def karpathy(
    pictures: PicturesArgument,
    file: Annotated[Path, typer.Argument(help="dataset_coco.json, or flickr8k's or flickr30k's.", metavar="FILE")],
    restval: Annotated[
        str, typer.Option("--restval", metavar="SPLIT", help="What COCO's restval joins; none leaves it out.")
    ] = "train",
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
) -> None:
    """Karpathy's splits of COCO, Flickr8k and Flickr30k, with captions.

    Examples:

        semreg prepare karpathy ~/coco ~/karpathy/dataset_coco.json --output ~/sets/coco-karpathy
    """
    from semreg.data.readers import READERS

    part = None if restval == "none" else restval
    _prepare(pictures, lambda: READERS["karpathy"](pictures, file, restval=part), output, force, missing)


@prepare.command()
def nuswide(
    pictures: PicturesArgument,
    annotations: AnnotationsOption = None,
    train_list: Annotated[
        Path | None,
        typer.Option("--train-list", help="Another split: its training pictures, one a line.", show_default=False),
    ] = None,
    test_list: Annotated[
        Path | None, typer.Option("--test-list", help="Its test pictures.", show_default=False)
    ] = None,
    train_labels: Annotated[
        Path | None,
        typer.Option(
            "--train-labels",
            help="A 0 or 1 for each concept, a line a picture.",
            show_default="behind the pictures in the list",
        ),
    ] = None,
    test_labels: Annotated[
        Path | None,
        typer.Option("--test-labels", help="The same for test.", show_default="behind the pictures in the list"),
    ] = None,
    concepts: Annotated[
        Path | None,
        typer.Option("--concepts", help="The lists' concepts, one a line.", show_default="Concepts81.txt"),
    ] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Keep pictures without any of the labels.")] = False,
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
    holdout: HoldoutOption = None,
    seed: SeedOption = 0,
) -> None:
    """NUS-WIDE with its 81 concepts: the official split, or one that list files give.

    Examples:

        semreg prepare nuswide ~/nuswide --missing drop

        semreg prepare nuswide ~/nuswide --train-list nus1_train_list.txt --train-labels nus1_train_annot.txt
        --test-list nus1_test_list.txt --test-labels nus1_test_annot.txt --concepts nus1_dict81.txt
    """
    from semreg.data.readers import READERS
    from semreg.data.readers.nuswide import ListedSplit, read_nuswide_lists

    folder = annotations or pictures
    lists = [("train", train_list, train_labels), ("test", test_list, test_labels)]
    splits = [ListedSplit(name, path, labels) for name, path, labels in lists if path is not None]
    if stray := [name for name, path, labels in lists if path is None and labels is not None]:
        raise SemregError(f"--{stray[0]}-labels belongs to a list: pass --{stray[0]}-list FILE too")

    def read() -> list[Record]:
        if splits:
            return read_nuswide_lists(pictures, splits, concepts or folder / "Concepts81.txt", unlabelled=unlabelled)
        return READERS["nuswide"](pictures, folder, unlabelled=unlabelled)

    _prepare(pictures, read, output, force, missing, holdout, seed)


@prepare.command()
def voc(
    devkit: Annotated[
        Path, typer.Argument(help="VOCdevkit with VOC2007/ or VOC2012/, or one of these.", metavar="VOCDEVKIT")
    ],
    year: Annotated[int | None, typer.Option("--year", help="Only this one.", show_default="all")] = None,
    val_as: ValidationOption = "val",
    difficult: Annotated[bool, typer.Option("--difficult", help="Difficult objects count as tags too.")] = False,
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
    holdout: HoldoutOption = None,
    seed: SeedOption = 0,
) -> None:
    """PASCAL VOC 2007 and 2012: 20 classes of objects as tags.

    Examples:

        semreg prepare voc ~/VOCdevkit --year 2007

        semreg prepare voc ~/VOCdevkit --val-as train --holdout 0.1
    """
    from semreg.data.readers import READERS

    def read() -> list[Record]:
        return READERS["voc"](devkit, year=year, validation=val_as, difficult=difficult)

    _prepare(devkit, read, output, force, missing, holdout, seed)


@prepare.command()
def flickr8k(
    pictures: PicturesArgument,
    annotations: AnnotationsOption = None,
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
) -> None:
    """Flickr8k: five captions a picture, from Flickr8k.token.txt and the three official lists.

    Examples:

        semreg prepare flickr8k ~/Flicker8k_Dataset --annotations ~/Flickr8k_text
    """
    from semreg.data.readers import READERS

    _prepare(pictures, lambda: READERS["flickr8k"](pictures, annotations or pictures), output, force, missing)


@prepare.command()
def corel5k(
    pictures: PicturesArgument,
    annotations: AnnotationsOption = None,
    all_words: Annotated[
        bool, typer.Option("--all-words", help="Keep all 374 words, not only the 260 that both parts use.")
    ] = False,
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
    holdout: HoldoutOption = None,
    seed: SeedOption = 0,
) -> None:
    """Corel-5k: 260 tags, from train.json and test.json, or words with training_label and test_label.

    Examples:

        semreg prepare corel5k ~/corel5k --annotations ~/corel5k/annotations
    """
    from semreg.data.readers import READERS

    def read() -> list[Record]:
        return READERS["corel5k"](pictures, annotations or pictures, all_words=all_words)

    _prepare(pictures, read, output, force, missing, holdout, seed)


@prepare.command()
def csv(
    pictures: PicturesArgument,
    file: Annotated[Path, typer.Argument(help="Table with a header line: CSV, or TSV by its suffix.", metavar="FILE")],
    file_name: Annotated[
        str | None, typer.Option("--file-name", metavar="COLUMN", help="Picture.", show_default="file_name, image, ...")
    ] = None,
    tags: Annotated[
        str | None, typer.Option("--tags", metavar="COLUMN", help="Tags.", show_default="tags, labels or label")
    ] = None,
    separator: Annotated[str, typer.Option("--separator", help="Between the tags of a cell.")] = ",",
    caption: Annotated[
        list[str] | None,
        typer.Option("--caption", metavar="COLUMN", help="A caption; repeatable.", show_default="captions or caption"),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="COLUMN", help="Split.", show_default="split, else all is train")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", help="Between cells.", show_default="comma, or tab for .tsv")
    ] = None,
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
    holdout: HoldoutOption = None,
    seed: SeedOption = 0,
) -> None:
    """A table with a column for the picture, and others for tags, captions and split; a picture may have several rows.

    Examples:

        semreg prepare csv ~/photos labels.csv --holdout 0.1

        semreg prepare csv ~/photos labels.csv --file-name path --tags keywords --separator ";"

        semreg prepare csv ~/nuswide nus_wid_data.csv --output ~/sets/nuswide
    """
    from semreg.data.readers import READERS
    from semreg.data.readers.table import Columns

    if delimiter is not None and len(delimiter) != 1:
        raise SemregError(f"--delimiter must be one character, is {delimiter!r}: pass --delimiter ';'")
    if not separator:
        raise SemregError("--separator must not be empty: pass --separator ';'")
    columns = Columns(file_name, tags, tuple(caption or ()), split, separator)
    _prepare(
        pictures, lambda: READERS["csv"](pictures, file, columns, delimiter), output, force, missing, holdout, seed
    )


@prepare.command()
def txt(
    pictures: PicturesArgument,
    captions: Annotated[
        bool, typer.Option("--captions", help="Each line of a text is a caption, not tags with commas between them.")
    ] = False,
    output: OutputOption = None,
    force: ForceOption = False,
    missing: MissingOption = None,
    holdout: HoldoutOption = None,
    seed: SeedOption = 0,
) -> None:
    """A folder of pictures with a text file beside each: a.txt for a.jpg.

    Folders train, val and test in it, where there are any, are the splits.

    Examples:

        semreg prepare txt ~/photos --holdout 0.1
    """
    from semreg.data.readers import READERS

    _prepare(pictures, lambda: READERS["txt"](pictures, captions=captions), output, force, missing, holdout, seed)


def _prepare(
    pictures: Path,
    read: Callable[[], list[Record]],
    output: Path | None,
    force: bool,
    missing: str | None,
    holdout: float | None = None,
    seed: int = 0,
) -> None:
    """Read, look for the pictures, write, and say what was written."""
    from semreg.data.readers import writing

    if missing not in (None, "keep", "drop"):
        raise SemregError(f"--missing must be keep or drop, is {missing!r}")
    if not pictures.is_dir():
        raise SemregError(f"the pictures' folder {str(pictures)!r} does not exist: name the folder they lie in")
    writing.refuse_overwriting(output or pictures, force)
    records = read()
    with progress_bar("looking for pictures", len(records)) as advance:
        gone = writing.find_missing(records, advance)
    if len(gone) == len(records) and missing != "keep":
        raise SemregError(
            f"none of the {len(records):,} pictures is there, the first would be {gone[0].path}: check the pictures' "
            "folder, or pass --missing keep"
        )
    total = len(records)
    if missing == "drop":
        lost = {record.file_name for record in gone}
        records = [record for record in records if record.file_name not in lost]
    if holdout is not None:
        records = writing.hold_out(records, holdout, seed)
    path = writing.write_set(records, pictures, output, force=force)
    for line in writing.describe(records):
        typer.echo(line, err=True)
    if gone:
        names = ", ".join(record.file_name for record in gone[:NAMED]) + (", ..." if len(gone) > NAMED else "")
        what = "left out" if missing == "drop" else "kept"
        typer.echo(f"{len(gone):,} of {total:,} pictures are not on disk ({what}): {names}", err=True)
    typer.echo(path)
    if gone and missing is None:
        raise typer.Exit(FAILED)


def _split_and_file(value: str) -> tuple[Path, str]:
    split, equals, name = value.partition("=")
    if not (split and equals and name):
        raise SemregError(f"--file must be SPLIT=FILE, is {value!r}: for instance --file train=instances.json")
    return Path(name), split
