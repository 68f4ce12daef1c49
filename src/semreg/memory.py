"""Settings of a process that is about to run a CNN for long: memory that is kept, objects that are left alone."""

from __future__ import annotations

import ctypes
import gc
import sys

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8  # parameters of glibc's mallopt


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the process; for commands that are about to run a CNN.

    A convolution's output of some megabytes is otherwise fetched from the kernel, page by page, and returned when
    the next layer is done with it, which takes a good part of its time. The process then holds what it once needed at
    its peak. Threads would have arenas of their own, which are given back when they are empty, so there is one for all:
    call this before they start. It is a setting of the whole process, so the commands make it, not the library.

    Returns:
        Whether it took effect: with other C libraries nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return False
    return all([mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, -1), mallopt(_ARENA_MAX, 1)])


def leave_loaded_objects_alone() -> None:
    """Tell Python's garbage collector that what is there now stays; for commands, once their model is loaded.

    Annotations are many small objects, so the collector comes by often. Each time it would walk through all modules and
    the model again, which takes most of the time in which annotations are made.
    """
    gc.freeze()
