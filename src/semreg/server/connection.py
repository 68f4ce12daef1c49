"""A connection: uvicorn's HTTP/1.1 with a limit on the time that a request's head may take, and on connections."""

from __future__ import annotations

import asyncio
import json
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """One client's connection.

    A timer runs whenever no request is being answered: it ends clients that connect and say nothing, send a head
    byte by byte, or go on sending a body that was refused.

    uvicorn makes these itself, so their limits are the class's own, set once a process: `head_timeout` in seconds,
    and `limit`, the connections that may be open.
    """

    head_timeout = 10.0
    limit = 1024

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Welcome a client, or tell it that there are too many."""
        super().connection_made(transport)
        # asyncio does this where it knows the protocol of the listening socket. Without it the body of an answer waits
        # until the client has acknowledged the head: 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head_timer: asyncio.TimerHandle | None = None
        if len(self.connections) > self.limit:
            self._refuse(503, "too many connections are open: try again in a few seconds", "Retry-After: 5\r\n")
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Bytes came: perhaps a head is complete now."""
        if not self.transport.is_closing():
            super().data_received(data)
            self._watch()

    def on_response_complete(self) -> None:
        """A request is answered: the next one's time begins."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(400, "this is not a valid HTTP request: its head may have 16 KiB")

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(self.head_timeout, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(408, f"a request's head must arrive within {self.head_timeout:g} s")
        self.transport.close()

    def _refuse(self, status: int, sentence: str, headers: str = "") -> None:
        """Write an answer past the app, where none was begun, and hang up."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = json.dumps({"error": sentence}).encode()
            head = f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}"
            self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        self.transport.close()
