"""Annotations as one Parquet file, a row a picture, written in row groups as they come."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from semreg.annotation import Annotation
from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.folders.outputs import Writer

_ROWS = 2048  # in a row group: so many wait in memory


class ParquetWriter(Writer):
    """The columns are the entries of an annotation's JSON form; `captions` and the lists hold structs.

    A file name that is no UTF-8 has its bytes as \\udcXX, as in the other forms.

    Raises:
        SemregError: no file was named, or pyarrow is missing.
    """

    def __init__(self, output: Path | None) -> None:
        if output is None:
            raise SemregError("parquet is written into a file: add --output FILE.parquet")
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise SemregError("parquet needs another package: pip install pyarrow") from None
        self._output = output
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Writer:
        from pyarrow import parquet

        self._schema = _schema()
        with ExitStack() as stack:
            stream = stack.enter_context(atomic_write(self._output, binary=True))
            self._file = stack.enter_context(parquet.ParquetWriter(stream, self._schema, compression="zstd"))
            self._opened = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_group()
        self._opened.__exit__(kind, error, trace)

    def write(self, annotation: Annotation) -> None:
        """Add one annotation."""
        row = annotation.to_dict()
        if annotation.file_name:
            row["file_name"] = annotation.file_name.encode("utf-8", "backslashreplace").decode()
        if row["error"]:
            row["error"] = row["error"].encode("utf-8", "backslashreplace").decode()
        self._rows.append(row)
        if len(self._rows) >= _ROWS:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow

        if self._rows:
            self._file.write_table(pyarrow.Table.from_pylist(self._rows, self._schema))
        self._rows = []


def _schema() -> Any:
    import pyarrow as pa

    def scored(key: str) -> Any:
        return pa.struct([(key, pa.string()), ("score", pa.float32())])

    return pa.schema(
        [
            ("file_name", pa.string()),
            ("tags", pa.list_(scored("label"))),
            ("caption", scored("text")),
            ("captions", pa.list_(scored("text"))),
            ("concepts", pa.list_(scored("concept"))),
            ("model", pa.string()),
            ("error", pa.string()),
        ]
    )
