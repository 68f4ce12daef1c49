"""Learning from a few corrected pictures: the concept layer alone, held to what it said of others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from semreg.data.loader import leave_out_unreadable
from semreg.data.records import Record, read_records
from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.model_config import ModelConfig
from semreg.model_folder import CARD, load_model, save_model
from semreg.training.features import look
from semreg.training.log import RunLog
from semreg.training.replay import read_replay, save_replay

STEPS, RATE = 50, 1e-3
WEIGHT = 0.3  # of a corrected concept of one picture; each concept of a replayed picture has 1
MODEL = "model"


@dataclass(frozen=True)
class Corrected:
    """What the corrections say, of N pictures.

    Attributes:
        features: phi(I), (N, D).
        targets: what the concept layer is to say, (N, K): the truth where it was wrong, else what it said.
        wrong: where it was, (N, K).
        neighbours: what they add to the concept layer's logits, (N, K); 0 for a layer by itself.
    """

    features: Tensor
    targets: Tensor
    wrong: Tensor
    neighbours: Tensor


def corrected(features: Tensor, said: Tensor, truth: Tensor, thresholds: Tensor, neighbours: Tensor) -> Corrected:
    """Find what a model must learn: concepts that it sees and people do not, and the reverse.

    Args:
        features: phi(I), (N, D).
        said: s_hat, (N, K).
        truth: s, (N, K), 0 or 1.
        thresholds: of the concepts, (K,).
        neighbours: what they add to the logits, (N, K).
    """
    wrong = (truth > 0.5) != (said >= thresholds)
    return Corrected(features, torch.where(wrong, truth, said), wrong, neighbours)


def learn(layer: torch.nn.Linear, what: Corrected, replay: Tensor) -> None:
    """Teach the concept layer, in place; concepts that nobody corrected stay as they are, to the bit.

    It is taught the truth where it was wrong, and what it said before of the replayed pictures and of whatever was
    right: learning without forgetting (Li and Hoiem 2016, arXiv:1606.09282), with features in place of pictures.

    Args:
        layer: W_s, b_s.
        what: the corrections.
        replay: features of pictures that it learnt from once, (R, D).
    """
    rows = what.wrong.any(0).nonzero()[:, 0]  # (C,) the concepts that were corrected
    before = layer(replay).sigmoid()[:, rows].detach()
    weight = layer.weight[rows].detach().clone().requires_grad_()
    bias = layer.bias[rows].detach().clone().requires_grad_()
    targets, strength = what.targets[:, rows], torch.where(what.wrong[:, rows], WEIGHT, 1.0)
    optimizer = torch.optim.Adam([weight, bias], lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        new = F.binary_cross_entropy_with_logits(
            F.linear(what.features, weight, bias) + what.neighbours[:, rows], targets, strength, reduction="sum"
        )
        old = F.binary_cross_entropy_with_logits(F.linear(replay, weight, bias), before, reduction="sum")
        (new + old).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        layer.weight[rows], layer.bias[rows] = weight, bias


def learn_corrections(init: Path, data: Path, folder: Path) -> Path:
    """Make a better model of a finished one and a folder of corrected pictures; in seconds.

    Args:
        init: the model's folder.
        data: a data set: every picture with the tags or captions that are right, whatever its split.
        folder: for the run; must not hold one already.

    Returns:
        The new model's folder.

    Raises:
        SemregError: the model cannot learn so, or the corrections tell it nothing.
    """
    if (folder / MODEL).exists():
        raise SemregError(f"{str(folder)!r} holds a model already: name another --output")
    began = time.monotonic()
    model, config = load_model(init)
    if not config.supervised:
        raise SemregError(f"{config.name} has no concept layer that was taught: train it with a recipe")
    replay = read_replay(init)
    folder.mkdir(parents=True, exist_ok=True)
    with RunLog(folder) as log:
        records, problems = leave_out_unreadable(read_records(data), 1.0)
        for problem in problems:
            log.say(f"left out: {problem}")
        if not records:
            raise SemregError(f"none of the pictures of {str(data)!r} can be read: check the folder")
        what = _corrected(model, config, records, log)
        concepts = [config.concepts[k] for k in what.wrong.any(0).nonzero()[:, 0].tolist()]
        if not concepts:
            raise SemregError(f"{config.name} sees in the pictures of {str(data)!r} what they say: nothing to learn")
        learn(model.semantic, what, replay)
        count, seconds = int(what.wrong.sum()), round(time.monotonic() - began, 1)
        log.event("corrections", pictures=len(records), corrected=count, concepts=concepts, seconds=seconds)
        log.say(f"{count} corrections of {len(concepts)} concepts in {len(records)} pictures, {seconds} seconds")
        training = {**config.training, "corrections": config.training.get("corrections", 0) + count}
        card = (init / CARD).read_text(encoding="utf-8") if (init / CARD).is_file() else f"# {config.name}\n"
        card += f"\nThe concept layer has since learnt from {count} corrections in {len(records)} pictures.\n"
        save_model(model, config.model_copy(update={"training": training}), folder / MODEL, card=card)
        save_replay(replay, folder / MODEL, config.bits)
    return folder / MODEL


def _corrected(model: CnnRnn, config: ModelConfig, records: list[Record], log: RunLog) -> Corrected:
    vocabulary = config.concept_vocabulary()
    truth = torch.zeros(len(records), len(vocabulary))
    for row, record in enumerate(records):
        truth[row, vocabulary.find(record.tags, record.captions)] = 1
    paths, preprocessing = [record.path for record in records], config.preprocessing.build()
    features = look(model, paths, preprocessing, log, "the corrected pictures")
    if config.preprocessing.mirror:
        features = (features + look(model, paths, preprocessing, log, "their mirror images", mirror=True)) / 2
    with torch.no_grad():
        own, said = model.semantic(features), model.recognise(features)
    thresholds = torch.tensor(config.concept_thresholds())
    return corrected(features, said.concepts, truth, thresholds, said.logits - own)
