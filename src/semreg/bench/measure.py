"""Measuring: cases take turns, so that other work on the machine slows all of them alike; medians with their spread."""

from __future__ import annotations

import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("semreg", "torch", "onnxruntime", "openvino", "pillow", "simplejpeg", "transformers")


@dataclass(frozen=True)
class Case:
    """Something to measure.

    Attributes:
        name: what it is.
        count: how many pictures (updates, ...) one go handles.
        work: one go.
        unit: what is counted.
        most: seconds after which no further round is started for it.
    """

    name: str
    count: int
    work: Callable[[], object]
    unit: str = "pictures"
    most: float = 60.0


def measure(
    cases: Sequence[Case], rounds: int = 7, warm: int = 2, done: Callable[[int], None] = lambda count: None
) -> dict[str, dict[str, Any]]:
    """Measure cases in turn.

    Args:
        cases: with names of their own.
        rounds: goes of each case that count.
        warm: goes before, that do not.
        done: called with 1 after each go.

    Returns:
        For each case `rate` (of its unit a second, at the median), `seconds` of one go: `median`, `low` and `high`
        (quartiles), and how many `rounds` counted.
    """
    seconds: dict[str, list[float]] = {case.name: [] for case in cases}
    for round_ in range(-warm, rounds):
        for case in cases:
            if sum(seconds[case.name]) > case.most and len(seconds[case.name]) >= 3:
                done(1)
                continue
            gc.collect()
            began = time.perf_counter()
            case.work()
            took = time.perf_counter() - began
            if round_ >= 0:
                seconds[case.name].append(took)
            done(1)
    return {case.name: _summary(case, seconds[case.name]) for case in cases}


def _summary(case: Case, seconds: list[float]) -> dict[str, Any]:
    low, median, high = (float(value) for value in np.percentile(seconds, [25, 50, 75]))
    return {
        "rate": _round(case.count / median),
        "unit": case.unit,
        "seconds": {"median": _round(median), "low": _round(low), "high": _round(high)},
        "rounds": len(seconds),
    }


def ratio(found: dict[str, dict[str, Any]], name: str, to: str) -> float:
    """How many times as fast `name` is as `to`."""
    return _round(found[name]["rate"] / found[to]["rate"])


def surroundings(command: str) -> dict[str, Any]:
    """The command, the class of machine and the versions, for a log; no name of a machine or a folder."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "command": command,
        "machine": f"{platform.system()} {platform.machine()}, {available_cores()} CPU cores",
        "processor_features": processor_features(),
        "versions": versions,
    }


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_features() -> list[str]:
    """The features of the processor that decide about half and 8-bit precision."""
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_bf16", "amx_int8", "asimddp", "bf16")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    flags = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return [name for name in wanted if name in flags]


def peak_memory() -> float | None:
    """The most memory that this process has held, in MB; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 1024), 1)


def _round(value: float) -> float:
    return float(f"{value:.4g}")
