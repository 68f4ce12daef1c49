"""The processes: a socket, one worker or several, and an end that finishes what was accepted."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import queue
import shutil
import signal
import socket
import sys
import tempfile
import time
from logging.handlers import QueueHandler, QueueListener
from typing import Any

import torch
import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from semreg.annotator import Annotator
from semreg.errors import SemregError
from semreg.memory import keep_freed_memory, leave_loaded_objects_alone
from semreg.model_folder import find_model, read_config
from semreg.server.connection import Connection
from semreg.server.settings import Settings

_FIGURES = "PROMETHEUS_MULTIPROC_DIR"


def serve(settings: Settings, model: str | None = None, device: str = "cpu") -> None:
    """Serve until SIGTERM or Ctrl-C; what was accepted is finished first.

    Args:
        settings: where to listen, and all limits.
        model: as `semreg.load` takes it.
        device: where to compute.

    Raises:
        SemregError: the address is taken, or there is no such model.
    """
    listener = _listen(settings)
    address = f"[{settings.host}]" if ":" in settings.host else settings.host
    place = f"http://{address}:{listener.getsockname()[1]}/"
    if settings.token is None and not settings.loopback:
        print("semreg: anyone who can reach this address may ask: pass --token-file FILE", file=sys.stderr)
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # uvicorn has its own while it runs, then repeats it
    if settings.workers == 1:
        app = _app(settings, model, device)
        print(f"semreg: serving on {place}", file=sys.stderr, flush=True)
        uvicorn.Server(_configuration(app, settings)).run(sockets=[listener])
        return
    read_config(find_model(model))  # so that a mistake is told once, and here
    print(f"semreg: serving on {place} with {settings.workers} workers", file=sys.stderr, flush=True)
    figures = tempfile.mkdtemp(prefix="semreg-metrics-")
    os.environ[_FIGURES] = figures
    try:
        build = functools.partial(_app, settings, model, device)
        configuration = _configuration(build, settings)
        Multiprocess(configuration, [listener]).run()
    finally:
        shutil.rmtree(figures, ignore_errors=True)


def _app(settings: Settings, model: str | None, device: str) -> ASGIApp:
    from semreg.server.app import create_app  # after the place of the figures is set

    _log()
    keep_freed_memory()
    Connection.head_timeout, Connection.limit = settings.head_timeout, settings.connections
    torch.set_num_threads(max(1, torch.get_num_threads() // settings.workers))
    annotator = Annotator.load(model, device)
    leave_loaded_objects_alone()
    return create_app(annotator, settings)


def _listen(settings: Settings) -> socket.socket:
    """A socket that is bound: the address is ours, but nobody is let in yet."""
    try:
        kind = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(kind[0], kind[1])
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(kind[4])
    except OSError as error:
        reason = error.strerror or str(error)
        raise SemregError(
            f"cannot listen on {settings.host}, port {settings.port} ({reason}): pass another --host or --port"
        ) from None
    listener.set_inheritable(True)
    return listener


def _configuration(app: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        factory=settings.workers > 1,
        workers=settings.workers,
        http=Connection,
        ws="none",
        loop="asyncio",
        lifespan="on",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_keep_alive=5,
        timeout_worker_healthcheck=60,
        timeout_graceful_shutdown=int(settings.deadline + settings.body_timeout) + 5,
        h11_max_incomplete_event_size=16 * 1024,
    )


def _log() -> None:
    """Faults go to stderr, from a thread of their own: whoever does not read them must not hold the server up."""
    waiting: queue.Queue[Any] = queue.Queue(1000)
    logging.raiseExceptions = False  # what finds no place is dropped in silence
    target = logging.StreamHandler(sys.stderr)
    target.setFormatter(logging.Formatter("semreg: %(message)s"))
    QueueListener(waiting, target).start()
    atexit.register(_wait_until_empty, waiting)
    logging.basicConfig(level=logging.WARNING, handlers=[QueueHandler(waiting)], force=True)
    logging.getLogger("uvicorn.error").addFilter(lambda record: "Invalid HTTP request" not in record.getMessage())
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every broken form


def _wait_until_empty(waiting: queue.Queue[Any]) -> None:
    for _ in range(20):  # a second at most: perhaps nobody reads
        time.sleep(0.05)
        if waiting.empty():
            return
