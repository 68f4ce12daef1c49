"""Several processes look at a split together: each at its share, and each has what one by itself would see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
import torch
from semreg.data.images import Preprocessing
from semreg.model_folder import load_model
from semreg.training import features
from semreg.training.log import RunLog

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
model, config = load_model(Path(sys.argv[1]))
paths = sorted(Path(sys.argv[2]).glob("*.jpg"))[: int(sys.argv[4])]
folder, features.BATCH = Path(sys.argv[3]), 5
read, counted = features.picture_batches, []

def counting(*arguments, **options):
    for pictures in read(*arguments, **options):
        counted.append(len(pictures))
        yield pictures

features.picture_batches = counting
with RunLog(folder / str(rank), quiet=True) as log:
    def look(**options):
        counted.clear()
        seen = features.look(model, paths, config.preprocessing.build(), log, "pictures", **options)
        return seen, sum(counted)

    alone, all_ = look()
    together, mine = look(together=True, cache=folder / "cache")
    torch.testing.assert_close(together, alone)
    kept, again = look(together=True, cache=folder / "cache")
    assert torch.equal(kept, together) and again == 0, again
    if rank:  # a file that only one process finds helps nobody: all look again, and none waits for ever
        read_file, features._read = features._read, lambda path: None
    once_more, looked = look(together=True, cache=folder / "cache")
    assert torch.equal(once_more, together) and looked == mine
    print(f"{rank}: {mine} of {all_}", flush=True)
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pictures", "shares"), [(24, ("0: 14 of 24", "1: 10 of 24")), (4, ("0: 4 of 4", "1: 0 of 4"))]
)
def test_each_process_looks_at_its_share(
    model_folder: Path, data: Path, tmp_path: Path, pictures: int, shares: tuple[str, str]
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    for rank in "01":
        (tmp_path / rank).mkdir()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(program)]
    command += [str(model_folder), str(data), str(tmp_path), str(pictures)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == list(shares)
