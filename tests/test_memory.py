"""Keeping freed memory: the process stays as large as it was, and is asked the kernel no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

# The least of several passes counts: a heap whose free blocks are scattered may grow once more, but not in every pass.
PROGRAM = """
import resource, sys, threading, torch
from semreg.memory import keep_freed_memory
from semreg.model.trunks import build_trunk
print(keep_freed_memory() if sys.argv[1] == "keep" else False)
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.set_num_threads(1)
trunk, pictures = build_trunk("lite0", pretrained=False).eval(), torch.zeros(16, 3, 224, 224, dtype=torch.uint8)
def work():
    with torch.inference_mode():
        for _ in range(3): trunk(pictures)
        counts = [faults()]
        for _ in range(4): trunk(pictures); counts.append(faults())
    print(min(after - before for before, after in zip(counts, counts[1:])))
thread = threading.Thread(target=work)
thread.start() if sys.argv[2] == "thread" else work()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told")
@pytest.mark.parametrize("where", ["main", "thread"])
def test_memory_that_was_freed_is_not_fetched_again(where: str) -> None:
    told = {}
    for word in ("keep", "return"):
        done = subprocess.run([sys.executable, "-c", PROGRAM, word, where], capture_output=True, text=True, check=True)
        kept, faults = done.stdout.split()
        told[word] = kept == "True", int(faults)
    if not told["keep"][0]:
        pytest.skip("this C library has no mallopt")
    assert 10 * told["keep"][1] < told["return"][1]
