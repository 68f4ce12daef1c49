"""What the beam search costs against vocabulary, beams, batch and length, and the least that its products cost.

    python benchmarks/beam_curves.py

A random decoder (LSTM and embedding of 512) writes exactly as many tokens as it is told to. The limit drawn in is by
operation count: the multiplications and additions of the LSTM's recurrent product and of the output layer, at the rate
at which this machine multiplies matrices of the same kind, measured beside it. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from semreg.bench.measure import Case, measure, surroundings
from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, START, STOP
from semreg.decoding import beam_search, search_for
from semreg.memory import keep_freed_memory
from semreg.model.decoder import Decoder
from semreg.model.interfaces import Encoding, SemanticInterface
from semreg.model.prepared import PreparedDecoder

HIDDEN, CONCEPTS = 512, 200
BASE = {"vocabulary": 10_000, "beams": 3, "batch": 32, "length": 12}
AXES = {
    "vocabulary": (1_000, 3_000, 10_000, 50_000),
    "beams": (1, 2, 3, 5, 7, 10),
    "batch": (1, 4, 16, 32, 64, 128, 256),
    "length": (4, 8, 12, 16, 24),
}
FOLDER = Path(__file__).with_name("results") / "speed"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def case(setting: dict[str, int], decoders: dict[int, PreparedDecoder]) -> Case:
    words, batch, length = setting["vocabulary"], setting["batch"], setting["length"]
    torch.manual_seed(0)
    logits = torch.randn(batch, CONCEPTS)
    encoding = Encoding(logits[:, :0], logits, logits.sigmoid())
    search = search_for(
        "caption", max_length=length, min_length=length, never=NEVER_PRODUCED, beams=setting["beams"], no_repeat_ngram=3
    )

    @torch.inference_mode()
    def work() -> None:
        found = beam_search(decoders[words], encoding, search, start=START, stop=STOP, padding=PADDING)
        assert bool((found.lengths == length).all())

    return Case(json.dumps(setting), batch, work, most=20.0)


def operations(setting: dict[str, int]) -> float:
    """Multiply-adds of the matrix products for the whole batch; one row a picture in the first step."""
    rows = setting["batch"] * (1 + setting["beams"] * (setting["length"] - 1))
    return rows * HIDDEN * (4 * HIDDEN + setting["vocabulary"])


def product_rate(dtype: torch.dtype) -> float:
    """Multiply-adds a second of a large product of the decoder's kind."""
    a, b = torch.randn(512, HIDDEN).to(dtype), torch.randn(4 * HIDDEN, HIDDEN).to(dtype)
    count = 512 * HIDDEN * 4 * HIDDEN
    found = measure([Case("product", 1, lambda: torch.nn.functional.linear(a, b))], rounds=21, warm=5)
    return count / found["product"]["seconds"]["low"]


def draw(found: dict[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(AXES), figsize=(16, 4.2), layout="constrained")
    for axis, (name, points) in zip(axes, found["curves"].items(), strict=True):
        x = [point[name] for point in points]
        low, median, high = ([point["ms"][key] for point in points] for key in ("low", "median", "high"))
        axis.plot(x, median, "o-", label="measured (median, quartiles)")
        axis.fill_between(x, low, high, alpha=0.25)
        axis.plot(x, [point["limit_ms"] for point in points], "--", color="black", label="limit by operation count")
        axis.set_xscale("log" if name in ("vocabulary", "batch") else "linear")
        axis.set_xticks(x, [f"{value:,}" for value in x])
        axis.minorticks_off()
        axis.set_xlabel({"vocabulary": "words", "length": "tokens"}.get(name, name))
        axis.set_ylabel("ms a picture" if axis is axes[0] else "")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    base = ", ".join(f"{value:,} {name}" for name, value in BASE.items())
    figure.suptitle(f"Beam search, {found['precision']}; where not varied: {base}")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--precision", choices=list(DTYPES), default="fp32")
    parser.add_argument("--output", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    keep_freed_memory()
    dtype = DTYPES[arguments.precision]
    torch.manual_seed(0)
    decoders = {
        words: PreparedDecoder(
            Decoder(SemanticInterface(CONCEPTS, 512, HIDDEN, True), words).eval(), dtype, packed=True
        )
        for words in AXES["vocabulary"]
    }
    settings = {name: [{**BASE, name: value} for value in values] for name, values in AXES.items()}
    distinct = {json.dumps(setting): setting for group in settings.values() for setting in group}
    measured = measure([case(setting, decoders) for setting in distinct.values()], arguments.rounds)
    rate = product_rate(dtype)
    curves: dict[str, list[dict[str, Any]]] = {}
    for name, group in settings.items():
        curves[name] = []
        for setting in group:
            seconds = measured[json.dumps(setting)]["seconds"]
            ms = {key: round(1000 * value / setting["batch"], 4) for key, value in seconds.items()}
            limit = 1000 * operations(setting) / rate / setting["batch"]
            curves[name].append({**setting, "ms": ms, "limit_ms": round(limit, 4)})
    command = f"python benchmarks/beam_curves.py --precision {arguments.precision} --rounds {arguments.rounds}"
    result = {
        **surroundings(command),
        "threads": torch.get_num_threads(),
        "precision": arguments.precision,
        "gigaoperations_a_second": round(rate / 1e9, 1),
        "curves": curves,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = f"beam-curves-{arguments.precision}"
    (arguments.output / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    draw(result, arguments.output / f"{name}.png")
    for axis, points in curves.items():
        for point in points:
            print(axis, point[axis], f"{point['ms']['median']:.2f} ms a picture, limit {point['limit_ms']:.2f}")


if __name__ == "__main__":
    main()
