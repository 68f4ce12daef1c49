"""What people set for a folder: the options of `semreg annotate`, from the command line and from `semreg.toml`."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semreg.errors import SemregError
from semreg.folders.labels import Labels, read_labels

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

FILE = "semreg.toml"
Format = Literal["table", "jsonl", "csv", "parquet", "txt", "xmp"]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Every setting that a folder's `semreg.toml` may hold; there written as the option, `min-score`.

    Attributes are described by `semreg annotate --help`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
        protected_namespaces=(),
    )

    model: str | None = None
    device: str = "cpu"
    engine: str = "torch"
    beam: Annotated[int, Field(ge=1, le=100)] | None = None
    captions: Count = 1
    batch: Count = 16
    format: Format | None = None
    text: Literal["tags", "caption"] = "tags"
    existing: Literal["keep", "merge", "replace-machine"] = "merge"
    sidecar: Literal["darktable", "lightroom"] = "darktable"
    sidecar_only: bool = False
    min_score: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tags: Annotated[int, Field(ge=0)] | None = None
    only: Path | None = None
    exclude: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    rename: Path | None = None
    prefix: str = ""
    always: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def labels(self) -> Labels:
        """The rules for labels.

        Raises:
            SemregError: one of the files that they stand in cannot be read.
        """
        return read_labels(
            only=self.only,
            exclude=self.exclude,
            rename=self.rename,
            prefix=self.prefix,
            always=self.always,
            most=self.max_tags,
        )


def find_settings(folder: Path) -> Path | None:
    """The folder's `semreg.toml`, or that of the nearest folder above."""
    start = folder.absolute()
    return next((place / FILE for place in (start, *start.parents) if (place / FILE).is_file()), None)


def read_settings(file: Path | None, given: dict[str, Any]) -> Settings:
    """Settings from a file, if there is one; what is `given` wins, where it is not None.

    Raises:
        SemregError: the file is no TOML, has an unknown key (the nearest known one is named) or a value that cannot be.
    """
    wanted = {key: value for key, value in given.items() if value is not None}
    read = _read(file) if file else {}
    chosen = {key: value for key, value in read.items() if key.replace("-", "_") not in wanted}
    _check(chosen, file)
    return _check({**chosen, **wanted}, None)


def _read(file: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SemregError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None
    for key in ("only", "rename"):  # beside the settings, wherever the command is given
        if isinstance(values.get(key), str):
            values[key] = file.parent / Path(values[key]).expanduser()
    if isinstance(values.get("model"), str) and (file.parent / values["model"]).is_dir():
        values["model"] = str(file.parent / values["model"])
    return values


def _check(values: dict[str, Any], file: Path | None) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
    place = f"{file}: " if file else ""
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        known = [str(field.alias) for field in Settings.model_fields.values()]
        near = difflib.get_close_matches(key, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known here are {', '.join(known)}"
        raise SemregError(f"{place}unknown key {key}: {hint}")
    shown = str(first["input"])[:60]
    name = key.replace("_", "-")
    if name == "format":
        raise SemregError(f"{place}format must be one of {', '.join(get_args(Format))}, is {shown!r}")
    raise SemregError(f"{place}{name}: {first['msg'][0].lower()}{first['msg'][1:]} (is {shown!r})")
