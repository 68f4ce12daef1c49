"""semreg: tags and captions for pictures, through a layer of named concepts that people can read.

>>> import semreg
>>> annotator = semreg.load()
>>> print(annotator("cat.jpg"))  # doctest: +SKIP
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from semreg.annotation import Annotation, Caption, Concept, Tag
from semreg.errors import PictureError, SemregError
from semreg.explanation import Explanation
from semreg.options import Options

if TYPE_CHECKING:
    from pathlib import Path

    from semreg.annotator import Annotator
    from semreg.options import Options

__all__ = [
    "Annotation",
    "Annotator",
    "Caption",
    "Concept",
    "Explanation",
    "Options",
    "PictureError",
    "SemregError",
    "Tag",
    "load",
]

try:
    __version__ = version("semreg")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"


def load(model: Path | str | None = None, device: str = "cpu", engine: str = "torch") -> Annotator:
    """Load a model: the default one, which is part of the package, or a model folder.

    Args:
        model: a folder that `semreg train` has written; None takes the default model.
        device: "cpu", "cuda", ...
        engine: "torch", "onnx", "openvino", with a precision as in "openvino:bf16", or "auto": the fastest that is
            there and faithful.

    Raises:
        SemregError: the folder is no model, or there is no such engine.
    """
    from semreg.annotator import Annotator

    return Annotator.load(model, device, engine=engine)


def __getattr__(name: str) -> Any:
    # Annotator brings torch along, which takes a second: it is imported when first asked for.
    if name == "Annotator":
        from semreg.annotator import Annotator

        return Annotator
    raise AttributeError(f"module 'semreg' has no attribute {name!r}")
