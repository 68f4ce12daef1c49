"""L_r of a batch: of every form that is taught, by the loss that the recipe's label order asks for."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.data.vocabulary import PADDING, SPECIAL
from semreg.model.cnn_rnn import Taught
from semreg.model.losses import any_remaining_loss, relational_loss
from semreg.training.setting import Setting


def path_loss(taught: Taught, setting: Setting, smoothing: float) -> tuple[Tensor, dict[str, float]]:
    """L_r summed over the forms, and its parts for the log."""
    losses = {}
    for form, logits in taught.logits.items():
        targets = taught.paths[form][:, 1:]
        if form == "tags" and setting.recipe.tags.order == "any":
            losses[form] = any_remaining_loss(logits.float(), targets, PADDING, len(SPECIAL))
        else:
            losses[form] = relational_loss(logits.float(), targets, PADDING, smoothing)
    return torch.stack(list(losses.values())).sum(), {f"L_r {form}": loss.item() for form, loss in losses.items()}
