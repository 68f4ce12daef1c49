"""A stage may be taught several times from one start: to the mean of the weights, or to a branch of the trunk each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from semreg.training import run
from semreg.training.checkpoint import Progress
from semreg.training.members import Members
from semreg.training.recipe import Recipe, load_recipe

TAUGHT = "{kind: concepts, epochs: 2, batch: 4, freeze: 8, trunk_learning_rate: 0.02, keep: last, average: 0.5%s}"
THEN = "{kind: relations, epochs: 1}"
State = dict[str, torch.Tensor]


def recipe_of(recipe_file: Path, *stages: str, branches: int = 1) -> Recipe:
    return load_recipe(recipe_file, [f"stages=[{', '.join(stages)}]", "data.test=null", f"trunk.branches={branches}"])


@pytest.fixture(scope="module", params=[1, 3], ids=["soup", "branches"])
def branches(request: pytest.FixtureRequest) -> int:
    """Of the trunk that three members teach."""
    return int(request.param)


@pytest.fixture(scope="module")
def whole(recipe_file: Path, tmp_path_factory: pytest.TempPathFactory, branches: int) -> Path:
    """The folder of a run in which a stage has three members."""
    folder = tmp_path_factory.mktemp("members") / "run"
    run.train(recipe_of(recipe_file, TAUGHT % ", members: 3", THEN, branches=branches), folder)
    return folder


def weights(folder: Path) -> State:
    return {name: value.float() for name, value in load_file(folder / "model" / "model.safetensors").items()}


def events(folder: Path, kind: str) -> list[dict[str, object]]:
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, atol=2e-3, rtol=2e-3)  # saved in half precision


def test_what_goes_on_is_what_the_members_learnt(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, branches: int
) -> None:
    members: list[State] = []
    start: State = {}
    add = Members.add

    def kept(these: Members, member: State, epochs: int) -> None:
        members.append({name: value.clone() for name, value in member.items()})
        start.update(these.start)
        add(these, member, epochs)

    monkeypatch.setattr(Members, "add", kept)
    run.train(recipe_of(recipe_file, TAUGHT % ", members: 3", branches=branches), tmp_path / "run")
    assert len(members) == 3
    after = weights(tmp_path / "run")
    for one, other in ((0, 1), (1, 2), (0, 2)):  # other draws, or there were no news in the second and third
        assert not torch.equal(members[one]["semantic.bias"], members[other]["semantic.bias"])
    close(after["semantic.bias"], sum(member["semantic.bias"] for member in members) / 3)
    layers = [member["semantic.weight"] for member in members]
    if branches == 1:
        close(after["trunk.head.conv.weight"], sum(member["trunk.head.conv.weight"] for member in members) / 3)
        close(after["semantic.weight"], sum(layers) / 3)
        return
    for number, member in enumerate(members):
        for branch in range(3):  # its own has learnt, and the others are as they were
            name = f"trunk.branches.{branch}.4.conv.weight"
            assert torch.equal(member[name], start[name]) == (branch != number)
        close(after[f"trunk.branches.{number}.4.conv.weight"], member[f"trunk.branches.{number}.4.conv.weight"])
        close(after["semantic.weight"].chunk(3, 1)[number], layers[number].chunk(3, 1)[number] / 3)


def test_every_member_begins_where_the_stage_did_and_the_log_tells_them_apart(whole: Path) -> None:
    epochs = [event for event in events(whole, "epoch") if event["stage"] == "1-concepts"]
    assert [(event["member"], event["epoch"]) for event in epochs] == [(m, e) for m in (1, 2, 3) for e in (0, 1, 2)]
    updates = [event["update"] for event in events(whole, "update") if event["stage"] == "1-concepts"]
    assert updates == list(range(1, len(updates) + 1))
    (together,) = events(whole, "together")
    assert together["members"] == 3
    (stage,) = (event for event in events(whole, "stage") if event["stage"] == "1-concepts")
    assert (stage["best"], stage["best_epoch"]) == (together["metric"], 2)


@pytest.mark.parametrize("branches", [1], indirect=True)  # with branches, the concept layer is of another size
def test_the_first_member_draws_what_a_stage_without_others_does(
    recipe_file: Path, whole: Path, tmp_path: Path
) -> None:
    run.train(recipe_of(recipe_file, TAUGHT % ""), tmp_path / "run")
    alone = [event["loss"] for event in events(tmp_path / "run", "update")]
    assert [event["loss"] for event in events(whole, "update")][: len(alone)] == alone


@pytest.mark.parametrize("looks", [1, 5, 8, 12])  # within members, and between two
def test_a_stopped_run_goes_on_to_the_same_bits(
    recipe_file: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int, branches: int
) -> None:
    left: Iterator[int] = iter(range(looks))
    with monkeypatch.context() as patch:
        patch.setattr(run, "stop_on_signal", lambda: nullcontext(lambda: next(left, None) is None))
        with pytest.raises(run.Interrupted):
            run.train(recipe_of(recipe_file, TAUGHT % ", members: 3", THEN, branches=branches), tmp_path / "run")
    run.resume(tmp_path / "run")
    first, second = weights(whole), weights(tmp_path / "run")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_equals_together_are_what_they_are_and_whole_numbers_stay_whole() -> None:
    start = {"weight": torch.zeros(3), "count": torch.tensor(0)}
    member = {"weight": torch.tensor([0.1, -2.0, 3e7]), "count": torch.tensor(7)}
    members = Members(start, branched=False)
    for _ in range(3):
        members.add(member, 2)
    together = Members.of(members.state()).together()
    assert torch.equal(together["weight"], member["weight"])
    assert torch.equal(together["count"], member["count"])


def test_the_next_member_keeps_only_what_was_spent() -> None:
    progress = Progress(stage=1, member=0, epoch=3, step=2, best=0.5, best_epoch=2, seconds=7.0, updates=9)
    progress.next_member()
    assert progress == Progress(stage=1, member=1, seconds=7.0, updates=9)
