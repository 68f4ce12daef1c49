"""Annotations written one by one, as they come: JSON lines, CSV, text files, a table for the terminal."""

from __future__ import annotations

import csv
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TextIO

from semreg.annotation import Annotation, rounded
from semreg.errors import SemregError
from semreg.files import atomic_write

if TYPE_CHECKING:
    from rich.table import Table

Content = Literal["tags", "caption"]

_FORMULA = re.compile(r"[=+\-@\t\r]")  # a spreadsheet computes a cell that starts so
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Writer(ABC):
    """Takes annotations one at a time inside a `with` block.

    Entering opens the output, so that a mistake shows before work begins. Leaving completes it; leaving by an
    exception, Ctrl-C among them, discards it and leaves an older file as it was.
    """

    @abstractmethod
    def write(self, annotation: Annotation) -> None:
        """Add one annotation."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _StreamWriter(Writer):
    """Writes to one file, replaced as a whole at the end, or to stdout, flushed after each annotation."""

    def __init__(self, output: Path | None = None) -> None:
        self._target: AbstractContextManager[TextIO] = atomic_write(output) if output else _standard_output()
        self._flush_each = output is None

    def __enter__(self) -> Writer:
        with ExitStack() as stack:
            self._stream = stack.enter_context(self._target)
            self._begin()
            self._opened = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def write(self, annotation: Annotation) -> None:
        self._add(annotation)
        if self._flush_each:
            self._stream.flush()

    def _begin(self) -> None:
        """Write what stands before the first annotation."""

    @abstractmethod
    def _add(self, annotation: Annotation) -> None: ...


class JsonLinesWriter(_StreamWriter):
    """One JSON object a line, without loss: the form that `Annotation.from_json` reads."""

    def _add(self, annotation: Annotation) -> None:
        self._stream.write(annotation.to_json() + "\n")


class CsvWriter(_StreamWriter):
    """A row a picture after RFC 4180, for spreadsheets: tags and their probabilities joined by `; `.

    What a spreadsheet would compute as a formula is kept from it: a file name such as `=1.jpg` is written
    `./=1.jpg`, which is the same file; any other text that starts with = + - @ gets an apostrophe before it.
    """

    COLUMNS = ("file_name", "caption", "caption_score", "tags", "tag_scores", "error")

    def _begin(self) -> None:
        self._rows = csv.writer(self._stream)
        self._rows.writerow(self.COLUMNS)

    def _add(self, annotation: Annotation) -> None:
        name, caption = annotation.file_name or "", annotation.caption
        self._rows.writerow(
            (
                f"./{name}" if _FORMULA.match(name) else name,
                _no_formula(caption.text) if caption else "",
                rounded(caption.score) if caption else "",
                _no_formula("; ".join(tag.label for tag in annotation.tags)),
                "; ".join(str(rounded(tag.score)) for tag in annotation.tags),
                _no_formula(annotation.error or ""),
            )
        )


class TextWriter(_StreamWriter):
    """One line a picture: file name, tags joined by `, `, caption, between tabs; of a failed one its name.

    Control characters inside a field are written as \\xNN, so that every line has three fields.
    """

    def _add(self, annotation: Annotation) -> None:
        fields = annotation.file_name or "", _tags(annotation), _caption(annotation)
        self._stream.write("\t".join(_printable(field) for field in fields) + "\n")


class TextFolderWriter(Writer):
    """One `.txt` a picture, as trainers of other models read them: its tags joined by `, `, or its caption.

    `a/b.jpg` becomes `folder/a/b.txt`; with `base`, the folder that was searched, names start below it, so
    that `folder` equal to `base` puts each text beside its picture. Each file is complete or absent. A `.txt`
    that exists is kept unless `overwrite`, and one written in this run is always kept; `left` names the
    pictures whose text was not written for that reason. A failed picture gets no file.
    """

    def __init__(
        self, folder: Path, *, content: Content = "tags", base: Path | None = None, overwrite: bool = False
    ) -> None:
        if content not in ("tags", "caption"):
            raise SemregError(f"the content of text files must be 'tags' or 'caption', is {content!r}")
        self.left: list[str] = []
        self._folder, self._base, self._overwrite = folder, base, overwrite
        self._content = content
        self._written: set[Path] = set()

    def __enter__(self) -> Writer:
        _make_folder(self._folder)
        return self

    def write(self, annotation: Annotation) -> None:
        """Write the picture's text file, or add its name to `left`.

        Raises:
            SemregError: the annotation has no file name, or the file cannot be written.
        """
        if annotation.file_name is None:
            raise SemregError("a picture without file name has no text file: write it as jsonl or csv")
        if annotation.error is not None:
            return
        target = self._folder / _inside(annotation.file_name, self._base).with_suffix(".txt")
        if target in self._written or (target.exists() and not self._overwrite):
            self.left.append(annotation.file_name)
            return
        _make_folder(target.parent)
        with atomic_write(target) as stream:
            stream.write(text_of(annotation, self._content))
        self._written.add(target)


class TableWriter(_StreamWriter):
    """Rows for a terminal, shown as they come, fitted to its width: name, caption, tags with percentages."""

    def _begin(self) -> None:
        from rich.console import Console

        self._console = Console(file=self._stream, highlight=False)
        self._console.print(self._row("picture", "caption", "tags", style="bold"))

    def _add(self, annotation: Annotation) -> None:
        tags = ", ".join(f"{tag.label} {tag.score:.0%}" for tag in annotation.tags)
        caption = annotation.error or _caption(annotation) or "-"
        style = "red" if annotation.error else ""
        self._console.print(self._row(annotation.file_name or "-", caption, tags, style=style))

    def _row(self, name: str, *cells: str, style: str) -> Table:
        from rich.table import Table
        from rich.text import Text

        widths = [max(8, int((self._console.width - 4) * share)) for share in (0.28, 0.36, 0.36)]
        table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
        for width in widths:
            table.add_column(width=width, overflow="fold")
        texts = [Text(_printable(cell), style=style) for cell in (name, *cells)]
        if texts[0].cell_len > widths[0]:  # a line for the folder rather than a break within a word
            folder, slash, rest = texts[0].plain.rpartition("/")
            texts[0] = Text(f"{folder}{slash}\n{rest}" if slash else rest, style=style)
        table.add_row(*texts)
        return table


def text_of(annotation: Annotation, content: Content) -> str:
    """What a text file beside a picture holds: a line with its tags joined by `, `, or with its caption."""
    return _printable(_tags(annotation) if content == "tags" else _caption(annotation)) + "\n"


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    """Yield stdout, writing UTF-8 and line ends as given wherever it leads."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding="utf-8", errors="backslashreplace", newline="")
    yield sys.stdout
    sys.stdout.flush()


def _inside(file_name: str, base: Path | None) -> Path:
    """Return the path below an output folder: below `base` if it is there, and never climbing out of it."""
    path = PurePosixPath(file_name)
    if base is not None and path.is_relative_to(base.as_posix()):
        path = path.relative_to(base.as_posix())
    return Path(*(part for part in path.parts if part not in (path.anchor, "..")))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SemregError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def _tags(annotation: Annotation) -> str:
    return ", ".join(tag.label for tag in annotation.tags)


def _caption(annotation: Annotation) -> str:
    return annotation.caption.text if annotation.caption else ""


def _no_formula(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
