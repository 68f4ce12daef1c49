"""What several verbs share: options, exit statuses, and loading the model they name."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from semreg.annotator import Annotator

FAILED, CANNOT_START, INTERRUPTED = 1, 2, 130

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Model folder, or hf:OWNER/NAME; without it the default model of the package.",
        show_default=False,
    ),
]
BeamOption = Annotated[
    int | None,
    typer.Option(
        "--beam", min=1, max=100, help="Width of the search; 1 is greedy. The model has its own.", show_default=False
    ),
]
BatchOption = Annotated[int, typer.Option("--batch", min=1, help="Pictures that go through the model together.")]
DeviceOption = Annotated[str, typer.Option("--device", help="Where to compute: cpu, cuda, ...")]


EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        help="What computes: auto, torch, onnx or openvino, also with a precision, as in openvino:bf16.",
    ),
]


def load_annotator(model: str | None, device: str, engine: str = "torch") -> Annotator:
    """The model named by the option, or the default one, ready for use."""
    from semreg.annotator import Annotator
    from semreg.memory import keep_freed_memory, leave_loaded_objects_alone

    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # of odd metadata that does not matter here
    keep_freed_memory()
    annotator = Annotator.load(model, device, engine=engine, say=lambda text: typer.echo(text, err=True))
    leave_loaded_objects_alone()
    return annotator
