"""Orders that are drawn or chosen anew at every update: the same labels always, in the order that was promised."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from semreg.model.decoder import Decoder
from semreg.model.interfaces import Encoding, SemanticInterface
from semreg.model.losses import any_remaining_loss, relational_loss
from semreg.model.orders import ORDERS, arrangement, minimal_loss_order, predicted_order, random_order

PADDING, START, STOP, FIRST = 0, 1, 2, 4
V, K, B = 10, 3, 5
PATHS = torch.tensor(
    [
        [START, 4, 5, 6, STOP],
        [START, 9, STOP, PADDING, PADDING],
        [START, STOP, PADDING, PADDING, PADDING],
        [START, 7, 4, STOP, PADDING],
        [START, 8, 9, 4, STOP],
    ]
)


@pytest.fixture
def decoder() -> Decoder:
    torch.manual_seed(0)
    return Decoder(SemanticInterface(K, 6, 7), V, 6, 7, dropout=0.5)


@pytest.fixture
def encoding() -> Encoding:
    logits = torch.randn(B, K, generator=torch.Generator().manual_seed(1))
    return Encoding(logits, logits, logits.sigmoid())


def greedy(decoder: Decoder, encoding: Encoding, steps: int) -> tuple[Tensor, Tensor]:
    """The decoder's own labels, none twice, and what it said at each step."""
    decoder.eval()
    state, token, used, told = decoder.begin(encoding), torch.full((B,), START), torch.zeros(B, V, dtype=bool), []
    used[:, :FIRST] = True
    tokens = []
    with torch.no_grad():
        for _ in range(steps):
            logits, state = decoder.step(token, state)
            told.append(logits.log_softmax(-1))
            token = told[-1].masked_fill(used, -torch.inf).argmax(1)
            used.scatter_(1, token[:, None], True)
            tokens.append(token)
    return torch.stack(tokens, 1), torch.stack(told, 1)


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_keeps_the_labels_and_the_frame_of_a_path(order: str, decoder: Decoder, encoding: Encoding) -> None:
    decoder.train()
    arrange = arrangement(order, FIRST)
    assert arrange is not None
    for _ in range(5):
        arranged = arrange(decoder, encoding, PATHS)
        assert torch.equal(arranged.sort(1).values, PATHS.sort(1).values)
        assert torch.equal(arranged[PATHS < FIRST], PATHS[PATHS < FIRST])
    assert decoder.training


def test_fixed_orders_need_no_arrangement() -> None:
    assert arrangement("rare-first", FIRST) is None


def test_random_order_draws_every_order_equally_often() -> None:
    torch.manual_seed(0)
    found = random_order(PATHS[:1].repeat(6000, 1), FIRST)[:, 1:4]
    for order in itertools.permutations([4, 5, 6]):
        assert 850 < int((found == torch.tensor(order)).all(1).sum()) < 1150


def test_minimal_loss_order_is_the_best_of_all_orders(decoder: Decoder, encoding: Encoding) -> None:
    _, told = greedy(decoder, encoding, 3)
    arranged = minimal_loss_order(decoder, encoding, PATHS, FIRST)
    for picture, row in enumerate(PATHS.tolist()):
        labels = [token for token in row if token >= FIRST]
        best = max(
            itertools.permutations(labels), key=lambda o: sum(float(told[picture, t, k]) for t, k in enumerate(o))
        )
        assert arranged[picture, 1 : 1 + len(labels)].tolist() == list(best)


def test_predicted_order_keeps_right_predictions_at_their_step(decoder: Decoder, encoding: Encoding) -> None:
    chosen, _ = greedy(decoder, encoding, 3)
    paths = PATHS.clone()
    paths[0, 1:4] = chosen[0].flip(0)  # all three are right, in another order
    arranged = predicted_order(decoder, encoding, paths, FIRST)
    assert torch.equal(arranged[0, 1:4], chosen[0])


def test_likeliest_order_is_what_greedy_search_among_the_labels_finds(decoder: Decoder, encoding: Encoding) -> None:
    chosen, _ = greedy(decoder, encoding, 3)
    paths = PATHS.clone()
    paths[0, 1:4] = chosen[0].flip(0)
    assert torch.equal(ORDERS["any"](decoder, encoding, paths, FIRST)[0, 1:4], chosen[0])


def test_a_batch_without_labels_stays_as_it_is(decoder: Decoder, encoding: Encoding) -> None:
    bare = torch.tensor([[START, STOP]] * B)
    for order in ORDERS:
        arrange = arrangement(order, FIRST)
        assert arrange is not None and torch.equal(arrange(decoder, encoding, bare), bare)


def test_any_remaining_loss_by_hand() -> None:
    probabilities = torch.full((1, 3, 6), 0.1)
    probabilities[0, 0, 4:] = torch.tensor([0.25, 0.35])  # either label is right at the first step
    probabilities[0, 1, 4:] = torch.tensor([0.5, 0.1])  # 5 was told: only 4 is left
    probabilities[0, 2, STOP] = 0.4
    targets = torch.tensor([[5, 4, STOP]])
    expected = -(torch.tensor([0.6, 0.5, 0.4]).log().mean())
    normal = probabilities / probabilities.sum(-1, keepdim=True)
    expected = expected + probabilities.sum(-1).log().mean()
    torch.testing.assert_close(any_remaining_loss(normal.log(), targets, PADDING, FIRST), expected)


def test_any_remaining_loss_is_at_most_that_of_the_path() -> None:
    logits = torch.randn(B, 4, V, generator=torch.Generator().manual_seed(3))
    targets = PATHS[:, 1:]
    assert any_remaining_loss(logits, targets, PADDING, FIRST) < relational_loss(logits, targets, PADDING)


def test_any_remaining_loss_asks_for_an_order_of_none_but_the_last_label() -> None:
    told = torch.randn(V, generator=torch.Generator().manual_seed(3)).log_softmax(-1)
    logits = told.expand(1, 4, V)
    one, other = (
        any_remaining_loss(logits, torch.tensor([row]), PADDING, FIRST) for row in ([4, 5, 6, 2], [4, 6, 5, 2])
    )
    torch.testing.assert_close(one - other, (told[5] - told[6]) / 4)
