"""Keeping freed memory: the process stays as large as it was, and is asked the kernel no more."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from semreg.memory import keep_freed_memory
print(keep_freed_memory() if sys.argv[1] == "keep" else False)
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.set_num_threads(1)
for _ in range(20): torch.ones(16_000_000)
before = faults()
for _ in range(10): torch.ones(16_000_000)
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told")
def test_memory_that_was_freed_is_not_fetched_again() -> None:
    told = {}
    for word in ("keep", "return"):
        done = subprocess.run([sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True)
        kept, faults = done.stdout.split()
        told[word] = kept == "True", int(faults)
    if not told["keep"][0]:
        pytest.skip("this C library has no mallopt")
    assert told["keep"][1] < 100 < told["return"][1]
