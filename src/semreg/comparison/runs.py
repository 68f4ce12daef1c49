"""The variants' runs: each a `semreg train` of its own, started, resumed or found finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.training.recipe import Recipe, save_recipe
from semreg.training.run import MODEL, RECIPE

CONSOLE = "console.txt"
PAUSE = 0.5  # seconds between two looks at what is running
Job = tuple[str, Recipe]


def train_all(jobs: Sequence[Job], folder: Path, at_once: int, done: Callable[[str], None] = lambda name: None) -> None:
    """Train what is not trained yet, in the order given.

    Each run is a process of its own, so that it can be looked at, stopped and repeated by hand: its recipe is
    `recipes/NAME.yaml`, what it said `NAME/console.txt`. A run that was stopped goes on where it was.

    Args:
        jobs: names (folders below `folder`) and recipes.
        folder: of the comparison.
        at_once: runs side by side; the machine's cores are shared out among them.
        done: called with the name of each run that is finished.

    Raises:
        SemregError: a run failed; says what it said last.
        KeyboardInterrupt: somebody asked to stop; every run has written its checkpoint.
    """
    waiting = list(jobs)
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        while waiting or running:
            for name in [name for name, process in running.items() if process.poll() is not None]:
                _check(name, running.pop(name).returncode, folder)
                done(name)
            while waiting and len(running) < at_once:
                name, recipe = waiting.pop(0)
                if is_finished(folder / name):
                    done(name)
                else:
                    running[name] = _start(name, recipe, folder, at_once)
            time.sleep(PAUSE if running else 0)
    finally:
        for process in running.values():
            process.send_signal(signal.SIGINT)  # they write a checkpoint
        for process in running.values():
            process.wait()


def is_finished(run: Path) -> bool:
    """Whether a run has its model."""
    return (run / MODEL / "config.json").is_file()


def _start(name: str, recipe: Recipe, folder: Path, at_once: int) -> subprocess.Popen[bytes]:
    run = folder / name
    run.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "semreg", "train"]
    if (run / RECIPE).is_file():
        command += ["--resume", str(run)]
    else:
        path = folder / "recipes" / f"{name.replace('/', '-')}.yaml"
        path.parent.mkdir(exist_ok=True)
        with atomic_write(path) as file:
            file.write(save_recipe(recipe))
        command += [str(path), "--output", str(run)]
    threads = str(max(1, (os.cpu_count() or 1) // at_once))
    # Threads that wait busily take the cores from the other runs.
    environment = {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive", **os.environ}
    with (run / CONSOLE).open("ab") as console:
        # A session of its own: Ctrl-C reaches the runs through us, once.
        return subprocess.Popen(
            command, stdout=console, stderr=console, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )


def _check(name: str, status: int, folder: Path) -> None:
    if status == 0:
        return
    console = folder / name / CONSOLE
    lines = console.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = lines[-1].removeprefix("semreg: ") if lines else "nothing"
    raise SemregError(f"the run {name} ended with status {status} ({said}): see {console}, mend it and start again")
