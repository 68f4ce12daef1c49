"""How often captions tell the right kind (man or woman), and what not to guess costs, by the share asked for.

    python benchmarks/general_words.py coco18 --split val

A caption tells a kind when it has words of that kind and of no other; where the reference tells one too, it is right or
wrong. The pictures are looked at once. The shipped share was chosen on the validation pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

import semreg
from semreg.annotator import Annotator
from semreg.data.records import Record, of_split, read_records
from semreg.data.vocabulary import words_of
from semreg.evaluation import caption_scores
from semreg.model.interfaces import Encoding
from semreg.model_config import GeneralConfig

SHARES = (0.0, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, default=None, help="without it the default model")
    parser.add_argument("--split", default="val")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("results") / "coco18")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    annotator = semreg.load(arguments.model)
    general = annotator.config.general
    if general is None:
        parser.error(f"{annotator.name} has no general words")
    records = [record for record in of_split(read_records(arguments.data), arguments.split) if record.captions]
    batches = annotator.read([record.path for record in records], 32)
    seen = [annotator.encode(batch.pictures) for batch in batches]
    rows = [measured(annotator, general, seen, records, share) for share in sorted({*SHARES, general.share})]
    result = {
        "command": f"python benchmarks/general_words.py {arguments.data.name} --split {arguments.split}",
        "model": annotator.name,
        "its share": general.share,
        "torch": version("torch"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "pictures": len(records),
        "shares": rows,
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / f"general-words-{arguments.split}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


def measured(
    annotator: Annotator, general: GeneralConfig, seen: list[Encoding], records: list[Record], share: float
) -> dict[str, float]:
    """One share's captions against the references."""
    config = annotator.config.model_copy(update={"general": general.model_copy(update={"share": share})})
    other = Annotator(annotator.model, config, annotator.name)
    captions = [text for part in seen for text in other.sentences(other.predict(part))]
    told = [kind(caption, general) for caption in captions]
    true = [kind(" ".join(record.captions), general) for record in records]
    checked = [(a, b) for a, b in zip(told, true, strict=True) if a is not None and b is not None]
    right = sum(a == b for a, b in checked)
    scores = caption_scores(captions, [record.captions for record in records]).corpus
    return {
        "share": share,
        "captions that tell a kind": sum(a is not None for a in told),
        "whose reference tells one too": len(checked),
        "right": right,
        "CIDEr-D": round(scores["CIDEr-D"], 4),
        "distinct": len(set(captions)),
    }


def kind(text: str, general: GeneralConfig) -> int | None:
    """The one kind of which a text has words; None for none or several."""
    words = set(words_of(text))
    found = [number for number, each in enumerate(general.kinds) if words & set(each.words)]
    return found[0] if len(found) == 1 else None


if __name__ == "__main__":
    main()
