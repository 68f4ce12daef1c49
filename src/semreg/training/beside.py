"""Trunks beside the taught one: when it has learnt, others come as ImageNet made them; only a linear layer learns."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semreg.model.cnn_rnn import CnnRnn
from semreg.model.stored import round_weights
from semreg.model.trunks import SideBySide, build_trunk
from semreg.training.setting import Setting, encode
from semreg.training.validation import validate_concepts

SHARES = (0.0, 0.3, 0.6, 1.0)
EPOCHS, UPDATES, BATCH, RATE, DECAY = 16, 500, 128, 3e-3, 0.05  # of the others' layer: epochs, or updates at least
RARE = 1e-3  # how rare a concept may be for the bias that it begins with
SCALE = 1 / 3  # of its inputs' deviation


@torch.no_grad()
def stand_beside(model: CnnRnn, setting: Setting) -> None:
    """Let other trunks look too, in place; does nothing where the recipe has none, or they are there.

    They do not learn: a linear layer on their features does, by itself, on L_u as binary cross-entropy. What it says,
    times a share that the validation pictures choose, is added to the logits of the taught trunk's own layer. Sum and
    share make one layer on the features side by side, so that the finished model has W_s and b_s as ever.
    """
    wanted, taught = setting.recipe.beside, model.trunk
    if wanted is None or isinstance(taught, SideBySide):
        return
    pretrained = setting.recipe.trunk.pretrained
    others = [build_trunk(name, pretrained=pretrained, folded=True).to(setting.device) for name in wanted.trunks]
    for other in others:
        other.requires_grad_(False).eval()
        round_weights(other, setting.recipe.bits)  # as they will be saved
    model.trunk = SideBySide(taught, others)
    own = model.semantic
    model.semantic = nn.Linear(model.trunk.feature_size, own.out_features).to(setting.device)
    train = encode(model, setting.train, setting, "the training pictures", keep=True).features[:, own.in_features :]
    weight, bias = teach_linear(train, setting.train.truth.to(setting.device), setting.recipe.seed)
    seen = encode(model, setting.validation, setting, "the validation pictures", keep=True)

    def metric(share: float) -> float:
        model.semantic.weight.copy_(torch.cat([own.weight, share * weight], dim=1))
        model.semantic.bias.copy_(own.bias + share * bias)
        return validate_concepts(model.recognise(seen.features), setting.validation)[0]

    found = {share: metric(share) for share in (SHARES if wanted.share is None else (wanted.share,))}
    best = max(found, key=lambda share: found[share])
    metric(best)
    names, alone = ", ".join(wanted.trunks), found.get(0.0)
    setting.log.event("beside", trunks=wanted.trunks, share=best, metric=found[best], alone=alone)
    before = "" if alone is None else f", {alone:.4f} without"
    setting.log.say(f"beside it {names} with a share of {best:g}: concept mAP {found[best]:.4f}{before}")


@torch.no_grad()
def teach_linear(features: Tensor, truth: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """A linear layer by itself, on binary cross-entropy.

    Args:
        features: (N, D).
        truth: s, (N, K), 0 or 1.
        seed: of the order of the pictures.

    Returns:
        Its weight (K, D) and bias (K,), for features as they come.
    """
    centre, scale = features.mean(0), SCALE / features.std()
    inputs = (features - centre) * scale
    layer = nn.Linear(features.shape[1], truth.shape[1]).to(features.device)
    nn.init.zeros_(layer.weight)
    layer.bias.copy_(truth.mean(0).clamp(RARE, 1 - RARE).logit())
    chance = torch.Generator().manual_seed(seed)
    steps = math.ceil(len(inputs) / BATCH)
    epochs = max(EPOCHS, math.ceil(UPDATES / steps))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=epochs * steps)
    with torch.enable_grad():
        for _ in range(epochs):
            order = torch.randperm(len(inputs), generator=chance).to(features.device)
            for rows in torch.split(order, BATCH):
                loss = F.binary_cross_entropy_with_logits(layer(inputs[rows]), truth[rows], reduction="sum") / len(rows)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
    weight = layer.weight.detach() * scale
    return weight, layer.bias.detach() - weight @ centre
