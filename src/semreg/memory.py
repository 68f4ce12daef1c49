"""Memory that the C library keeps instead of handing it back after every layer: a CNN on a CPU waits less."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # parameters of glibc's mallopt


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the process; for commands that are about to run a CNN.

    A convolution's output of some megabytes is otherwise fetched from the kernel, page by page, and returned when
    the next layer is done with it, which takes a good part of its time. The process then holds what it once needed at
    its peak. It is a setting of the whole process, so the commands make it, not the library.

    Returns:
        Whether it took effect: with other C libraries nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
