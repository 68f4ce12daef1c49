"""A run ends in a model; a run that was stopped ends in the same model, to the bit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from semreg.data.records import read_records
from semreg.errors import SemregError
from semreg.model_folder import load_model, read_config
from semreg.training import run
from semreg.training.memory_stages import Relations, SelfCritical
from semreg.training.preparation import prepare_data, split_records
from semreg.training.recipe import Recipe, load_recipe
from semreg.training.recipe_stages import SelfCriticalStage
from semreg.training.refit import second_recipe
from semreg.training.vision_stages import Concepts, Joint


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    return load_recipe(recipe_file)


@pytest.fixture(scope="module")
def short(recipe_file: Path) -> Recipe:
    """12 training pictures in batches of 4: 6 updates of concepts, 6 of relations, 3 of both, 3 on the metric."""
    recipe = load_recipe(recipe_file, ["stages.0.epochs=2", "stages.0.hold=0.3", "stages.1.epochs=2"])
    last = SelfCriticalStage(kind="self-critical", epochs=1, batch=4)
    return recipe.model_copy(update={"stages": (*recipe.stages, last)})


@pytest.fixture(scope="module")
def progress() -> Iterator[None]:
    """Every epoch counts as better than all before, or stages would be undone and all runs end alike, learnt or not."""
    metric = iter(range(100_000))
    with pytest.MonkeyPatch.context() as patch:
        for stage in (Concepts, Relations, SelfCritical, Joint):
            patch.setattr(stage, "validate", lambda _: (float(next(metric)), {}))
        yield


@pytest.fixture(scope="module")
def whole_run(short: Recipe, progress: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run.train(short, folder)
    return folder


def stop_after(updates: int) -> Callable[[], Iterator[Callable[[], bool]]]:
    """A replacement for signals: asks the run to stop once it has looked so many times."""

    @contextmanager
    def stop() -> Iterator[Callable[[], bool]]:
        left = iter(range(updates))
        yield lambda: next(left, None) is None

    return stop


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_leaves_a_model_with_its_description_card_and_log(run_folder: Path) -> None:
    config = read_config(run_folder / "model")
    assert {"red", "circle", "paper"} <= set(config.concepts)
    assert set(config.decoders) == {"tags", "caption"}
    assert config.tag_score is not None and 0 < config.tag_score.threshold < 1
    assert "What it reaches" in (run_folder / "model" / "README.md").read_text(encoding="utf-8")
    assert {"run", "update", "epoch", "stage", "test", "model"} <= {event["event"] for event in events(run_folder)}
    assert list((run_folder / "tensorboard").iterdir())


def test_the_whole_run_learnt_in_every_stage(whole_run: Path) -> None:
    stages = [event for event in events(whole_run) if event["event"] == "stage"]
    assert [stage["best_epoch"] for stage in stages] == [2, 2, 1, 1]  # else what follows could not fail
    assert [event["update"] for event in events(whole_run) if event["event"] == "update"] == list(range(1, 19))


def test_a_model_of_8_bits_is_the_same_model_rounded(short: Recipe, progress: None, whole_run: Path) -> None:
    folder = whole_run.with_name("rounded")
    run.train(short.model_copy(update={"bits": 8}), folder)
    for name in ("model.safetensors", "replay.safetensors"):
        assert torch.int8 in {value.dtype for value in load_file(folder / "model" / name).values()}, name
    rounded, whole = load_model(folder / "model")[0], load_model(whole_run / "model")[0]
    for (name, less), more in zip(rounded.named_parameters(), whole.parameters(), strict=True):
        step = more.abs().amax() / 127
        torch.testing.assert_close(less, more, atol=float(step), rtol=1e-3, msg=name)
    assert not same(rounded.state_dict(), whole.state_dict())


# In the middle of an epoch and at its end, in each stage; the first has a moving average of its weights, and a hold.
@pytest.mark.parametrize("updates", [2, 3, 8, 14, 17])
def test_a_stopped_run_goes_on_to_the_same_bits(
    short: Recipe, progress: None, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, updates: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(run, "stop_on_signal", stop_after(updates))
        with pytest.raises(run.Interrupted):
            run.train(short, tmp_path / "stopped")
    assert not (tmp_path / "stopped" / "model").exists()
    run.resume(tmp_path / "stopped")
    assert same(weights(whole_run), weights(tmp_path / "stopped"))
    assert read_config(whole_run / "model").tag_score == read_config(tmp_path / "stopped" / "model").tag_score


def test_a_run_stopped_after_every_update_ends_in_the_same_bits(
    short: Recipe, progress: None, whole_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "stop_on_signal", stop_after(0))
    go: Callable[[], Path] = lambda: run.train(short, tmp_path / "run")  # noqa: E731
    stops = 0
    while not (tmp_path / "run" / "model").exists():
        try:
            go()
        except run.Interrupted:
            stops += 1
            go = lambda: run.resume(tmp_path / "run")  # noqa: E731
        assert stops < 20
    assert stops >= 15
    assert same(weights(whole_run), weights(tmp_path / "run"))


def test_the_seed_decides_the_weights(short: Recipe, progress: None, whole_run: Path, tmp_path: Path) -> None:
    run.train(short, tmp_path / "again")
    assert same(weights(whole_run), weights(tmp_path / "again"))
    run.train(short.model_copy(update={"seed": 1}), tmp_path / "other")
    assert not same(weights(whole_run), weights(tmp_path / "other"))


@pytest.mark.parametrize("interface", ["input", "state", "fusion", "semantic"])
def test_every_interface_trains(recipe_file: Path, tmp_path: Path, interface: str) -> None:
    changes = [f"decoder.interface={interface}", "stages.0.epochs=1", "stages.1.epochs=1"]
    run.train(load_recipe(recipe_file, changes), tmp_path / "run")
    assert read_config(tmp_path / "run" / "model").decoders["tags"].interface == interface


def test_a_joint_stage_alone_trains_and_without_unary_loss_the_concepts_stay_unnamed(
    recipe_file: Path, tmp_path: Path
) -> None:
    stages = "stages=[{kind: joint, epochs: 1, batch: 8, freeze: 8, unary_weight: 0}]"
    run.train(load_recipe(recipe_file, [stages]), tmp_path / "run")
    assert not read_config(tmp_path / "run" / "model").supervised


@pytest.mark.parametrize("interface", ["input", "state", "fusion", "semantic"])
def test_with_the_gradient_stopped_the_relational_loss_leaves_the_cnn_alone(
    recipe_file: Path, tmp_path: Path, interface: str
) -> None:
    def trained(stop: bool) -> dict[str, torch.Tensor]:
        settings = "epochs: 1, batch: 4, freeze: 8, unary_weight: 0, weight_decay: 0"
        stage = f"{{kind: joint, {settings}, stop_gradient: {stop}}}"
        changes = [f"stages=[{stage}]", f"decoder.interface={interface}"]
        folder = tmp_path / str(stop)
        with pytest.MonkeyPatch.context() as patch:  # keep what was learnt, better or not
            patch.setattr(Joint, "validate", rising())
            run.train(load_recipe(recipe_file, changes), folder)
        return weights(folder)

    stopped, free = trained(True), trained(False)
    head = [name for name in free if name.startswith("trunk.head")]
    torch.manual_seed(0)
    assert any(not torch.equal(stopped[name], free[name]) for name in head)
    from semreg.model_folder import build_model

    fresh = start_weights(recipe_file, interface, build_model)
    assert all(torch.equal(stopped[name], fresh[name].half()) for name in head)


def start_weights(recipe_file: Path, interface: str, build: Callable[..., torch.nn.Module]) -> dict[str, torch.Tensor]:
    recipe = load_recipe(recipe_file, [f"decoder.interface={interface}"])
    train_part, validation = split_records(read_records(recipe.data.folder), recipe)
    config, _, _ = prepare_data(recipe, train_part, validation)
    torch.manual_seed(recipe.seed)
    return build(config, pretrained=True).state_dict()


def test_a_concept_that_is_to_be_no_tag_stays_a_concept(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, ["tags.source=concepts", "tags.exclude=[paper, red]"])
    train_part, validation = split_records(read_records(recipe.data.folder), recipe)
    config, train, held_out = prepare_data(recipe, train_part, validation)
    assert set(config.concepts) - set(config.decoders["tags"].words) == {"paper", "red"}
    words = config.vocabulary("tags")
    for examples, records in ((train, train_part), (held_out, validation)):
        taught = [set(words.text(paths[0])) for paths in examples.tokens["tags"]]
        assert taught == [set(record.tags) - {"red"} for record in records]


def test_a_recipe_that_excludes_every_tag_is_told_so(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, ["tags.exclude=[red, green, blue, circle, square]"])
    with pytest.raises(SemregError, match=r"no tag is left of the training pictures: shorten tags\.exclude"):
        prepare_data(recipe, *split_records(read_records(recipe.data.folder), recipe))


def rising() -> Callable[..., tuple[float, dict[str, float]]]:
    """A validation that finds every epoch better than the one before."""
    metric = iter(range(100))
    return lambda *_: (float(next(metric)), {})


def test_a_loss_that_is_not_finite_stops_with_stage_epoch_and_update(recipe_file: Path, tmp_path: Path) -> None:
    changes = ["stages.0.learning_rate=1e30", "stages.0.clip=1e30", "stages.0.batch=4", "stages.0.average=0"]
    with pytest.raises(SemregError, match=r"stage 1-concepts epoch 1/\d+, update [23]: the loss is (nan|inf)"):
        run.train(load_recipe(recipe_file, changes), tmp_path / "run")


def test_a_stage_that_makes_things_worse_is_undone(recipe_file: Path, tmp_path: Path) -> None:
    good = "{kind: concepts, epochs: 1, batch: 4, freeze: 8}"
    for name, stages in (("first", good), ("second", f"{good}, {good}")):
        metrics = iter([0.1, 0.2, 0.2, 0.1])  # before and after each stage; no better is no better
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Concepts, "validate", lambda _, m=metrics: (next(m), {}))
            run.train(load_recipe(recipe_file, ["forms=[tags]", f"stages=[{stages}]"]), tmp_path / name)
    assert [event["best_epoch"] for event in events(tmp_path / "second") if event["event"] == "stage"] == [1, 0]
    assert same(weights(tmp_path / "first"), weights(tmp_path / "second"))


def test_runs_are_not_overwritten_and_only_runs_are_resumed(recipe: Recipe, run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SemregError, match="holds a run already"):
        run.train(recipe, run_folder)
    with pytest.raises(SemregError, match="is finished"):
        run.resume(run_folder)
    with pytest.raises(SemregError, match="holds no run"):
        run.resume(tmp_path)


def test_a_damaged_checkpoint_is_one_sentence(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run_folder, folder)
    shutil.rmtree(folder / "model")
    (folder / "checkpoint.pt").write_bytes((folder / "checkpoint.pt").read_bytes()[:1000])
    with pytest.raises(SemregError, match="is damaged"):
        run.resume(folder)


def test_changed_data_is_refused_on_resume(recipe_file: Path, data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "data"
    shutil.copytree(data, mine)
    recipe = load_recipe(recipe_file, [f"data.folder={json.dumps(str(mine))}"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "stop_on_signal", stop_after(1))
        with pytest.raises(run.Interrupted):
            run.train(recipe, tmp_path / "run")
    lines = (mine / "metadata.jsonl").read_text(encoding="utf-8").replace("paper", "a wooden table")
    (mine / "metadata.jsonl").write_text(lines, encoding="utf-8")
    with pytest.raises(SemregError, match="the data has changed"):
        run.resume(tmp_path / "run")


def test_held_out_pictures_are_the_same_each_time_and_never_trained_on(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file, ["data.validation=0.25"])
    records = read_records(recipe.data.folder)
    train_part, validation = split_records(records, recipe)
    assert (train_part, validation) == split_records(records, recipe)
    assert len(validation) == 3 and not set(train_part) & set(validation)
    with pytest.raises(SemregError, match="must leave pictures on both sides"):
        split_records(records, load_recipe(recipe_file, ["data.validation=0.001"]))


def test_accumulated_steps_learn_what_one_large_batch_would(recipe_file: Path, tmp_path: Path) -> None:
    stage = "{kind: relations, epochs: 1, batch: 12, mirror: false, accumulate: %d}"
    found = []
    for accumulate in (1, 3):
        changes = ["decoder.dropout=0", "forms=[tags]", f"stages=[{stage % accumulate}]"]
        run.train(load_recipe(recipe_file, changes), tmp_path / str(accumulate))
        found.append(weights(tmp_path / str(accumulate)))
    for name in found[0]:
        torch.testing.assert_close(found[0][name].float(), found[1][name].float(), atol=2e-3, rtol=1e-2)


@pytest.mark.slow
def test_two_processes_train_as_one_does(recipe_file: Path, tmp_path: Path) -> None:
    """torchrun on CPUs: both see halves of the same batches, and the model is one process's to rounding."""
    stages = "stages=[{kind: concepts, epochs: 2, batch: 4, freeze: 8}, {kind: relations, epochs: 2, batch: 4}]"
    later = ["beside={trunks: [lite1], share: 0.5}", "neighbours={size: 6, share: 0.5, strangers: 3}"]
    changes = [stages, "trunk.dropout=0.0", "data.test=null", *later, "consensus={size: 4, neighbours: 3}"]
    one = run.train(load_recipe(recipe_file, changes), tmp_path / "one")
    options = [argument for change in changes for argument in ("--set", change)]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29511"]
    command += ["-m", "semreg", "train", str(recipe_file), *options, "--output", str(tmp_path / "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    updates = [event["stage"] for event in log if event["event"] == "update"]
    assert log[0]["processes"] == 2 and updates == ["1-concepts"] * 6 + ["2-relations"] * 6
    models = [load_model(folder)[0] for folder in (one, tmp_path / "two" / "model")]
    torch.testing.assert_close(models[0].semantic.weight, models[1].semantic.weight, atol=2e-4, rtol=1e-2)


@pytest.fixture(scope="module")
def refitted(short: Recipe, progress: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learns from all pictures when it has chosen."""
    folder = tmp_path_factory.mktemp("refitted") / "run"
    run.train(with_refit(short), folder)
    return folder


def with_refit(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"refit": True})})


def test_refitting_learns_from_all_pictures_with_the_first_runs_choices(refitted: Path) -> None:
    first = refitted / "first"
    sizes = [event for event in events(refitted) if event["event"] == "run"]
    assert [(size["train"], size["validation"]) for size in sizes] == [(18, 6)]
    chosen, told = read_config(first / "model"), read_config(refitted / "model")
    assert (told.tag_score, told.concept_threshold) == (chosen.tag_score, chosen.concept_threshold)
    assert not same(weights(first), weights(refitted))
    assert not [event for event in events(first) if event["event"] == "test"]
    assert len([event for event in events(refitted) if event["event"] == "test"]) == 1


@pytest.mark.parametrize("looks", [2, 40])  # while it chooses, and while it learns from all pictures
def test_a_stopped_refit_goes_on_to_the_same_bits(
    short: Recipe, refitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    left = iter(range(looks))
    with monkeypatch.context() as patch:
        patch.setattr(run, "stop_on_signal", lambda: nullcontext(lambda: next(left, None) is None))
        with pytest.raises(run.Interrupted):
            run.train(with_refit(short), tmp_path / "run")
    assert (tmp_path / "run" / "first" / "model").exists() is (looks == 40)
    run.resume(tmp_path / "run")
    assert same(weights(refitted), weights(tmp_path / "run"))


def test_refitting_repeats_the_best_epochs_and_leaves_out_what_made_nothing_better(
    short: Recipe, tmp_path: Path
) -> None:
    lines = [("1-concepts", 1), ("2-relations", 0), ("3-joint", 1), ("4-self-critical", 0)]
    log = "".join(json.dumps({"event": "stage", "stage": stage, "best_epoch": best}) + "\n" for stage, best in lines)
    (tmp_path / "log.jsonl").write_text(log, encoding="utf-8")
    stages = second_recipe(short, tmp_path).stages
    assert [(stage.kind, stage.epochs, stage.keep) for stage in stages] == [
        ("concepts", 1, "last"),
        ("joint", 1, "last"),
    ]
