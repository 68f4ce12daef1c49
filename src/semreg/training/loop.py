"""The training loop: one stage from where it stands to its end, with its best weights kept and checkpoints written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from semreg.errors import SemregError
from semreg.model.cnn_rnn import CnnRnn
from semreg.training.checkpoint import Average, Progress, snapshot
from semreg.training.log import RunLog
from semreg.training.recipe import StageSettings
from semreg.training.stages import Stage

WARM_UP = 0.05  # share of a stage's updates

Save = Callable[[Progress, dict[str, Any]], None]


class Interrupted(Exception):
    """Somebody asked the run to stop; its checkpoint is written."""


def run_stage(
    stage: Stage,
    model: CnnRnn,
    accelerator: Accelerator,
    progress: Progress,
    states: dict[str, Any],
    *,
    seed: int,
    train_norm: bool,
    log: RunLog,
    save: Save,
    stop_asked: Callable[[], bool],
) -> None:
    """Train one stage to its end; the model then has its best weights.

    Args:
        stage: what to learn, from what, and how it is validated.
        model: already on the device; which weights learn is set.
        accelerator: devices, precision, gradients.
        progress: where to go on; updated.
        states: of optimizer, schedule, average and best weights, where the stage goes on; else empty.
        seed: of the run.
        train_norm: whether batch normalisation learns.
        log: told every update and epoch.
        save: writes a checkpoint.
        stop_asked: looked at after every update.

    Raises:
        SemregError: a loss that is not finite.
        Interrupted: `stop_asked` said so.
    """
    settings = stage.settings
    batch = min(settings.batch, stage.examples())
    steps = max(1, stage.examples() // batch)
    optimizer = make_optimizer(model, settings)
    schedule = make_schedule(optimizer, settings.epochs * steps)
    average = Average(model, settings.average) if settings.average else None
    best: dict[str, Tensor] = {}
    if states:
        optimizer.load_state_dict(states["optimizer"])
        schedule.load_state_dict(states["schedule"])
        best = states["best"]
        if average:
            average.updates = states["average_updates"]
            for name, value in states["average"].items():
                average.weights[name].copy_(value)  # the checkpoint's lies on the CPU
    wrapped, optimizer = accelerator.prepare(model, optimizer)

    def checkpoint() -> None:
        state = {
            "model": snapshot(model),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        }
        state |= {"best": best}
        if average:
            state |= {"average": average.weights, "average_updates": average.updates}
        save(progress, state)

    if not states:  # the start counts as epoch 0: a stage that only makes things worse is undone
        metric, figures = stage.validate()
        progress.best, best = metric, snapshot(model)
        report_epoch(stage, progress, [], metric, figures, log)
    while progress.epoch < settings.epochs:
        model.train()
        if not train_norm:
            model.trunk.eval()
        began, losses = time.monotonic(), []
        log.start_bar(f"{stage.name} epoch {progress.epoch + 1}/{settings.epochs}", steps, progress.step)
        chosen = shares(stage, seed, progress, batch, accelerator, settings.accumulate)
        for step, data in enumerate(_seeded(stage, chosen, seed, progress, accelerator), progress.step):
            for number, part in enumerate(data):
                more_to_come = number + 1 < len(data)
                with accelerator.no_sync(wrapped) if more_to_come else nullcontext():
                    loss, parts = stage.loss(wrapped, part)
                    if not math.isfinite(loss.item()):
                        raise SemregError(
                            f"stage {stage.name}, epoch {progress.epoch + 1}, update {step + 1}: the loss is "
                            f"{loss.item()}: lower learning_rate or clip; the last checkpoint is from before"
                        )
                    accelerator.backward(loss / len(data))
            accelerator.clip_grad_norm_(learning(model), settings.clip)
            optimizer.step()
            optimizer.zero_grad()
            rate = schedule.get_last_lr()[0]
            schedule.step()
            if average:
                average.update(model)
            progress.step, progress.updates = step + 1, progress.updates + 1
            losses.append(loss.item())
            log.event("update", stage=stage.name, update=progress.updates, loss=loss.item(), rate=rate, **parts)
            speed = batch * len(losses) / (time.monotonic() - began)
            log.advance(1, f"loss {loss.item():.3f}  rate {rate:.1e}  {speed:.0f}/s")
            if stop_asked() and progress.step < steps:
                progress.seconds += time.monotonic() - began
                checkpoint()
                raise Interrupted
        log.end_bar()
        with average.applied(model) if average else nullcontext():
            metric, figures = stage.validate()
            if metric > progress.best:
                progress.best, progress.best_epoch, best = metric, progress.epoch + 1, snapshot(model)
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.seconds += time.monotonic() - began
        report_epoch(stage, progress, losses, metric, figures, log)
        waited = progress.epoch - progress.best_epoch
        if settings.patience is not None and waited >= settings.patience:
            progress.epoch = settings.epochs
        checkpoint()
        if stop_asked():
            raise Interrupted
    if best:
        model.load_state_dict(best)
    accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False)
    accelerator.free_memory()


def shares(
    stage: Stage, seed: int, progress: Progress, batch: int, accelerator: Accelerator, accumulate: int
) -> list[list[list[int]]]:
    """For each update still to come in this epoch, this process's examples, in `accumulate` parts.

    The order follows from seed, stage and epoch alone; every process draws it and takes its own share of each
    batch, so that two processes see what one would. The rest of an epoch that fills no batch is left out.
    """
    generator = torch.Generator().manual_seed(hash((seed, progress.stage, progress.epoch)) & 0x7FFF_FFFF_FFFF_FFFF)
    order = torch.randperm(stage.examples(), generator=generator).tolist()
    updates = []
    for first in range(progress.step * batch, len(order) - batch + 1, batch):
        mine = order[first : first + batch][accelerator.process_index :: accelerator.num_processes]
        updates.append([mine[number::accumulate] for number in range(accumulate) if mine[number::accumulate]])
    return updates


def _seeded(
    stage: Stage, updates: list[list[list[int]]], seed: int, progress: Progress, accelerator: Accelerator
) -> Iterator[list[Any]]:
    """The data of each update; before each, torch's randomness (dropout) is set from where the run stands."""
    parts = stage.batches(progress.epoch, [part for update in updates for part in update])
    for step, update in enumerate(updates, progress.step):
        key = hash((seed, progress.stage, progress.epoch, step, accelerator.process_index)) & 0x7FFF_FFFF_FFFF
        torch.manual_seed(key)
        data = [next(parts) for _ in update]
        torch.manual_seed(key + 1)  # again: a loader that has just started its workers has drawn from it
        yield data
    for _ in parts:  # lets the generator end its workers
        pass


