"""How much of a model's trunk serves somebody's own tags, and how strongly its concepts hold: on fixed features.

    python benchmarks/trunk_shares.py corel5k

For each share of the model's trunk (the rest are ImageNet's weights) concept layers are taught 20 of Corel-5k's labels
on 200 training pictures, as in `fine_tuning.py`, but at once (L-BFGS on whole features, cross-entropy), beginning from
what the model knows of the labels or from nothing, and pulled back to there. Judged by mean average precision on
800 training pictures that were held out; no test picture is looked at.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from fine_tuning import frequent_labels
from torch import Tensor
from torch.nn import functional as F

from semreg.bench.measure import surroundings
from semreg.evaluation import mean_average_precision
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_config import ModelConfig
from semreg.model_folder import build_model, find_model, fingerprint, read_config
from semreg.training.features import look
from semreg.training.log import RunLog
from semreg.training.transfer import carry_over

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
HOLDS = (0.05, 0.15, 0.5)
HELD_OUT, PICTURES, LABELS = 800, 200, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="Corel-5k, a folder with metadata.jsonl")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--init", default="default")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/fine-tuning/trunk-shares.json"))
    chosen = parser.parse_args()
    init = find_model(chosen.init)
    source = read_config(init)
    records = [json.loads(line) for line in (chosen.data / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = sorted(frequent_labels(records, source)[:LABELS])
    train = [record for record in records if record["split"] == "train"]
    random.Random(99).shuffle(train)
    truth = torch.tensor([[float(label in r["tags"]) for label in labels] for r in train])
    tagged = [row for row in range(HELD_OUT, len(train)) if truth[row].any()]
    samples = [random.Random(seed).sample(tagged, PICTURES) for seed in range(chosen.seeds)]
    rows = sorted({*range(HELD_OUT), *(row for sample in samples for row in sample)})
    place = {row: number for number, row in enumerate(rows)}
    truth, samples = truth[rows], [[place[row] for row in sample] for sample in samples]
    config = ModelConfig(
        name="shares", trunk=source.trunk, preprocessing=source.preprocessing, concepts=tuple(labels), decoders={}
    )
    table: list[dict[str, Any]] = []
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    with RunLog(chosen.output.parent, quiet=True) as log:
        for share in SHARES:
            model = build_model(config, pretrained=True).eval()
            carry_over(model, config, init, trunk=share)
            paths = [chosen.data / train[row]["file_name"] for row in rows]
            features = look(model, paths, config.preprocessing.build(), log, f"pictures with {share:.0%} of the trunk")
            table += judged(model, features, truth, samples, share)
    result = {
        **surroundings("python benchmarks/trunk_shares.py corel5k"),
        "model": f"{source.name}@{fingerprint(init)}",
        "labels": labels,
        "table": table,
    }
    chosen.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def judged(
    model: CnnRnn, features: Tensor, truth: Tensor, samples: list[list[int]], share: float
) -> list[dict[str, Any]]:
    """Mean average precision on the held-out pictures for each start and hold, means over the samples."""
    known, bias = model.semantic.weight.detach(), model.semantic.bias.detach()
    held_out = truth[:HELD_OUT].numpy() > 0.5
    found = []
    for start, begin in (("known", known), ("nothing", torch.zeros_like(known))):
        for hold in HOLDS:
            scores = []
            for sample in samples:
                middle = features[sample].mean(0)  # the bias is free, so this changes no optimum: it helps to find it
                weight, shift = fitted(features[sample] - middle, truth[sample], begin, bias, hold)
                said = F.linear(features[:HELD_OUT] - middle, weight, shift)
                scores.append(mean_average_precision(said.sigmoid().double().numpy(), held_out))
            found.append({"share": share, "start": start, "hold": hold, "mAP": round(mean(scores), 4)})
            print(json.dumps(found[-1]), flush=True)
    return found


def fitted(features: Tensor, truth: Tensor, begin: Tensor, bias: Tensor, hold: float) -> tuple[Tensor, Tensor]:
    """The concept layer that is best on some pictures, pulled back to where its weights begin."""
    weight, shift = begin.clone().requires_grad_(), bias.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([weight, shift], max_iter=60, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        wrong = F.binary_cross_entropy_with_logits(F.linear(features, weight, shift), truth, reduction="sum")
        total = wrong / len(features) + hold / 2 * (weight - begin).square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), shift.detach()


if __name__ == "__main__":
    main()
