"""A server in a thread of the test, with the model of the package and the sample photographs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
httpx = pytest.importorskip("httpx")

from semreg.annotator import Annotator  # noqa: E402
from semreg.server.settings import Settings  # noqa: E402

PICTURES = Path(__file__).resolve().parents[2] / "demo" / "pictures"

Serve = Callable[..., Any]


@pytest.fixture(scope="session")
def annotator() -> Annotator:
    """The model of the package."""
    return Annotator.load()


@pytest.fixture(scope="session")
def dog() -> bytes:
    """A photograph of a dog."""
    return (PICTURES / "dog.jpg").read_bytes()


@contextmanager
def running(annotator: Annotator, settings: Settings) -> Iterator[Any]:
    """A server on a free port; gives a client of it."""
    import uvicorn

    from semreg.server.app import create_app
    from semreg.server.connection import Connection
    from semreg.server.process import _configuration

    before = Connection.head_timeout, Connection.limit  # of the process, and other servers run in it
    Connection.head_timeout, Connection.limit = settings.head_timeout, settings.connections
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(_configuration(create_app(annotator, settings), settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=120) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        Connection.head_timeout, Connection.limit = before


@pytest.fixture(scope="session")
def client(annotator: Annotator) -> Iterator[Any]:
    """A client of a server with the default settings."""
    with running(annotator, Settings()) as client:
        yield client


@pytest.fixture
def serve(annotator: Annotator) -> Iterator[Serve]:
    """Starts servers with settings of the test's own."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(annotator, Settings(**settings)))
