"""The decoder: step by step equals teacher forcing, whatever the interface; states move with their rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semreg.model.decoder import Decoder, path_probabilities
from semreg.model.interfaces import INTERFACES, Encoding, SemanticInterface

D, K, V, E, H, B, T = 5, 4, 8, 6, 7, 3, 5
KINDS = [*[(kind, every) for kind in INTERFACES for every in (False, True)], ("evidence", False), ("evidence", True)]


def build(kind: str = "semantic", every_step: bool = False, dropout: float = 0.5) -> Decoder:
    torch.manual_seed(0)
    if kind == "evidence":
        concept_of_token = torch.tensor([-1, -1, -1, 2, 0, 1, -1, 3])
        interface = SemanticInterface(K, E, H, every_step, concept_of_token)
    else:
        interface = INTERFACES[kind](K if kind == "semantic" else D, E, H, every_step)
    return Decoder(interface, V, E, H, dropout).eval()


def seen(pictures: int = B) -> Encoding:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(pictures, K, generator=generator)
    return Encoding(torch.randn(pictures, D, generator=generator), logits, logits.sigmoid())


def tokens(pictures: int = B) -> Tensor:
    return torch.randint(V, (pictures, T), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_stepping_token_by_token_equals_teacher_forcing(kind: str, every_step: bool) -> None:
    decoder, path = build(kind, every_step), tokens()
    state, steps = decoder.begin(seen()), []
    for token in path.T:
        logits, state = decoder.step(token, state)
        steps.append(logits)
    torch.testing.assert_close(torch.stack(steps, 1), decoder(seen(), path), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_each_picture_is_told_by_itself(kind: str, every_step: bool) -> None:
    decoder, path, encoding = build(kind, every_step), tokens(), seen()
    one = Encoding(encoding.features[1:2], encoding.logits[1:2], encoding.concepts[1:2])
    torch.testing.assert_close(decoder(one, path[1:2]), decoder(encoding, path)[1:2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_the_picture_matters_and_the_future_does_not(kind: str, every_step: bool) -> None:
    decoder, path, encoding = build(kind, every_step), tokens(), seen()
    told = decoder(encoding, path)
    another = Encoding(encoding.features.flip(0), encoding.logits.flip(0), encoding.concepts.flip(0))
    assert not torch.allclose(decoder(another, path)[0], told[0], atol=1e-4)
    path[:, 3:] = (path[:, 3:] + 1) % V
    later = decoder(encoding, path)
    torch.testing.assert_close(later[:, :3], told[:, :3], rtol=0, atol=0)
    assert not torch.allclose(later[:, 3:], told[:, 3:], atol=1e-4)


@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_a_selected_state_goes_on_as_its_row_would_have(kind: str, every_step: bool) -> None:
    decoder, path = build(kind, every_step), tokens()
    _, state = decoder.step(path[:, 0], decoder.begin(seen()))
    logits, after = decoder.step(path[:, 1], state)
    rows = torch.tensor([2, 0, 0, 1])  # in another order, and one of them twice
    selected, selected_after = decoder.step(path[rows, 1], state.select(rows))
    torch.testing.assert_close(selected, logits[rows], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(selected_after.cell, after.cell[rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "every_step"), KINDS)
def test_reordering_beams_of_the_same_picture_equals_selecting_them(kind: str, every_step: bool) -> None:
    decoder = build(kind, every_step)
    pictures = torch.tensor([0, 0, 1, 1])  # two beams each
    _, state = decoder.step(torch.tensor([3, 4, 5, 6]), decoder.begin(seen()).select(pictures))
    rows, token = torch.tensor([1, 1, 3, 2]), torch.tensor([2, 3, 4, 5])
    torch.testing.assert_close(
        decoder.step(token, state.reorder(rows))[0], decoder.step(token, state.select(rows))[0], rtol=0, atol=0
    )


@pytest.mark.parametrize("kind", INTERFACES)
def test_the_cell_starts_at_zero_unless_the_picture_is_the_first_input(kind: str) -> None:
    state = build(kind).begin(seen())
    assert (state.cell == 0).all() == (kind != "input")
    assert (state.hidden == 0).all() == (kind == "fusion")


def test_dropout_is_for_training_only() -> None:
    decoder, path = build(dropout=0.5), tokens()
    assert torch.equal(decoder(seen(), path), decoder(seen(), path))
    decoder.train()
    assert not torch.equal(decoder(seen(), path), decoder(seen(), path))


def test_path_probabilities_equal_a_plain_loop() -> None:
    decoder, path, lengths = build("evidence"), tokens(), torch.tensor([5, 2, 1])
    found = path_probabilities(decoder, seen(), path, lengths)
    for b in range(B):
        best = torch.zeros(V)
        state = decoder.begin(seen())
        for t in range(int(lengths[b])):
            logits, state = decoder.step(path[:, t], state)
            best = torch.maximum(best, logits[b].softmax(-1))
        torch.testing.assert_close(found[b], best)


def test_path_probabilities_do_not_depend_on_what_lies_beyond_the_length() -> None:
    decoder, path, lengths = build(), tokens(), torch.tensor([3, 3, 3])
    found = path_probabilities(decoder, seen(), path, lengths)
    padded = torch.cat([path[:, :3], torch.zeros(B, 4, dtype=torch.long)], 1)
    torch.testing.assert_close(path_probabilities(decoder, seen(), padded, lengths), found)
    torch.testing.assert_close(path_probabilities(decoder, seen(), path[:, :3], lengths), found)
    assert not torch.allclose(path_probabilities(decoder, seen(), path, lengths + 1), found, atol=1e-5)
