"""Other packages' loggers, kept from telling of their progress."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(logger: str | None) -> Iterator[None]:
    """Let a logger (None: the root) tell of errors alone."""
    talker = logging.getLogger(logger)
    level = talker.level
    talker.setLevel(logging.ERROR)
    try:
        yield
    finally:
        talker.setLevel(level)
