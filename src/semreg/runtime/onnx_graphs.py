"""Graphs through ONNX Runtime: exported by torch, quantised by ONNX Runtime's own tools, run in fp32 or int8."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semreg.errors import SemregError
from semreg.runtime.graph_engine import Run
from semreg.runtime.graphs import Graph
from semreg.runtime.quiet import quiet

SUFFIX = ".onnx"
STREAMS = 1  # it shares out the cores by itself


def convert(graph: Graph, path: Path) -> None:
    """Write one graph as `path` (.onnx), weights inside, in single precision."""
    _import("onnx", "onnxscript")
    dims = {name: torch.export.Dim(name, min=1, max=65536) for name in set(graph.rows)}
    shapes = tuple({0: dims[rows]} for rows in graph.rows)
    with warnings.catch_warnings(), quiet("torch.onnx"), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.module,
            graph.example,
            dynamo=True,
            dynamic_shapes=shapes,
            verbose=False,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
        )
    assert program is not None
    program.save(path, external_data=False)


def quantise(source: Path, path: Path, pictures: Sequence[Tensor]) -> None:
    """Write the int8 form of `look`: weights and activations.

    Args:
        source: its single-precision form.
        path: where to.
        pictures: uint8 (1, 3, S, S) each, to calibrate activations on.
    """
    (quantization,) = _import("onnxruntime.quantization")
    with quiet(None), tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        preprocess = _import("onnxruntime.quantization.shape_inference")[0].quant_pre_process
        preprocess(str(source), str(prepared))
        quantization.quantize_static(
            str(prepared),
            str(path),
            _Reader(quantization.CalibrationDataReader, pictures),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["Conv", "Add", "Gemm", "MatMul"],
        )


def open_graph(path: Path, precision: str, threads: int, streams: int) -> Run:
    """Open one graph on this machine's processor; `precision` is the file's own."""
    (runtime,) = _import("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        feed = {name: value.contiguous().numpy() for name, value in zip(names, inputs, strict=True)}
        return [torch.from_numpy(value) for value in session.run(None, feed)]

    return run


def _Reader(base: type, pictures: Sequence[Tensor]) -> Any:
    """The pictures as ONNX Runtime's calibration wants them."""

    class Reader(base):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Tensor] = iter(pictures)

        def get_next(self) -> dict[str, Any] | None:
            picture = next(self.left, None)
            return None if picture is None else {"pictures": picture.numpy()}

    return Reader()


def _import(*names: str) -> list[Any]:
    import importlib

    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        package = (error.name or names[0]).split(".")[0]
        raise SemregError(
            f"the engine onnx needs {package}, which is not installed: pip install 'semreg[onnx]'"
        ) from None
