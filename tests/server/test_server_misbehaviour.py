"""Clients that hang, dawdle, break off or lie: they are ended, and nobody else notices."""

from __future__ import annotations

import json
import random
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from .conftest import Serve


def connect(client: Any) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=60)


def head(length: int, *more: str) -> bytes:
    lines = ["POST /v1/annotate HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def answer(stream: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the one answer on a connection, which then closes."""
    data = b""
    with suppress(ConnectionResetError):
        while piece := stream.recv(65536):
            data += piece
    first, _, rest = data.partition(b"\r\n")
    assert rest.count(b"HTTP/1.1 ") == 0  # answered once
    return int(first.split()[1]), json.loads(rest.partition(b"\r\n\r\n")[2])


def works(client: Any, dog: bytes) -> None:
    assert "dog" in client.post("/v1/annotate", content=dog).json()["caption"]["text"]


def test_a_head_that_dawdles_is_408_and_silence_is_ended(serve: Serve, dog: bytes) -> None:
    client = serve(head_timeout=0.5)
    silent, slow = connect(client), connect(client)
    slow.sendall(b"POST /v1/annotate HTTP/1.1\r\nHost: loc")
    began = time.monotonic()
    assert answer(slow) == (408, {"error": "a request's head must arrive within 0.5 s"})
    assert silent.recv(100) == b""
    assert time.monotonic() - began < 20
    works(client, dog)


def test_a_body_that_dawdles_is_408_while_others_are_served(serve: Serve, dog: bytes) -> None:
    client = serve(body_timeout=1.0)
    slow = [connect(client) for _ in range(20)]
    for stream in slow:
        stream.sendall(head(len(dog)) + dog[:100])
    works(client, dog)
    for stream in slow:
        with suppress(OSError):
            stream.sendall(dog[100:101])
    status, told = answer(slow[0])
    assert status == 408 and "1 s" in told["error"]
    works(client, dog)
    assert "semreg_pictures_waiting 0.0" in client.get("/metrics").text


def test_a_client_that_hangs_up_has_its_work_dropped(serve: Serve, dog: bytes) -> None:
    client = serve()
    for _ in range(12):
        stream = connect(client)
        stream.sendall(head(len(dog)) + dog)
        stream.close()
    works(client, dog)
    for _ in range(100):
        text = client.get("/metrics").text
        if "semreg_pictures_waiting 0.0" in text:
            break
        time.sleep(0.1)
    assert "semreg_pictures_waiting 0.0" in text
    (line,) = [line for line in text.splitlines() if line.startswith('semreg_pictures_dropped_total{reason="gone"}')]
    assert float(line.split()[1]) >= 1


def test_a_client_that_breaks_off_harms_nobody_and_fills_no_log(
    client: Any, dog: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    multipart = "Content-Type: multipart/form-data; boundary=x"
    for cut in (0, 1, 1000):
        for more in ((), (multipart,)):
            stream = connect(client)
            stream.sendall(head(len(dog), *more) + dog[:cut])
            stream.close()
    works(client, dog)
    assert [record for record in caplog.records if record.name != "python_multipart.multipart"] == []


def test_a_chunked_body_is_bounded_as_any_other(client: Any) -> None:
    pieces = iter([b'{"annotation": "' + b"x" * 600_000] * 3)
    answer = client.post("/v1/steer", content=pieces, headers={"content-type": "application/json"})
    assert answer.status_code == 413 and "1048576" in answer.json()["error"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/annotate HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/annotate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"\r\n\r\n\r\n",
        random.Random(3).randbytes(5000),
    ],
)
def test_what_is_not_http_is_400_or_closed(client: Any, dog: bytes, data: bytes) -> None:
    with connect(client) as stream:
        with suppress(OSError):
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionResetError):
            while piece := stream.recv(65536):
                received += piece
    if received:
        assert received.startswith(b"HTTP/1.1 400")
        body = received.partition(b"\r\n\r\n")[2]
        assert not body or json.loads(body)["error"]  # who hangs up at once may be gone before it is sent
    works(client, dog)


def test_broken_chunks_harm_nobody(client: Any, dog: bytes) -> None:
    with connect(client) as stream:
        stream.sendall(b"POST /v1/annotate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc")
        received = stream.recv(65536)
    assert received == b"" or received.startswith(b"HTTP/1.1 400")
    works(client, dog)


def test_a_refused_body_that_goes_on_is_answered_and_ended(serve: Serve, dog: bytes) -> None:
    client = serve(max_bytes=1000, head_timeout=1.0)
    with connect(client) as stream:
        stream.sendall(head(10**12))
        data = stream.recv(65536)
        assert data.startswith(b"HTTP/1.1 413")
        with pytest.raises(OSError):
            for _ in range(400):
                stream.sendall(bytes(10_000))
                time.sleep(0.02)


def test_lies_about_the_type_do_not_matter(client: Any, dog: bytes) -> None:
    for kind in ("image/png", "image/webp", "application/octet-stream"):
        assert client.post("/v1/annotate", content=dog, headers={"content-type": kind}).is_success
    for name, kind in (("dog.html", "text/html"), ("../../dog", "application/x-evil"), ("dog\x00.jpg", "image/png")):
        assert client.post("/v1/annotate", files={"picture": (name, dog, kind)}).is_success
    page = b"<html><body>not a dog</body></html>"
    assert client.post("/v1/annotate", files={"picture": ("dog.jpg", page, "image/jpeg")}).status_code == 415


def test_connections_are_bounded(serve: Serve, dog: bytes) -> None:
    client = serve(connections=5)
    client.get("/healthz")
    held = [connect(client) for _ in range(4)]
    time.sleep(0.2)
    with connect(client) as one_more:
        assert answer(one_more)[0] == 503
    for stream in held:
        stream.close()
    works(client, dog)
