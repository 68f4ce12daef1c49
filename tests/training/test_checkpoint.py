"""What a run keeps: a checkpoint that comes back as it was, and a moving average that does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from semreg.errors import SemregError
from semreg.training.checkpoint import Average, Progress, load_checkpoint, save_checkpoint, snapshot

PROGRESS = Progress(stage=1, epoch=2, step=3, best=float("-inf"), best_epoch=1, seconds=4.5, updates=6)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {"model": snapshot(model), "optimizer": optimizer.state_dict(), "best": {}}
    save_checkpoint(tmp_path / "checkpoint.pt", PROGRESS, state)
    progress, found = load_checkpoint(tmp_path / "checkpoint.pt")
    assert progress == PROGRESS and found.keys() == state.keys()
    assert all(torch.equal(value, found["model"][name]) for name, value in state["model"].items())
    assert all(
        torch.equal(value, found["optimizer"]["state"][number][key])
        for number, values in state["optimizer"]["state"].items()
        for key, value in values.items()
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint.pt"]


def test_a_snapshot_does_not_change_with_the_model() -> None:
    model = torch.nn.Linear(3, 2)
    kept = snapshot(model)
    with torch.no_grad():
        model.weight.zero_()
    assert kept["weight"].abs().sum() > 0


def test_a_missing_and_a_damaged_checkpoint_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(SemregError, match=r"has no checkpoint\.pt to resume from"):
        load_checkpoint(path)
    save_checkpoint(path, PROGRESS, {"model": snapshot(torch.nn.Linear(30, 20))})
    whole = path.read_bytes()
    torch.save(torch.nn.Linear(2, 2), tmp_path / "pickle.pt")  # code to run: never read
    for content in (whole[: len(whole) // 2], b"", b"text", (tmp_path / "pickle.pt").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(SemregError, match=r"checkpoint\.pt is damaged") as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400 + len(str(path))


def test_an_average_lies_between_the_weights_it_has_seen_and_is_applied_for_a_while_only() -> None:
    model = torch.nn.Linear(1, 1)
    model.bias.requires_grad_(False)
    with torch.no_grad():
        model.weight.fill_(0)
    average = Average(model, 0.9)
    for value in (1.0, 2.0, 3.0):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(model)
    bias = model.bias.clone()
    with average.applied(model):
        inside = model.weight.item()
        assert torch.equal(model.bias, bias)
    assert 0 < inside < 3 and model.weight.item() == 3
    with pytest.raises(RuntimeError), average.applied(model):
        raise RuntimeError
    assert model.weight.item() == 3


def test_an_average_starts_fast_and_slows_down_to_its_decay() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    average = Average(model, 0.5)
    with torch.no_grad():
        model.weight.fill_(0)
        average.weights["weight"].fill_(1)
    kept = []
    for _ in range(30):
        before = average.weights["weight"].item()
        average.update(model)
        kept.append(average.weights["weight"].item() / before)
    assert kept[0] == pytest.approx(2 / 11)
    assert kept == sorted(kept) and kept[-1] == pytest.approx(0.5)
