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
from semreg.training.recipe_stages import StageSettings
from semreg.training.stages import Stage

WARM_UP = 0.05  # share of a stage's updates

Save = Callable[[Progress, dict[str, Any]], None]


class Interrupted(Exception):
    """Somebody asked the run to stop; its checkpoint is written."""


class Learner:
    """What a stage keeps beside the model: optimizer, schedule, moving average, best weights, and where it began.

    Args:
        model: which of its weights learn is set.
        settings: of the stage.
        updates: that the stage will make in all.
    """

    def __init__(self, model: CnnRnn, settings: StageSettings, updates: int) -> None:
        self.optimizer: Any = make_optimizer(model, settings)
        self.schedule = make_schedule(self.optimizer, updates)
        self.average = Average(model, settings.average) if settings.average else None
        self.start = matrices(model) if settings.hold else {}
        self.hold = settings.hold
        self.best: dict[str, Tensor] = {}

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        state = {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict(), "best": self.best}
        if self.average:
            state |= {"average": self.average.weights, "average_updates": self.average.updates}
        if self.hold:
            state["start"] = self.start
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.best = state["best"]
        if self.average:
            self.average.updates = state["average_updates"]
            for name, value in state["average"].items():
                self.average.weights[name].copy_(value)  # the checkpoint's lies on the CPU
        for name, value in state.get("start", {}).items():
            self.start[name].copy_(value)

    @torch.no_grad()
    def pull_back(self, model: nn.Module) -> None:
        """Add to the gradients that of hold / 2 times the squared distance from where the weight matrices began."""
        for name, parameter in model.named_parameters():
            if name in self.start and parameter.grad is not None:
                parameter.grad.add_(parameter - self.start[name], alpha=self.hold)


