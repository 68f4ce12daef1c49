"""Which writer a format of output has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from semreg.errors import SemregError
from semreg.folders.outputs import (
    Content,
    CsvWriter,
    JsonLinesWriter,
    TableWriter,
    TextFolderWriter,
    TextWriter,
    Writer,
)


def open_writer(
    format: str,
    output: Path | None = None,
    *,
    content: Content = "tags",
    base: Path | None = None,
    overwrite: bool = False,
) -> Writer:
    """Return the writer for `format` (jsonl, csv, parquet, txt or table); `output` None is stdout.

    For txt, an output that is a folder, or that does not exist and has no suffix, gets a file a picture
    (`TextFolderWriter`, the only one that `content`, `base` and `overwrite` concern); any other gets a line a
    picture.

    Raises:
        SemregError: there is no such format; names those there are.
    """
    if format == "txt" and output and (output.is_dir() or not (output.suffix or output.exists())):
        return TextFolderWriter(output, content=content, base=base, overwrite=overwrite)
    if format == "parquet":
        from semreg.folders.parquet import ParquetWriter  # an extra: imported where it is wanted

        return ParquetWriter(output)
    writers: dict[str, Callable[[Path | None], Writer]]
    writers = {"jsonl": JsonLinesWriter, "csv": CsvWriter, "txt": TextWriter, "table": TableWriter}
    if format not in writers:
        raise SemregError(f"format must be one of jsonl, csv, parquet, txt, table, is {format!r}")
    return writers[format](output)
