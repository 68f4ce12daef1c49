"""Captions taught by their own metric: what is rewarded, what learns, and that it pays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from semreg.data.records import read_records
from semreg.errors import SemregError
from semreg.model_folder import build_model
from semreg.training.checkpoint import Progress, snapshot
from semreg.training.log import RunLog
from semreg.training.loop import Trainer
from semreg.training.memory_stages import SelfCritical, advantages
from semreg.training.preparation import prepare_data, split_records
from semreg.training.recipe import load_recipe
from semreg.training.setting import Setting
from semreg.training.stages import prepare_stage
from semreg.training.transfer import carry_over

STAGE = "stages=[{kind: self-critical, epochs: 25, batch: 4, samples: 4, learning_rate: 5.0e-3, keep: last}]"


@pytest.fixture
def stage(recipe_file: Path, model_folder: Path, tmp_path: Path) -> SelfCritical:
    """The stage at its start, with a model that can tell a little."""
    recipe = load_recipe(recipe_file, [STAGE, f"init={model_folder}"])
    parts = split_records(read_records(recipe.data.folder), recipe)
    config, train, validation = prepare_data(recipe, *parts)
    lengths = {form: decoder.max_length for form, decoder in config.decoders.items()}
    words = {form: decoder.words for form, decoder in config.decoders.items()}
    model = build_model(config)
    carry_over(model, config, model_folder)
    log, concepts = RunLog(tmp_path, quiet=True), config.concept_vocabulary()
    setting = Setting(recipe, train, validation, lengths, words, concepts, log, torch.device("cpu"))
    found = prepare_stage(0, setting, model)
    assert isinstance(found, SelfCritical)
    return found


def mean_reward(stage: SelfCritical) -> float:
    """Of captions drawn for all pictures, several times."""
    torch.manual_seed(7)
    everything = list(range(stage.examples()))
    found = [stage.loss(stage.model, batch)[1]["reward"] for _ in range(8) for batch in stage.batches(0, [everything])]
    return sum(found) / len(found)


def test_a_sample_is_judged_by_the_other_samples_of_its_picture() -> None:
    found = advantages(torch.tensor([1.0, 2.0, 6.0, 5.0, 5.0, 5.0]), 3)
    assert found.tolist() == [1 - 4.0, 2 - 3.5, 6 - 1.5, 0, 0, 0]


def test_what_is_drawn_comes_to_score_higher_and_the_caption_decoder_alone_learns(stage: SelfCritical) -> None:
    before, weights = mean_reward(stage), snapshot(stage.model)
    trainer = Trainer(
        stage.model,
        Accelerator(),
        seed=0,
        train_norm=False,
        log=stage.setting.log,
        save=lambda *_: None,
        stop_asked=lambda: False,
    )
    trainer.run(stage, Progress(), {})
    assert mean_reward(stage) > 1.15 * before
    changed = {name for name, value in stage.model.state_dict().items() if not torch.equal(value, weights[name])}
    assert changed and all(name.startswith("decoders.caption.") for name in changed)


def test_captions_that_score_alike_teach_nothing(stage: SelfCritical) -> None:
    batch = next(iter(stage.batches(0, [[0, 1, 2]])))
    stage.reward.score = lambda tokens, pictures: torch.full((len(tokens),), 0.5).numpy()  # type: ignore[method-assign]
    loss, parts = stage.loss(stage.model, batch)
    loss.backward()
    assert loss.item() == 0 and parts["reward"] == 0.5
    assert all(p.grad is None or not p.grad.any() for p in stage.model.parameters())


def test_dropout_is_off_while_it_learns_and_back_afterwards(stage: SelfCritical) -> None:
    stage.model.train()
    decoder = stage.model.decoder("caption")
    usual = decoder.dropout.p
    seen: list[float] = []
    decoder.lstm.register_forward_hook(lambda *_: seen.append(decoder.dropout.p))
    stage.loss(stage.model, next(iter(stage.batches(0, [[0, 1]]))))
    assert set(seen) == {0.0} and decoder.dropout.p == usual > 0


def test_a_decoder_that_cannot_tell_yet_is_refused(recipe_file: Path) -> None:
    with pytest.raises(SemregError, match=r"stages\.0 goes on from a decoder that can tell: put a relations"):
        load_recipe(recipe_file, [STAGE])
    with pytest.raises(SemregError, match=r"stages\.1 .* that can tell"):
        load_recipe(
            recipe_file,
            ["stages=[{kind: relations, epochs: 1, forms: [tags]}, {kind: self-critical, epochs: 1}]"],
        )
