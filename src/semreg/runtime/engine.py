"""What an engine is, and how one is named: "torch", "openvino:int8", ..."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from semreg.decoding.generator import Generator
from semreg.errors import SemregError
from semreg.model.interfaces import Encoding

KINDS = {
    "torch": ("fp32", "bf16", "compile"),
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "bf16", "int8"),
}


class Engine(Protocol):
    """Computes one model.

    Attributes:
        name: kind and precision, such as "openvino:bf16".
        device: where it wants pictures and gives encodings.
        streams: batches that it best works on at the same time, each in a thread.
    """

    name: str
    device: torch.device
    streams: int

    def encode(self, pictures: Tensor) -> Encoding:
        """See: uint8 (B, 3, S, S) on `device` to what the CNN saw, float32."""
        ...

    def generator(self, form: str) -> Generator[Any]:
        """What writes `form`, for the searches."""
        ...


def split_name(name: str) -> tuple[str, str]:
    """The kind of an engine and its precision, "" where the name leaves it open.

    Raises:
        SemregError: no such engine.
    """
    kind, _, precision = name.partition(":")
    if kind not in ("auto", *KINDS) or (precision and precision not in KINDS.get(kind, ())):
        known = ", ".join(["auto", *(f"{kind}[:{'|'.join(ways)}]" for kind, ways in KINDS.items())])
        raise SemregError(f"engine must be one of {known}, is {name!r}")
    return kind, precision
