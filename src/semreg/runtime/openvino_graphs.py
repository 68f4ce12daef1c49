"""Graphs through OpenVINO: converted straight from torch, quantised by NNCF, run in fp32, bf16 or int8."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semreg.errors import SemregError
from semreg.runtime.graph_engine import Run
from semreg.runtime.graphs import LOOK, STEP, Graph
from semreg.runtime.quiet import quiet

SUFFIX = ".xml"
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


def quantise(name: str, source: Path, path: Path, pictures: Sequence[Tensor]) -> None:
    """Write the int8 form of a graph: of `look` weights and activations, of the steps the weights.

    Args:
        name: of the graph.
        source: its single-precision form.
        path: where to.
        pictures: uint8 (1, 3, S, S) each, to calibrate activations on.
    """
    openvino, nncf = import_openvino(), _import_nncf()
    model = openvino.Core().read_model(source)
    with quiet("nncf"):
        if name == LOOK:
            samples = nncf.Dataset([picture.numpy() for picture in pictures])
            first = nncf.IgnoredScope(patterns=FIRST, validate=False)
            preset = nncf.QuantizationPreset.PERFORMANCE
            model = nncf.quantize(model, samples, preset=preset, subset_size=len(pictures), ignored_scope=first)
        elif name.startswith(STEP):
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
    openvino.save_model(model, path, compress_to_fp16=False)


def open_graph(name: str, path: Path, precision: str, threads: int) -> Run:
    """Compile one graph for this machine.

    Args:
        name: of the graph.
        path: its .xml.
        precision: "fp32", "bf16" or "int8" (the file must be in it).
        threads: to compute with.
    """
    openvino = import_openvino()
    core = openvino.Core()
    # The quantised CNN is faster with the rest in single precision, the quantised steps with theirs in bfloat16.
    half = precision == "bf16" or (precision == "int8" and name.startswith(STEP))
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if half and has_bf16(core) else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    if precision == "int8" and name.startswith(STEP):
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "512"
    compiled = core.compile_model(core.read_model(path), "CPU", settings)
    local = threading.local()

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        if not hasattr(local, "request"):
            local.request = compiled.create_infer_request()
        arrays = [np.ascontiguousarray(value.numpy()) for value in inputs]
        local.request.infer(arrays, share_inputs=True)
        return [torch.from_numpy(local.request.get_output_tensor(i).data) for i in range(len(compiled.outputs))]

    return run


def has_bf16(core: Any = None) -> bool:
    """Whether the processor computes in bfloat16 by itself."""
    core = core or import_openvino().Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


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
