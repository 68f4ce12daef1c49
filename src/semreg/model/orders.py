"""Orders of a label path that are drawn, or chosen by the model itself, anew at every update: a set has no order.

Letters as in `cnn_rnn.py`; n is the largest number of labels in a batch. Paths are (B, T): the start token, the labels,
the stop token, padding. Labels are the tokens from `first_label` on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from semreg.model.decoder import Decoder
from semreg.model.interfaces import Encoding

Arrange = Callable[[Decoder, Encoding, Tensor], Tensor]


def random_order(paths: Tensor, first_label: int) -> Tensor:
    """The same paths, (B, T), with the labels of each in random order (torch's own source of chance)."""
    place = torch.arange(paths.shape[1], device=paths.device).expand(paths.shape)
    labels = paths >= first_label
    # Between the start token at 0 and whatever follows the labels, every label gets a place at random.
    key = torch.where(labels, torch.rand(paths.shape, device=paths.device) + 0.5, place + 1.0 * (place > 0))
    return paths.gather(1, key.argsort(dim=1))


def likeliest_order(decoder: Decoder, encoding: Encoding, paths: Tensor, first_label: int) -> Tensor:
    """At each step the label that the model finds likeliest among those that the picture still has; (B, T)."""
    chosen, _ = _roll_out(decoder, encoding, paths, first_label, own=True)
    return _with_labels(paths, chosen, first_label)


def minimal_loss_order(decoder: Decoder, encoding: Encoding, paths: Tensor, first_label: int) -> Tensor:
    """The order of least loss under the model's predictions along its own greedy path; (B, T).

    Minimal loss alignment (MLA) of Yazici et al., CVPR 2020, arXiv:1911.09996, equation 6. As in
    `predicted_order`, the decoder is then taught on the aligned path itself, teacher-forced as ever, where the
    authors keep feeding it its own predictions: so one loss serves all orders.
    """
    return _align(decoder, encoding, paths, first_label, keep_hits=False)


def predicted_order(decoder: Decoder, encoding: Encoding, paths: Tensor, first_label: int) -> Tensor:
    """Right predictions keep their step, the other labels take the remaining steps at least loss; (B, T).

    Predicted label alignment (PLA) of Yazici et al., CVPR 2020, arXiv:1911.09996, equation 7.
    """
    return _align(decoder, encoding, paths, first_label, keep_hits=True)


ORDERS: dict[str, Callable[[Decoder, Encoding, Tensor, int], Tensor]] = {
    "random": lambda decoder, encoding, paths, first_label: random_order(paths, first_label),
    "predicted": predicted_order,
    "minimal-loss": minimal_loss_order,
    "any": likeliest_order,
}


def arrangement(order: str, first_label: int) -> Arrange | None:
    """How paths are arranged at every update for one of `ORDERS`; None for an order that is fixed beforehand."""
    if order not in ORDERS:
        return None
    return lambda decoder, encoding, paths: ORDERS[order](decoder, encoding, paths, first_label)


@torch.no_grad()
def _roll_out(
    decoder: Decoder, encoding: Encoding, paths: Tensor, first_label: int, own: bool
) -> tuple[Tensor, Tensor]:
    """Greedy labels without repetition, as many as the longest path has: (B, n), and log-probabilities (B, n, V).

    Args:
        own: choose among the picture's own labels only; a picture that has run out of them repeats its last.
    """
    was_training = decoder.training
    decoder.eval()
    labels = paths >= first_label
    state = decoder.begin(encoding)
    token, free = paths[:, 0], None
    chosen, told = [], []
    for _ in range(int(labels.sum(1).max())):
        logits, state = decoder.step(token, state)  # (B, V)
        told.append(logits.float().log_softmax(-1))
        if free is None:
            free = torch.zeros_like(logits, dtype=torch.bool)
            if own:
                free.scatter_(1, paths, True)
                free[:, :first_label] = False
            else:
                free[:, first_label:] = True
        best = told[-1].masked_fill(~free, float("-inf")).argmax(1)  # (B,)
        token = torch.where(free.any(1), best, token)
        free.scatter_(1, token[:, None], False)
        chosen.append(token)
    decoder.train(was_training)
    if not chosen:
        return paths[:, :0], decoder.output.weight.new_zeros(len(paths), 0, decoder.output.out_features)
    return torch.stack(chosen, 1), torch.stack(told, 1)


def _align(decoder: Decoder, encoding: Encoding, paths: Tensor, first_label: int, keep_hits: bool) -> Tensor:
    """Solve the assignment of labels to steps, picture by picture (the Hungarian method; a picture has few labels)."""
    from scipy.optimize import linear_sum_assignment

    chosen, told = _roll_out(decoder, encoding, paths, first_label, own=False)
    costs, steps = -told.cpu().numpy(), chosen.tolist()
    rows = []
    for picture, row in enumerate(paths.tolist()):
        labels = [token for token in row if token >= first_label]
        order = [token if keep_hits and token in labels else None for token in steps[picture][: len(labels)]]
        left = [token for token in labels if token not in order]
        places = [step for step, token in enumerate(order) if token is None]
        found, which = linear_sum_assignment(costs[picture][places][:, left])
        for place, label in zip(found, which, strict=True):
            order[places[place]] = left[label]
        rows.append([token for token in order if token is not None] + [0] * (chosen.shape[1] - len(labels)))
    return _with_labels(paths, torch.tensor(rows, dtype=paths.dtype, device=paths.device), first_label)


def _with_labels(paths: Tensor, labels: Tensor, first_label: int) -> Tensor:
    """The paths (B, T) with other labels (B, n) in the places of theirs."""
    counts = (paths >= first_label).sum(1, keepdim=True)  # (B, 1)
    taken = torch.arange(labels.shape[1], device=paths.device) < counts  # (B, n)
    arranged = paths.clone()
    arranged[:, 1 : 1 + labels.shape[1]] = torch.where(taken, labels, paths[:, 1 : 1 + labels.shape[1]])
    return arranged
