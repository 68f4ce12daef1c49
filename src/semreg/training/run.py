"""A whole run: data, vocabularies, model, the stages in turn, calibration, and a model folder at the end."""

from __future__ import annotations

import json
import os
import platform
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator

import semreg
from semreg.annotator import Annotator
from semreg.data.captions_alone import read_captions_alone
from semreg.data.records import Record, read_records
from semreg.errors import SemregError
from semreg.evaluate import evaluate
from semreg.files import atomic_write
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.stored import round_weights
from semreg.model_config import ModelConfig
from semreg.model_folder import CARD, build_model, save_model
from semreg.options import Options
from semreg.training.beside import stand_beside
from semreg.training.calibration import Counts, calibrated
from semreg.training.card import model_card
from semreg.training.checkpoint import CHECKPOINT, Progress, load_checkpoint, save_checkpoint
from semreg.training.cross_fitting import (
    HELD_OUT,
    fold_folder,
    fold_recipe,
    read_held_out,
    save_held_out,
    without_fold,
)
from semreg.training.examples import Examples
from semreg.training.log import LOG, RunLog
from semreg.training.loop import Interrupted, Trainer
from semreg.training.neighbourhood import (
    choose_weight,
    cnn_has_learnt,
    meet_neighbours,
    remember_captions,
    remember_held_out,
)
from semreg.training.preparation import prepare_data, readable, split_records
from semreg.training.recipe import Recipe, load_recipe, save_recipe
from semreg.training.recipe_stages import LanguageStage
from semreg.training.refit import first_recipe, second_recipe, with_choices
from semreg.training.replay import kept_pictures, save_replay
from semreg.training.setting import Setting, encode
from semreg.training.stages import prepare_stage
from semreg.training.transfer import as_begun_with, carry_over

RECIPE, MODEL = "recipe.yaml", "model"
FIRST = "first"  # folder of the run that chooses, where all pictures are learnt from afterwards
ELSEWHERE: dict[str, Any] = {  # of a recipe, what says nothing to those who get the model
    "data": {"folder", "workers", "cache"},
    "init": True,
    "init_decoders": True,
    "init_trunk": True,
    "stages": {"__all__": {"captions"}},
}

Start = tuple[Progress, dict[str, Any]]


def train(recipe: Recipe, folder: Path) -> Path:
    """Run a recipe from its start.

    Args:
        recipe: all settings.
        folder: for the run; must not hold one already.

    Returns:
        The model's folder.

    Raises:
        SemregError: the folder holds a run, or the data does not fit the recipe.
        Interrupted: Ctrl-C or SIGTERM; a checkpoint is written.
    """
    if (folder / RECIPE).exists():
        raise SemregError(f"{str(folder)!r} holds a run already: go on with --resume, or name another --output")
    recipe = as_begun_with(_found_from_anywhere(recipe))
    return _begin(recipe, folder, None)


def resume(folder: Path) -> Path:
    """Go on with a run that was stopped, to the same weights as if it had not been.

    Raises:
        SemregError: the folder holds no run, or its data has changed.
        Interrupted: as in `train`.
    """
    if not (folder / RECIPE).is_file():
        raise SemregError(f"{str(folder)!r} holds no run ({RECIPE} is missing): name a folder of `semreg train`")
    recipe = load_recipe(folder / RECIPE)
    if (folder / MODEL / "config.json").is_file():
        raise SemregError(f"the run {str(folder)!r} is finished: its model is {str(folder / MODEL)!r}")
    start = load_checkpoint(folder / CHECKPOINT) if (folder / CHECKPOINT).exists() else None
    return _begin(recipe, folder, start)


def _begin(recipe: Recipe, folder: Path, start: Start | None) -> Path:
    if recipe.data.refit:
        return _refit(recipe, folder, start)
    if recipe.data.folds and not recipe.data.leave_out:
        _fold_runs(recipe, folder)
    return _run(recipe, folder, start)


def _fold_runs(recipe: Recipe, folder: Path) -> None:
    """Runs in folders of their own that each leave out one fold of the pictures."""
    for number in range(1, recipe.data.folds + 1):
        fold = fold_folder(folder, number)
        if (fold / HELD_OUT).is_file():
            continue
        if (fold / RECIPE).is_file():
            resume(fold)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            _write_recipe(recipe, folder)
            train(fold_recipe(recipe, number), fold)


def _refit(recipe: Recipe, folder: Path, start: Start | None) -> Path:
    """A run that chooses, in a folder of its own, then one on all pictures."""
    first = folder / FIRST
    if not (first / MODEL / "config.json").is_file():
        if (first / RECIPE).is_file():
            resume(first)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            _write_recipe(recipe, folder)
            train(first_recipe(recipe), first)
    return _run(recipe, folder, start, first)


def _write_recipe(recipe: Recipe, folder: Path) -> None:
    with atomic_write(folder / RECIPE) as file:
        file.write(save_recipe(recipe))


