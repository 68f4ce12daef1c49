"""Who chooses among the captions that a search finds, one after another: what CIDEr-D and what truth each brings.

    python benchmarks/caption_choice.py coco18 --split val

Of truth: a caption is counted whose words imply labels (`semreg.data.implied`, from the training pictures) that the
picture all has; the pictures' labels are complete, their captions are not. The weights of the shipped model were chosen
on the validation pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import semreg
from semreg.annotator import Annotator
from semreg.data.implied import implied_labels
from semreg.data.records import Record, of_split, read_records
from semreg.data.vocabulary import words_of
from semreg.evaluation import caption_scores
from semreg.model.interfaces import Encoding

NARROW = 5  # beams, of the search that is compared with


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="without any the default model")
    parser.add_argument("--split", default="val")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "coco18")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    everything = read_records(arguments.data)
    records = [record for record in of_split(everything, arguments.split) if record.captions]
    train = of_split(everything, "train")
    implied = implied_labels([record.tags for record in train], [record.captions for record in train])
    result = {
        "command": f"python benchmarks/caption_choice.py {arguments.data.name} --split {arguments.split}",
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "pictures": len(records),
        "models": [of_model(semreg.load(model), records, implied) for model in arguments.models or [None]],
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"caption-choice-{arguments.split}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def of_model(annotator: Annotator, records: list[Record], implied: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    """One model's captions, with one chooser more each time."""
    config = annotator.config
    wide, alone = config.candidates or config.beams, {"consensus": None, "grounding": None, "general": ()}
    steps = {
        f"the likeliest of {NARROW}": alone | {"candidates": NARROW},
        f"the likeliest of {wide}": alone,
        "consensus": alone | {"consensus": config.consensus},
        f"consensus, of {NARROW}": alone | {"consensus": config.consensus, "candidates": NARROW},
        "and grounding": {"general": ()},
        "and general words": {},
    }
    seen = [annotator.encode(batch.pictures) for batch in annotator.read([record.path for record in records], 32)]
    rows = {}
    for name, changes in steps.items():
        other = Annotator(annotator.model, config.model_copy(update=changes), annotator.name)
        rows[name] = measured(other, seen, records, implied)
    return {"model": annotator.name, "captions": rows}


def measured(
    annotator: Annotator, seen: list[Encoding], records: list[Record], implied: dict[str, tuple[str, ...]]
) -> dict[str, Any]:
    """One way to choose against the references and the labels."""
    captions = [text for part in seen for text in annotator.sentences(annotator.predict(part))]
    said = [{label for word in words_of(text) for label in implied.get(word, ())} for text in captions]
    wrong = [labels - set(record.tags) for labels, record in zip(said, records, strict=True)]
    scores = caption_scores(captions, [record.captions for record in records]).corpus
    return {
        "CIDEr-D": round(scores["CIDEr-D"], 4),
        "imply no label that is not there": round(1 - sum(map(bool, wrong)) / len(records), 4),
        "labels implied, of each": round(sum(map(len, said)) / len(records), 3),
        "words, of each": round(sum(len(text.split()) for text in captions) / len(records), 2),
        "distinct": len(set(captions)),
    }


if __name__ == "__main__":
    main()
