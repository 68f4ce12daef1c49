"""A prepared decoder says what its decoder says, whatever the interface and however many rows a picture has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_decoder import KINDS, B, D, E, H, K, T, V, build, seen, tokens

from semreg.model import prepared
from semreg.model.decoder import Decoder
from semreg.model.interfaces import INTERFACES, Encoding
from semreg.model.prepared import PreparedDecoder


@pytest.fixture(params=["table", "no table"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no table":
        monkeypatch.setattr(prepared, "TABLE_LIMIT", 0)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_steps_are_the_decoders_own(kind: str, every_step: bool, packed: bool) -> None:
    decoder, path, encoding = build(kind, every_step), tokens(), seen()
    fast = PreparedDecoder(decoder, packed=packed)
    ours, theirs = fast.begin(encoding), decoder.begin(encoding)
    for token in path.T:
        logits, ours = fast.step(token, ours)
        expected, theirs = decoder.step(token, theirs)
        torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_a_whole_sequence_is_the_decoders_own(kind: str, every_step: bool) -> None:
    decoder = build(kind, every_step)
    expected = decoder(seen(), tokens()).detach()
    torch.testing.assert_close(PreparedDecoder(decoder)(seen(), tokens()), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_states_move_with_their_rows(kind: str, every_step: bool) -> None:
    decoder, path = build(kind, every_step), tokens()
    both: list[Any] = [PreparedDecoder(decoder), decoder]
    states = [each.begin(seen()) for each in both]
    moves = [
        ("select", torch.tensor([[0, 0], [1, 1], [2, 2]])),  # one row a picture becomes two
        ("reorder", torch.tensor([[1, 1], [2, 3], [5, 4]])),
        ("select", torch.tensor([[1, 0, 1], [5, 5, 4]])),  # the second picture leaves, two rows become three
    ]
    for step, (move, rows) in enumerate(moves):
        told = []
        for number, each in enumerate(both):
            state = each.step(path[:, 0].repeat(6)[: len(states[number].hidden)], states[number])[1]
            token = (torch.arange(rows.numel()) + step) % V
            logits, states[number] = each.step(token, getattr(state, move)(rows))
            told.append(logits.detach())
        torch.testing.assert_close(*told, rtol=1e-5, atol=1e-5)


def test_half_precision_stays_near() -> None:
    torch.manual_seed(0)
    decoder = Decoder(INTERFACES["semantic"](K, 32, 64, True), 50, 32, 64).eval()
    path = torch.randint(50, (B, T))
    expected = decoder(seen(), path).log_softmax(-1).detach()
    found = PreparedDecoder(decoder, torch.bfloat16)(seen(), path).log_softmax(-1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0.03)


@pytest.mark.parametrize("packed", [False, True])
def test_no_picture_gives_no_row(packed: bool) -> None:
    none = Encoding(torch.empty(0, D), torch.empty(0, K), torch.empty(0, K))
    fast = PreparedDecoder(build("semantic", True), packed=packed)
    logits, state = fast.step(torch.empty(0, dtype=torch.long), fast.begin(none))
    assert logits.shape == (0, V) and state.hidden.shape == (0, H) and E > 0