def _run(recipe: Recipe, folder: Path, start: Start | None, first_run: Path | None = None) -> Path:
    torch.manual_seed(recipe.seed)
    records = read_records(recipe.data.folder)
    accelerator = Accelerator(
        mixed_precision="no" if recipe.precision == "fp32" else "bf16",
        # said, or several processes on CPUs would not find each other
        cpu=not (torch.cuda.is_available() or torch.backends.mps.is_available()),
    )
    main = accelerator.is_main_process
    if main:
        folder.mkdir(parents=True, exist_ok=True)
    with RunLog(folder, quiet=not main) as log, stop_on_signal() as stop_asked:
        config, setting = _prepared(recipe, records, first_run, log, accelerator)
        if main and start is None:
            _write_recipe(recipe, folder)
        progress, states = start or (Progress(), {})
        every = setting.train
        if recipe.data.leave_out:
            log.say(f"without fold {recipe.data.leave_out} of {recipe.data.folds}")
            setting = replace(setting, train=without_fold(every, recipe))
        elif recipe.data.folds:
            held_out, seconds = read_held_out(every, recipe, folder)
            setting = replace(setting, held_out=tuple(view.to(accelerator.device) for view in held_out))
            progress.seconds += 0 if start else seconds
        sizes = {"train": len(setting.train), "validation": len(setting.validation)}
        machine = surroundings(accelerator.device.type, accelerator.num_processes)
        log.event("run", name=recipe.name, resumed=start is not None, **sizes, **machine)
        model = _model(config, setting, states.pop("model", None), folder)

        def save(now: Progress, state: dict[str, Any]) -> None:
            if main:
                save_checkpoint(folder / CHECKPOINT, now, state)

        trainer = Trainer(
            model,
            accelerator,
            seed=recipe.seed,
            train_norm=recipe.trunk.batchnorm == "trained",
            log=log,
            save=save,
            stop_asked=stop_asked,
        )
        progress = _taught(trainer, config, setting, progress, states)
        if recipe.data.leave_out:
            if main:
                save_held_out(model, every, setting, folder, progress.seconds)
            accelerator.wait_for_everyone()
            return folder
        round_weights(model, config.bits)  # what is tuned is what is saved
        if first_run:
            config = with_choices(config, first_run / MODEL)
        else:
            config = remember_held_out(model, _chosen(model, config, setting), setting)
        if main:
            training = summary(setting.recipe, progress, setting.train, setting.validation)
            config = config.model_copy(update={"training": training})
            _remember(model, config, setting, folder / MODEL)
            finish(model, config, setting.recipe, folder / MODEL, records, log)
            log.event("model", folder=MODEL, **asdict(progress))
            log.say(f"the model is in {folder / MODEL}")
        accelerator.wait_for_everyone()
    return folder / MODEL


def _prepared(
    recipe: Recipe, records: Sequence[Record], first_run: Path | None, log: RunLog, accelerator: Accelerator
) -> tuple[ModelConfig, Setting]:
    """The model to be, and what its stages work with: a second run learns from all pictures, by its own recipe."""
    if accelerator.device.type == "cpu" and recipe.precision == "bf16":
        log.say("bf16 on a CPU is slower than fp32 unless the CPU has instructions for it")
    train_records, validation_records = split_records(records, recipe)
    train_records = readable(train_records, recipe, log, "training")
    validation_records = readable(validation_records, recipe, log, "validation")
    also = validation_records if first_run else []
    config, train_set, validation_set = prepare_data(recipe, train_records, validation_records, also)
    for stage in recipe.stages:
        if isinstance(stage, LanguageStage):  # refused now, not when the stages before are done
            read_captions_alone(stage.captions)
    if first_run:
        recipe = second_recipe(recipe, first_run)
        log.say("once more on all pictures; the figures of its epochs are of pictures that it learns from")
    lengths: dict[str, int] = {form: decoder.max_length for form, decoder in config.decoders.items()}
    words: dict[str, tuple[str, ...]] = {form: decoder.words for form, decoder in config.decoders.items()}
    concepts = config.concept_vocabulary()
    setting = Setting(recipe, train_set, validation_set, lengths, words, concepts, log, accelerator.device)
    return config, setting


def _model(config: ModelConfig, setting: Setting, weights: dict[str, Any] | None, folder: Path) -> CnnRnn:
    """The model as the run finds it: of a checkpoint, of another model, or new."""
    recipe = setting.recipe
    torch.manual_seed(recipe.seed)
    met = any(name.startswith(("neighbours.", "trunk.taught.")) for name in weights or ())  # as `_complete` leaves it
    learning = config.model_copy(update={"consensus": None})  # remembered at the very end
    pretrained = recipe.trunk.pretrained and weights is None
    model = build_model(learning, pretrained=pretrained, alone=not met).to(setting.device)
    model.dropout.p = recipe.trunk.dropout
    if weights is not None:
        _load(model, weights, folder)
    elif recipe.init is not None:
        setting.log.say(carry_over(model, config, recipe.init, decoders=recipe.init_decoders, trunk=recipe.init_trunk))
    return model


