"""Exported graphs in a folder: `export.json` says what they are of, the files beside it are what engines open."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_config import ModelConfig
from semreg.runtime.graph_engine import GraphDecoder, GraphEngine, Run
from semreg.runtime.graphs import BEGIN, LOOK, NEIGHBOURS, STEP, graphs_of, source_of
from semreg.runtime.torch_engine import PreparedDecoders, has_bfloat16

MANIFEST = "export.json"
FORMAT = 1


class Manifest(BaseModel):
    """What an export is.

    Attributes:
        format: of the manifest.
        kind: "onnx" or "openvino".
        model: NAME@HASH of the model it was made of.
        preprocessing: how a picture becomes the input of `look`: resized to `size` by `resize`, uint8 RGB, channels
            first; everything after that is in the graph.
        sources: for each form what its `begin` graph takes: "concepts" or "features".
        graphs: for each precision the files, by the graph's name.
        tokens: for each form the tokens in order, the special ones first; the index is the graph's token.
        checks: what the export found out about each precision; see `semreg.exporting`.
    """

    model_config = ConfigDict(extra="ignore")

    format: int = FORMAT
    kind: str
    model: str
    preprocessing: dict[str, Any]
    sources: dict[str, str]
    graphs: dict[str, dict[str, str]]
    tokens: dict[str, list[str]] = Field(default_factory=dict)
    checks: dict[str, dict[str, Any]] = Field(default_factory=dict)


def backend(kind: str) -> ModuleType:
    """The module that converts, quantises and opens graphs of one kind."""
    return importlib.import_module(f"semreg.runtime.{kind}_graphs")


def write_graphs(
    model: CnnRnn,
    config: ModelConfig,
    name: str,
    kind: str,
    folder: Path,
    *,
    calibration: Sequence[Tensor] = (),
    tokens: dict[str, list[str]] | None = None,
    done: Callable[[int], None] = lambda count: None,
) -> Manifest:
    """Convert a model into a folder; the manifest is written last.

    Args:
        model: on the CPU, in evaluation mode.
        config: its description.
        name: NAME@HASH.
        kind: "onnx" or "openvino".
        folder: made if it does not exist.
        calibration: uint8 (1, 3, S, S) each; where there are some, int8 graphs are written too.
        tokens: for each form its tokens, for the manifest.
        done: called with 1 after each graph.
    """
    tools, folder = backend(kind), folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)  # an older export is none from here on
    graphs: dict[str, dict[str, str]] = {"fp32": {}}
    for graph in graphs_of(model, mirror=config.preprocessing.mirror, size=config.preprocessing.size):
        graphs["fp32"][graph.name] = file = graph.name + tools.SUFFIX
        tools.convert(graph, folder / file)
        done(1)
        if calibration:
            names = graphs.setdefault("int8", {})
            names[graph.name] = file  # of all work next to all is the CNN's
            if graph.name == LOOK:
                names[LOOK] = f"{LOOK}.int8{tools.SUFFIX}"
                tools.quantise(folder / file, folder / names[LOOK], calibration)
                done(1)
    if kind == "openvino":
        graphs["bf16"] = graphs["fp32"]  # the same files, compiled otherwise
    manifest = Manifest(
        kind=kind,
        model=name,
        preprocessing=config.preprocessing.model_dump(),
        sources={form: source_of(model, form) for form in model.decoders},
        graphs=graphs,
        tokens=tokens or {},
    )
    write_manifest(manifest, folder)
    return manifest


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write an export's manifest, replaced as a whole."""
    with atomic_write(folder / MANIFEST) as file:
        file.write(json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1) + "\n")


def read_manifest(folder: Path) -> Manifest | None:
    """An export's manifest; None where there is none that this version reads."""
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None
    return manifest if manifest.format == FORMAT else None


def open_export(manifest: Manifest, folder: Path, precision: str, model: CnnRnn | None = None) -> GraphEngine:
    """An engine on an export's graphs, which computes with as many threads as torch.

    Args:
        manifest: of the export.
        folder: where it lies.
        precision: one that it has.
        model: the model that was exported, whose decoders then write, prepared in torch, which is faster; without it
            the export's own graphs do.

    Raises:
        SemregError: the export has no such precision, a file is damaged, or a package is missing.
    """
    if precision not in manifest.graphs:
        raise SemregError(
            f"the export {folder} has no {precision}, but {', '.join(manifest.graphs)}: "
            f"semreg export --to {manifest.kind}{' --int8 --calibrate FOLDER' if precision == 'int8' else ''}"
        )
    tools, graphs = backend(manifest.kind), manifest.graphs[precision]
    name, threads = f"{manifest.kind}:{precision}", torch.get_num_threads()
    streams = min(tools.STREAMS, threads)

    def run(graph: str, precision: str = precision) -> Run:
        opened: Run = tools.open_graph(folder / graphs[graph], precision, threads, streams)
        return opened

    try:
        look = run(LOOK)
        if model is not None:
            half = precision != "fp32" and has_bfloat16()
            decoders_in_torch = PreparedDecoders(model, torch.bfloat16 if half else torch.float32)
            return GraphEngine(name, look, decoders_in_torch, streams, model.neighbours)
        decoders = {
            form: GraphDecoder(run(f"{BEGIN}-{form}"), run(f"{STEP}-{form}"), source)
            for form, source in manifest.sources.items()
        }
        neighbours = _first(run(NEIGHBOURS, "fp32")) if NEIGHBOURS in graphs else None
    except SemregError:
        raise
    except Exception as error:  # each runtime has kinds of its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SemregError(f"the export {folder} cannot be opened ({reason}): export the model again") from error
    return GraphEngine(name, look, decoders.__getitem__, neighbours=neighbours)


def _first(run: Run) -> Callable[[Tensor], Tensor]:
    """A graph of one input and one output."""
    return lambda value: run([value])[0].clone()
