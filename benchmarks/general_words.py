"""What is not guessed, and what it costs: each group of general words of a model, by the share asked for.

    python benchmarks/general_words.py coco18 --split val

A caption tells a kind when it has words of that kind and of no other of the group; where the reference tells one too,
it is right or wrong. The other groups stay as they are. The shipped shares were chosen on the validation pictures.
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
from semreg.data.records import Record, of_split, read_records
from semreg.data.vocabulary import words_of
from semreg.evaluation import caption_scores
from semreg.model.interfaces import Encoding
from semreg.model_config import GeneralConfig

SHARES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=None, help="without it the default model")
    parser.add_argument("--split", default="val")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "coco18")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    annotator = semreg.load(arguments.model)
    if not annotator.config.general:
        parser.error(f"{annotator.name} has no general words")
    records = [record for record in of_split(read_records(arguments.data), arguments.split) if record.captions]
    batches = annotator.read([record.path for record in records], 32)
    seen = [annotator.encode(batch.pictures) for batch in batches]
    groups = [
        {
            "group": [" or ".join(kind.concepts) for kind in group.all_kinds()],
            "its share": group.share,
            "shares": [measured(annotator, number, seen, records, share) for share in sorted({*SHARES, group.share})],
        }
        for number, group in enumerate(annotator.config.general)
    ]
    result = {
        "command": f"python benchmarks/general_words.py {arguments.data.name} --split {arguments.split}",
        "model": annotator.name,
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "pictures": len(records),
        "groups": groups,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"general-words-{arguments.split}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def measured(
    annotator: Annotator, number: int, seen: list[Encoding], records: list[Record], share: float
) -> dict[str, Any]:
    """One share's captions of one group against the references."""
    groups = list(annotator.config.general)
    groups[number] = group = groups[number].model_copy(update={"share": share})
    config = annotator.config.model_copy(update={"general": tuple(groups)})
    other = Annotator(annotator.model, config, annotator.name)
    captions = [text for part in seen for text in other.sentences(other.predict(part))]
    told = [kind(caption, group) for caption in captions]
    true = [kind(" ".join(record.captions), group) for record in records]
    checked = [(a, b) for a, b in zip(told, true, strict=True) if a is not None and b is not None]
    scores = caption_scores(captions, [record.captions for record in records]).corpus
    return {
        "share": share,
        "captions that tell a kind": sum(a is not None for a in told),
        "whose reference tells one too": len(checked),
        "right": sum(a == b for a, b in checked),
        "CIDEr-D": round(scores["CIDEr-D"], 4),
        "distinct": len(set(captions)),
    }


def kind(text: str, group: GeneralConfig) -> int | None:
    """The one kind of which a text has words; None for none or several."""
    words = set(words_of(text))
    found = [number for number, each in enumerate(group.all_kinds()) if words & set(each.words)]
    return found[0] if len(found) == 1 else None


if __name__ == "__main__":
    main()