def _taught(
    trainer: Trainer, config: ModelConfig, setting: Setting, progress: Progress, states: dict[str, Any]
) -> Progress:
    """The stages that are still to come, one after another; where that leads."""
    while progress.stage < len(setting.recipe.stages):
        began = time.monotonic()
        if cnn_has_learnt(setting.recipe, progress.stage):
            _complete(trainer.model, config, setting)
        stage = prepare_stage(progress.stage, setting, trainer.model)
        progress.seconds += time.monotonic() - began
        trainer.run(stage, progress, states)
        setting.log.event("stage", stage=stage.name, best=progress.best, best_epoch=progress.best_epoch)
        states = {}
        progress = Progress(progress.stage + 1, seconds=progress.seconds, updates=progress.updates)
    _complete(trainer.model, config, setting)
    remember_captions(trainer.model, config, setting)
    return progress


def _complete(model: CnnRnn, config: ModelConfig, setting: Setting) -> None:
    """What comes when the CNN has learnt: others beside it, and neighbours in the eyes of all of them.

    Its weights are rounded first, as they will be saved: decoders learn from what they will be shown.
    """
    round_weights(model.trunk, config.bits)
    stand_beside(model, setting)
    round_weights(model.semantic, config.bits)
    meet_neighbours(model, config, setting)


def _chosen(model: CnnRnn, config: ModelConfig, setting: Setting) -> ModelConfig:
    """The configuration with what the validation pictures say of scores and thresholds."""
    setting.log.say("choosing thresholds on the validation pictures")
    seen = encode(model, setting.validation, setting, "the validation pictures")
    train = setting.train
    counts = Counts(train.truth.sum(0), None if train.labels is None else train.labels.sum(0))
    config = calibrated(model, config, seen, setting.validation, counts, setting.recipe)
    return config.model_copy(update={"consensus": choose_weight(model, config, seen, setting)})


def _remember(model: CnnRnn, config: ModelConfig, setting: Setting, folder: Path) -> None:
    """Keep what the model sees in some training pictures, so that it can later learn without forgetting them."""
    train = setting.train
    some = replace(train, paths=[train.paths[i] for i in kept_pictures(len(train), setting.recipe.seed)])
    seen = encode(model, some, setting, "pictures to remember", keep=True, together=False)
    save_replay(seen.features, folder, config.bits)


def finish(
    model: CnnRnn, config: ModelConfig, recipe: Recipe, folder: Path, records: Sequence[Record], log: RunLog
) -> None:
    """Save the model, look at the test pictures once, and write the figures into its card."""
    save_model(model, config, folder, card=model_card(recipe, config, None))
    test = [record for record in records if record.split == recipe.data.test]
    if not test:
        return
    annotator = Annotator.load(folder, str(next(model.parameters()).device))
    log.start_bar("looking at the test pictures", len(test))
    result = evaluate(annotator, test, Options(), log.advance)
    log.end_bar()
    log.event("test", split=recipe.data.test, result=result)
    with atomic_write(folder / CARD) as file:
        file.write(model_card(recipe, config, result))


def summary(recipe: Recipe, progress: Progress, train: Examples, validation: Examples) -> dict[str, Any]:
    """What the model folder says of its training."""
    alone = sum(len(read_captions_alone(s.captions)) for s in recipe.stages if isinstance(s, LanguageStage))
    return {
        "pictures": len(train),
        "validation_pictures": len(validation),
        **({"captions_alone": alone} if alone else {}),
        "updates": progress.updates,
        "minutes": round(progress.seconds / 60, 1),
        "recipe": json.loads(recipe.model_dump_json(exclude=ELSEWHERE)),
    }


def surroundings(device: str, processes: int) -> dict[str, Any]:
    """Versions and class of machine, for the log."""
    return {
        "semreg": semreg.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "device": device,
        "processes": processes,
    }


@contextmanager
def stop_on_signal() -> Iterator[Any]:
    """Ctrl-C and SIGTERM set a flag that the loop looks at; a second Ctrl-C ends at once."""
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _found_from_anywhere(recipe: Recipe) -> Recipe:
    """The recipe with absolute paths, for a run that may be resumed from another folder."""
    data = {
        "folder": recipe.data.folder.absolute(),
        "cache": recipe.data.cache and recipe.data.cache.absolute(),
    }
    changes = {
        "data": recipe.data.model_copy(update=data),
        "init": recipe.init and recipe.init.absolute(),
        "stages": tuple(
            stage.model_copy(update={"captions": tuple(path.absolute() for path in stage.captions)})
            if isinstance(stage, LanguageStage)
            else stage
            for stage in recipe.stages
        ),
    }
    return recipe.model_copy(update=changes)


def _load(model: CnnRnn, weights: dict[str, Any], folder: Path) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise SemregError(
            f"the data has changed since {str(folder)!r} was started (other words, labels or concepts): start anew"
        ) from None


__all__ = ["LOG", "MODEL", "Interrupted", "resume", "train"]
