"""Graphs through OpenVINO: converted straight from torch, quantised by NNCF, run in fp32, bf16 or int8."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semreg.errors import SemregError
from semreg.runtime.graph_engine import Run
from semreg.runtime.graphs import Graph
from semreg.runtime.quiet import quiet
from semreg.runtime.torch_engine import MOST_STREAMS, has_bfloat16

SUFFIX = ".xml"
STREAMS = MOST_STREAMS  # at most: batches that it looks at side by side
# The first two convolutions of the built-in trunks stay in single precision: more than half of the int8 CNN's error
# comes from them, a fifth of its speed is what that costs. Other trunks have no layers of these names.
FIRST = [".*trunk.stem.*", ".*stages.0.0.depthwise.*"]


def convert(graph: Graph, path: Path) -> None:
    """Write one graph as `path` (.xml) and its weights beside it (.bin), in single precision."""
    openvino = import_openvino()
    with warnings.catch_warnings(), quiet("nncf"):
        warnings.simplefilter("ignore")  # shapes that are fixed on purpose
        model = openvino.convert_model(graph.module, example_input=graph.example)
    shapes = {}
    for index, value in enumerate(graph.example):
        shapes[index] = openvino.PartialShape([-1, *value.shape[1:]])
        model.inputs[index].get_tensor().set_names({graph.inputs[index]})
    for output, name in zip(model.outputs, graph.outputs, strict=True):
        output.get_tensor().set_names({name})
    model.reshape(shapes)
    openvino.save_model(model, path, compress_to_fp16=False)


def quantise(source: Path, path: Path, pictures: Sequence[Tensor]) -> None:
    """Write the int8 form of `look`: weights and activations.

    Args:
        source: its single-precision form.
        path: where to.
        pictures: uint8 (1, 3, S, S) each, to calibrate activations on.
    """
    openvino, nncf = import_openvino(), _import_nncf()
    model = openvino.Core().read_model(source)
    with quiet("nncf"):
        samples = nncf.Dataset([picture.numpy() for picture in pictures])
        first = nncf.IgnoredScope(patterns=FIRST, validate=False)
        model = nncf.quantize(
            model,
            samples,
            preset=nncf.QuantizationPreset.PERFORMANCE,
            fast_bias_correction=False,  # takes longer, and is nearer to the original
            subset_size=len(pictures),
            ignored_scope=first,
        )
    openvino.save_model(model, path, compress_to_fp16=False)


def open_graph(path: Path, precision: str, threads: int, streams: int) -> Run:
    """Compile one graph for this machine.

    Args:
        path: its .xml.
        precision: "fp32", "bf16" or "int8" (the file must be in it).
        threads: to compute with.
        streams: runs that come at the same time from threads with fewer of torch's threads than that; they share the
            `threads` evenly. A run by itself has all of them.
    """
    openvino = import_openvino()
    core = openvino.Core()
    model = core.read_model(path)
    settings: dict[str, Any] = {  # the quantised CNN is faster with the rest in single precision than in bfloat16
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" and has_bfloat16() else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # readers and tellers want the same cores
    }

    @cache
    def compiled(streams: int) -> Any:
        return core.compile_model(model, "CPU", {**settings, "NUM_STREAMS": streams})

    compiled(1)  # a damaged file shows here
    local, lock = threading.local(), threading.Lock()

    def request() -> Any:
        alone = torch.get_num_threads() >= threads
        name = "alone" if alone else "beside others"
        if not hasattr(local, name):
            with lock:  # several threads may ask for the first time at once
                setattr(local, name, compiled(1 if alone else streams).create_infer_request())
        return getattr(local, name)

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        arrays, working = [np.ascontiguousarray(value.numpy()) for value in inputs], request()
        working.infer(arrays, share_inputs=True)
        return [torch.from_numpy(working.get_output_tensor(i).data) for i in range(len(model.outputs))]

    return run


def import_openvino() -> Any:
    """The package.

    Raises:
        SemregError: it is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise SemregError("the engine openvino needs a package that is not installed: pip install openvino") from None
    return openvino


def _import_nncf() -> Any:
    try:
        with quiet("nncf"):
            import nncf
    except ImportError:
        raise SemregError("int8 for openvino needs a package that is not installed: pip install nncf") from None
    return nncf
