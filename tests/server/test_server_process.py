"""The command `semreg serve` as a process: how it starts, how it ends, and several workers."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

COMMAND = [sys.executable, "-c", "import sys; from semreg.cli import main; sys.argv[0] = 'semreg'; main()", "serve"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


@contextmanager
def server(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process, ready; and its address."""
    command = [*COMMAND, "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+", line)
        for _ in range(1200):
            try:
                if httpx.get(f"{address}/readyz", timeout=60).is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process, address
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_nothing_that_was_accepted(dog: bytes, number: signal.Signals) -> None:
    answers: list[Any] = []
    with server("--batch", 2) as (process, address):
        place = address.removeprefix("http://").split(":")
        streams = []
        for _ in range(20):
            stream = socket.create_connection((place[0], int(place[1])), timeout=120)
            length = f"Content-Length: {len(dog)}\r\n\r\n".encode()
            stream.sendall(b"POST /v1/annotate HTTP/1.1\r\nHost: localhost\r\n" + length + dog)
            streams.append(stream)
        while float(_figure(address, "semreg_requests_open")) < 20:
            time.sleep(0.01)
        process.send_signal(number)
        for stream in streams:
            data = b""
            while piece := stream.recv(65536):
                data += piece
            answers.append(data)
        _, complaints = process.communicate(timeout=120)
        assert process.returncode == (0 if number == signal.SIGTERM else 130), complaints
    assert all(data.count(b"HTTP/1.1 200") == 1 and b'"caption"' in data for data in answers)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{address}/readyz")


def _figure(address: str, name: str) -> str:
    text = httpx.get(f"{address}/metrics", timeout=60).text
    (line,) = [line for line in text.splitlines() if line.startswith(name + " ")]
    # the request that asks is one of them
    return str(float(line.split()[1]) - 1)


@pytest.mark.slow
def test_two_workers_share_the_address_and_their_counts(dog: bytes) -> None:
    with server("--workers", 2) as (process, address):
        threads = [
            threading.Thread(
                target=httpx.post, args=(f"{address}/v1/annotate",), kwargs={"content": dog, "timeout": 120}
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (
            'semreg_requests_total{method="POST",path="/v1/annotate",status="200"} 8.0'
            in httpx.get(f"{address}/metrics").text
        )
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=120)
        assert process.returncode == 0, complaints


def refused(*arguments: object, **environment: str) -> str:
    """The sentence with which the command does not start."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT | environment
    )
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_what_cannot_start_says_why_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "in use" in refused("--port", taken.getsockname()[1])
    assert "does not exist" in refused("--port", 0, "--model", tmp_path / "none")
    (tmp_path / "empty").touch()
    assert "one word" in refused("--token-file", tmp_path / "empty")
    assert "does not exist" in refused("--label-studio-root", tmp_path / "none")
    assert "corrections cannot be kept" in refused("--port", 0, "--corrections", tmp_path / "empty" / "x")
