"""Which engine computes a model: the one that was asked for, or the fastest that is there and says the same."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_config import ModelConfig
from semreg.runtime.engine import KINDS, Engine, split_name
from semreg.runtime.exported import Manifest, open_export, read_manifest, write_graphs
from semreg.runtime.parity import check_pictures, parity, pictures_a_second
from semreg.runtime.torch_engine import TorchEngine, has_bfloat16

PACKAGES = ("torch", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Wanted:
    """What an engine is to compute.

    Attributes:
        model: on `device`, in evaluation mode.
        config: its description.
        name: NAME@HASH.
        folder: the model's; exports may lie in it.
        device: where to compute.
        say: told what takes a while.
    """

    model: CnnRnn
    config: ModelConfig
    name: str
    folder: Path
    device: torch.device
    say: Callable[[str], None] = lambda text: None

    def torch_engine(self, precision: str = "fp32") -> TorchEngine:
        """Torch, which is always there."""
        mirror = self.config.preprocessing.mirror
        return TorchEngine(self.model, mirror=mirror, device=self.device, precision=precision)


def cache_folder() -> Path:
    """Where exports made on the way and measurements are kept: SEMREG_CACHE, or semreg in the user's cache folder."""
    if chosen := os.environ.get("SEMREG_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "semreg"


def load_engine(name: str, wanted: Wanted) -> Engine:
    """The engine of that name.

    "onnx" and "openvino" open the model's export: in the model's folder, or else in the cache, where it is made when
    there is none. Without a precision they take int8 where the export has found it to be as good, then bfloat16 where
    the processor has it. "auto" measures what is there, once for each machine, and takes the fastest that is faithful.

    Raises:
        SemregError: no such engine, a package is missing, or the export has no such precision.
    """
    kind, precision = split_name(name)
    if kind == "torch":
        return wanted.torch_engine(precision or "fp32")
    if wanted.device.type != "cpu":
        if kind == "auto":
            return wanted.torch_engine("bf16" if wanted.device.type == "cuda" else "fp32")
        raise SemregError(f"the engine {kind} computes on the cpu, not on {wanted.device}: take --engine torch")
    if kind == "auto":
        return _fastest(wanted)
    folder = next((place for place in _places(kind, wanted) if _of_model(place, wanted)), None)
    if folder is None:
        if precision == "int8":
            raise SemregError(
                f"{wanted.name} has no int8 export for {kind}: semreg export --to {kind} --int8 --calibrate FOLDER"
            )
        folder = cache_folder() / wanted.name / kind
        wanted.say(f"converting the model for {kind}, once: {folder}")
        write_graphs(wanted.model, wanted.config, wanted.name, kind, folder)
    manifest = read_manifest(folder)
    assert manifest is not None
    return open_export(manifest, folder, precision or _best(manifest), wanted.model)


def _places(kind: str, wanted: Wanted) -> tuple[Path, Path]:
    return wanted.folder / kind, cache_folder() / wanted.name / kind


def _of_model(folder: Path, wanted: Wanted) -> bool:
    manifest = read_manifest(folder)
    return manifest is not None and manifest.model == wanted.name


def _best(manifest: Manifest) -> str:
    if "int8" in manifest.graphs and manifest.checks.get("int8", {}).get("faithful"):
        return "int8"
    if "bf16" in manifest.graphs:
        return "bf16" if has_bfloat16() else "fp32"
    return "fp32"


def _fastest(wanted: Wanted) -> Engine:
    """By measurements kept from before, or made now."""
    exports = [place for kind in ("openvino", "onnx") for place in _places(kind, wanted) if _of_model(place, wanted)]
    record, key = cache_folder() / wanted.name / "engines.json", _machine(exports)
    known = _read(record)
    if known.get("machine") != key:
        wanted.say("measuring the engines, once for this machine")
        known = {"machine": key, "engines": _measured(wanted, exports)}
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(record) as file:
                file.write(json.dumps(known, indent=1) + "\n")
        except (OSError, SemregError):  # a cache that cannot be written is measured again next time
            pass
    rates = {name: row["pictures_a_second"] for name, row in known["engines"].items() if row["faithful"]}
    best = max(rates, key=lambda name: rates[name])
    return wanted.torch_engine(best.partition(":")[2]) if best.startswith("torch") else load_engine(best, wanted)


def _measured(wanted: Wanted, exports: list[Path]) -> dict[str, dict[str, Any]]:
    """Rate and faithfulness of everything that can be opened."""
    reference, found = wanted.torch_engine(), {}
    forms, pictures = tuple(wanted.config.decoders), check_pictures(wanted.config.preprocessing.size)
    for engine, checked in _candidates(wanted, exports):
        precision = engine.name.partition(":")[2]
        differences = parity(engine, reference, forms, pictures)
        found[engine.name] = {
            "pictures_a_second": round(pictures_a_second(engine, pictures), 1),
            "faithful": bool(checked) if precision == "int8" else differences.within(precision),
            **differences.json(),
        }
    return found


def _candidates(wanted: Wanted, exports: list[Path]) -> Iterator[tuple[Engine, bool]]:
    """Engines, and whether their export has found them as good; what cannot be opened is passed over."""
    for precision in ("fp32", "bf16"):
        yield wanted.torch_engine(precision), True
    for folder in exports:
        manifest = read_manifest(folder)
        assert manifest is not None
        for precision in KINDS[manifest.kind]:
            try:
                engine = open_export(manifest, folder, precision, wanted.model)
            except SemregError:
                continue
            yield engine, bool(manifest.checks.get(precision, {}).get("faithful"))


def _machine(exports: list[Path]) -> str:
    """What the measurements hold for: processor, threads, versions, and the exports as they are."""
    parts = [platform.machine(), _processor(), str(torch.get_num_threads())]
    for package in PACKAGES:
        try:
            parts.append(version(package))
        except PackageNotFoundError:
            parts.append("-")
    for folder in exports:
        manifest = read_manifest(folder)
        parts.append("" if manifest is None else manifest.model_dump_json())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def _read(record: Path) -> dict[str, Any]:
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