def learning(model: nn.Module) -> list[nn.Parameter]:
    """The weights that learn."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def make_optimizer(model: CnnRnn, settings: StageSettings) -> torch.optim.Optimizer:
    """AdamW; the trunk has its own rate, and vectors (biases, normalisation) no decay."""
    trunk = {id(parameter) for parameter in model.trunk.parameters()}
    rates = {
        True: getattr(settings, "trunk_learning_rate", settings.learning_rate),
        False: settings.learning_rate,
    }
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in learning(model):
        groups.setdefault((id(parameter) in trunk, parameter.dim() > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": rates[in_trunk],
                "weight_decay": settings.weight_decay if matrix else 0.0,
            }
            for (in_trunk, matrix), parameters in groups.items()
        ]
    )


def make_schedule(optimizer: torch.optim.Optimizer, updates: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Linear warm-up, then half a cosine down to a hundredth."""
    warm = max(1, round(WARM_UP * updates))

    def factor(update: int) -> float:
        if update < warm:
            return (update + 1) / warm
        share = min(1.0, (update - warm) / max(1, updates - warm))
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def report_epoch(
    stage: Stage,
    progress: Progress,
    losses: list[float],
    metric: float,
    figures: dict[str, float],
    log: RunLog,
) -> None:
    """One line for people, one for programs."""
    mean = sum(losses) / len(losses) if losses else None
    log.event(
        "epoch",
        stage=stage.name,
        epoch=progress.epoch,
        update=progress.updates,
        loss=mean,
        metric=metric,
        best=progress.best,
        seconds=progress.seconds,
        **figures,
    )
    shown = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
    mark = "  *" if progress.best_epoch == progress.epoch else ""
    learnt = "before it" if mean is None else f"epoch {progress.epoch}: loss {mean:.4f}"
    log.say(f"{stage.name} {learnt}  {shown}  {progress.seconds:.0f} s{mark}")
