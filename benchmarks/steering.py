"""Whether steering is honoured: concepts switched on and off, words that must and must not be said, on test pictures.

    python benchmarks/steering.py coco18

For each picture one concept that its reference caption names, that the CNN gives less than its threshold, and that the
caption lacks (drawn by a fixed seed) is switched on, or its word demanded with `must`; one concept that the caption
names and neither reference nor labels do is switched off; and one word that the caption has is forbidden with `never`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import semreg
from semreg import Annotation, Annotator, Options
from semreg.data.concepts import Concepts
from semreg.data.records import Record, of_split, read_records
from semreg.evaluation import CiderD, tokenize

BATCH = 64


def grouped(
    annotator: Annotator, annotations: Sequence[Annotation], words: Sequence[str], rule: str
) -> list[Annotation]:
    """Each annotation told anew with its word as `must` or `never`; those with the same word together."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        places[word].append(place)
    told: dict[int, Annotation] = {}
    for word, rows in places.items():
        options = Options(**{rule: (word,)})
        told |= dict(
            zip(rows, annotator.steer_many([annotations[i] for i in rows], [{}] * len(rows), options), strict=True)
        )
    return [told[i] for i in range(len(words))]


def switched(
    annotator: Annotator,
    annotations: Sequence[Annotation],
    changes: Sequence[Mapping[str, float]],
    emphasis: float = Options().emphasis,
) -> list[Annotation]:
    """Each annotation with its concepts set."""
    told: list[Annotation] = []
    for first in range(0, len(annotations), BATCH):
        part = slice(first, first + BATCH)
        told += annotator.steer_many(annotations[part], changes[part], Options(emphasis=emphasis))
    return told


def captions(annotations: Sequence[Annotation]) -> list[str]:
    return [annotation.caption.text if annotation.caption else "" for annotation in annotations]


class Judge:
    """Captions against references and against the concepts that they should name."""

    def __init__(self, vocabulary: Concepts, records: Sequence[Record], names: Sequence[str]) -> None:
        self.vocabulary, self.names = vocabulary, names
        self.cider = CiderD([[tokenize(text) for text in record.captions] for record in records])

    def __call__(self, annotations: Sequence[Annotation]) -> dict[str, float]:
        texts = captions(annotations)
        said = [
            self.vocabulary.index[n] in self.vocabulary.find((), [t]) for n, t in zip(self.names, texts, strict=True)
        ]
        tagged = [n in [tag.label for tag in a.tags] for n, a in zip(self.names, annotations, strict=True)]
        return {
            "pictures": len(texts),
            "CIDEr-D": round(float(np.mean(self.cider.score([tokenize(text) for text in texts]))), 4),
            "word in caption": round(float(np.mean(said)), 4),
            "among the tags": round(float(np.mean(tagged)), 4),
        }


def measure(annotator: Annotator, records: Sequence[Record], count: int, choose: bool) -> dict[str, Any]:
    vocabulary, names = annotator.config.concept_vocabulary(), annotator.concepts
    thresholds = annotator.config.concept_thresholds()
    draw = random.Random(0)
    records = list(records)[: 2 * count]
    annotations = list(annotator.annotate([record.path for record in records], Options(batch_size=32)))
    missed: list[tuple[Record, Annotation, str]] = []
    wrong: list[tuple[Record, Annotation, str]] = []
    said_words: list[tuple[Record, Annotation, str]] = []
    for record, annotation in zip(records, annotations, strict=True):
        said = set(vocabulary.find((), captions([annotation])))
        truth, every = vocabulary.find((), record.captions), set(vocabulary.find(record.tags, record.captions))
        lacking = [k for k in truth if annotation.concept_scores[k] < thresholds[k] and k not in said]
        for cases, choice in ((missed, lacking), (wrong, sorted(said - every)), (said_words, sorted(said))):
            if choice and len(cases) < count:
                cases.append((record, annotation, names[draw.choice(choice)]))
    result: dict[str, Any] = {}

    def about(cases: list[tuple[Record, Annotation, str]]) -> tuple[list[Annotation], list[str], Judge]:
        rows, old, words = map(list, zip(*cases, strict=True))
        return old, words, Judge(vocabulary, rows, words)

    old, words, judge = about(missed)
    result["missed concept"] = {"as it is": judge(old)}
    if choose:
        for emphasis in (1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3):
            on = switched(annotator, old, [{word: 1.0} for word in words], emphasis)
            result["missed concept"][f"switched on, emphasis {emphasis}"] = judge(on)
        return result
    began = time.perf_counter()
    result["missed concept"]["switched on"] = judge(switched(annotator, old, [{word: 1.0} for word in words]))
    result["seconds a picture, in batches"] = round((time.perf_counter() - began) / len(old), 4)
    result["missed concept"]["must"] = judge(grouped(annotator, old, words, "must"))
    old, words, judge = about(wrong)
    off = switched(annotator, old, [{word: 0.0} for word in words])
    result["wrong concept"] = {"as it is": judge(old), "switched off": judge(off)}
    old, words, judge = about(said_words)
    result["word of the caption"] = {"as it is": judge(old), "never": judge(grouped(annotator, old, words, "never"))}
    result["read back from JSON, nothing set"] = {}
    for form, everything in (("all concepts", True), ("concepts as listed", False)):
        read = [Annotation.from_json(a.to_json(all_concepts=everything)) for a in annotations]
        again = switched(annotator, read, [{}] * len(read))
        differ = [a != b for a, b in zip(captions(annotations), captions(again), strict=True)]
        result["read back from JSON, nothing set"][form] = {
            "pictures": len(differ),
            "another caption": int(sum(differ)),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data set folder with captions")
    parser.add_argument("--split", default="test")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--choose", action="store_true", help="several emphases; for the validation split")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "steering")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    annotator = semreg.load()
    records = of_split(read_records(arguments.data), arguments.split)
    result = {
        "command": f"python benchmarks/steering.py {arguments.data.name} --split {arguments.split}"
        + (" --choose" if arguments.choose else ""),
        "model": annotator.name,
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        **measure(annotator, records, arguments.count, arguments.choose),
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    name = "emphasis" if arguments.choose else "steering"
    (arguments.output / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
