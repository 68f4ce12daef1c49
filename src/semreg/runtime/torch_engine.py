"""The engine that is always there: torch itself, in single precision, in bfloat16, or compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from semreg.decoding.generator import Generator
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding
from semreg.model.prepared import PreparedDecoder

MOST_STREAMS = 4  # each holds the CNN's intermediate results of one batch


class TorchEngine:
    """Torch on any device.

    Args:
        model: in evaluation mode, on `device`.
        mirror: average the features of a picture and its mirror image.
        device: where to compute.
        precision: "fp32" is the model as it is. "bf16" runs convolutions and matrix products in bfloat16, the rest in
            float32. "compile" is torch.compile of the trunk: it needs a C++ compiler (a GPU: Triton), takes a minute at
            the first batch, and again for some other sizes of batch.
    """

    def __init__(
        self, model: CnnRnn, *, mirror: bool = False, device: torch.device | None = None, precision: str = "fp32"
    ) -> None:
        self.model, self.mirror, self.precision = model, mirror, precision
        self.device = device or torch.device("cpu")
        self.name = f"torch:{precision}"
        self.streams = min(MOST_STREAMS, torch.get_num_threads()) if self.device.type == "cpu" else 1
        self._see: Any = torch.compile(model.encode, dynamic=True) if precision == "compile" else model.encode
        half = precision == "bf16" or (precision == "compile" and self.device.type == "cuda")
        self._dtype = torch.bfloat16 if half else torch.float32
        self.generator: Callable[[str], Generator[Any]] = PreparedDecoders(model, self._dtype)

    @torch.inference_mode()
    def encode(self, pictures: Tensor) -> Encoding:
        """See: uint8 (B, 3, S, S) to what the CNN saw."""
        with torch.autocast(self.device.type, self._dtype, enabled=self._dtype != torch.float32):
            seen: Encoding = self._see(pictures, self.mirror)
        if self._dtype == torch.float32:
            return seen
        logits = seen.logits.float()
        return Encoding(seen.features.float(), logits, logits.sigmoid())


class PreparedDecoders:
    """A model's decoders, each prepared when first asked for.

    Args:
        model: in evaluation mode.
        dtype: precision of the matrix products.
    """

    def __init__(self, model: CnnRnn, dtype: torch.dtype) -> None:
        self._model, self._dtype = model, dtype
        self._prepared: dict[str, PreparedDecoder] = {}

    def __call__(self, form: str) -> PreparedDecoder:
        """What writes `form`."""
        if form not in self._prepared:
            self._prepared[form] = PreparedDecoder(self._model.decoder(form), self._dtype, packed=True)
        return self._prepared[form]


def has_bfloat16() -> bool:
    """Whether this machine's processor computes in bfloat16 by itself."""
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return any(features.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