class Trainer:
    """Runs stages, one after another, on one model.

    Args:
        model: already on the device.
        accelerator: devices, precision, gradients.
        seed: of the run.
        train_norm: whether batch normalisation learns.
        log: told every update and epoch.
        save: writes a checkpoint.
        stop_asked: looked at after every update.
    """

    def __init__(
        self,
        model: CnnRnn,
        accelerator: Accelerator,
        *,
        seed: int,
        train_norm: bool,
        log: RunLog,
        save: Save,
        stop_asked: Callable[[], bool],
    ) -> None:
        self.model, self.accelerator, self.seed, self.train_norm = model, accelerator, seed, train_norm
        self.log, self.save, self.stop_asked = log, save, stop_asked

    def run(self, stage: Stage, progress: Progress, state: dict[str, Any]) -> None:
        """Train one stage to its end; the model then has its best weights.

        Args:
            stage: what to learn, from what, and how it is validated.
            progress: where to go on; updated.
            state: of the stage's `Learner`, where it goes on; else empty.

        Raises:
            SemregError: a loss that is not finite.
            Interrupted: `stop_asked` said so; a checkpoint is written.
        """
        settings = stage.settings
        batch = min(settings.batch, stage.examples())
        steps = max(1, stage.examples() // batch)
        if not state:
            stage.begin()
        learner = Learner(self.model, settings, settings.epochs * steps)
        if state:
            learner.load(state)
        wrapped, learner.optimizer = self.accelerator.prepare(self.model, learner.optimizer)
        if not state:  # the start counts as epoch 0: a stage that only makes things worse is undone
            self._validate(stage, learner, progress, [])
        while progress.epoch < settings.epochs:
            began = time.monotonic()
            losses = self._epoch(stage, wrapped, learner, progress, batch, steps)
            progress.seconds += time.monotonic() - began
            if progress.step < steps and self.stop_asked():
                self._checkpoint(learner, progress)
                raise Interrupted
            progress.epoch, progress.step = progress.epoch + 1, 0
            self._validate(stage, learner, progress, losses)
            if settings.patience is not None and progress.epoch - progress.best_epoch >= settings.patience:
                progress.epoch = settings.epochs
            self._checkpoint(learner, progress)
            if self.stop_asked():
                raise Interrupted
        self.model.load_state_dict(learner.best)
        self.accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False)
        self.accelerator.free_memory()

    def _epoch(
        self, stage: Stage, wrapped: nn.Module, learner: Learner, progress: Progress, batch: int, steps: int
    ) -> list[float]:
        """The updates of an epoch that are still to come, until somebody asks to stop; their losses."""
        self.model.train()
        if not self.train_norm:
            self.model.trunk.eval()
        began, losses = time.monotonic(), []
        name = f"{stage.name} epoch {progress.epoch + 1}/{stage.settings.epochs}"
        self.log.start_bar(name, steps, progress.step)
        chosen = shares(stage, self.seed, progress, batch, self.accelerator, stage.settings.accumulate)
        for data in _seeded(stage, chosen, self.seed, progress, self.accelerator):
            rate = learner.schedule.get_last_lr()[0]
            loss, parts = self._update(stage, wrapped, learner, data, f"{name}, update {progress.step + 1}")
            progress.step, progress.updates = progress.step + 1, progress.updates + 1
            losses.append(loss)
            self.log.event("update", stage=stage.name, update=progress.updates, loss=loss, rate=rate, **parts)
            speed = batch * len(losses) / (time.monotonic() - began)
            self.log.advance(1, f"loss {loss:.3f}  rate {rate:.1e}  {speed:.0f}/s")
            if self.stop_asked():
                break
        self.log.end_bar()
        return losses

    def _update(
        self, stage: Stage, wrapped: nn.Module, learner: Learner, data: list[Any], where: str
    ) -> tuple[float, dict[str, float]]:
        """One update from the parts of a batch; the loss, and what it is made of, of the last part."""
        value = 0.0
        parts: dict[str, float] = {}
        for number, part in enumerate(data):
            more_to_come = number + 1 < len(data)
            with self.accelerator.no_sync(wrapped) if more_to_come else nullcontext():
                loss, parts = stage.loss(wrapped, part)
                value = loss.item()
                if not math.isfinite(value):
                    raise SemregError(
                        f"stage {where}: the loss is {value}: lower learning_rate or clip; "
                        "the last checkpoint is from before"
                    )
                self.accelerator.backward(loss / len(data))
        learner.pull_back(self.model)
        self.accelerator.clip_grad_norm_(learning(self.model), stage.settings.clip)
        learner.optimizer.step()
        learner.optimizer.zero_grad()
        learner.schedule.step()
        if learner.average:
            learner.average.update(self.model)
        return value, parts

    def _validate(self, stage: Stage, learner: Learner, progress: Progress, losses: list[float]) -> None:
        """Look at the validation pictures with the averaged weights, and keep the best."""
        began = time.monotonic()
        with learner.average.applied(self.model) if learner.average else nullcontext():
            metric, figures = stage.validate()
            last = stage.settings.keep == "last" and bool(losses)
            if metric > progress.best or last or not learner.best:
                progress.best, progress.best_epoch = metric, progress.epoch
                learner.best = snapshot(self.model)
        progress.seconds += time.monotonic() - began
        report_epoch(stage, progress, losses, metric, figures, self.log)

    def _checkpoint(self, learner: Learner, progress: Progress) -> None:
        self.save(progress, {"model": snapshot(self.model), **learner.state()})


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
    first = progress.step  # the loop moves it on
    for step, update in enumerate(updates, first):
        key = hash((seed, progress.stage, progress.epoch, step, accelerator.process_index)) & 0x7FFF_FFFF_FFFF
        torch.manual_seed(key)
        data = [next(parts) for _ in update]
        torch.manual_seed(key + 1)  # again: a loader that has just started its workers has drawn from it
        yield data
    for _ in parts:  # lets the generator end its workers
        pass


def matrices(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the weight matrices that learn, by name."""
    return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad and p.dim() > 1}


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
