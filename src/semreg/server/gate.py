"""The gate in front of the app: who may ask, how often, how much and how long; and the headers of every answer."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
import math
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from semreg.server.metrics import Metrics
from semreg.server.problems import INTERNAL, Gone, Problem
from semreg.server.settings import Settings

logger = logging.getLogger("semreg.server")

OPEN = {"/", "/docs", "/openapi.json", "/health", "/healthz", "/readyz"}  # need no token: they tell nothing
ASSETS = "/page/"
READING = {"GET", "HEAD", "OPTIONS"}
SMALL_BODY = 1 << 20  # bytes of a body that carries no picture
WITH_PICTURES = {"/v1/annotate", "/v1/complete", "/v1/corrections", "/predict"}
SEND_TIMEOUT = 30.0  # seconds for a client to take a piece of its answer

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class Gate:
    """ASGI middleware around the whole app.

    Args:
        app: what is behind.
        settings: the limits.
        metrics: where to count.
        routes: the addresses that the app knows, for the counts; others are counted together.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app, self._settings, self._metrics, self._routes = app, settings, metrics, routes
        self._held = 0  # bytes of bodies of requests that are not answered yet
        self._rates = Rates(settings.rate) if settings.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        body = _Body(receive, self, scope)
        began = time.monotonic()
        with self._metrics.open.track_inprogress():
            try:
                self._check(scope, _headers(scope))
                await self._app(scope, body.receive, answer.send)
            except Problem as problem:
                await self._refuse(problem, scope, receive, answer)
            except Exception as error:
                if not isinstance(error, TimeoutError | asyncio.TimeoutError | ConnectionError):
                    logger.exception("%s %s failed", scope["method"], scope["path"])
                await self._refuse(Problem(500, INTERNAL), scope, receive, answer)
            finally:
                self._held -= body.held
        path = scope["path"] if scope["path"] in self._routes else "other"
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        self._metrics.requests.labels(method, path, str(answer.status or 499)).inc()
        self._metrics.seconds.labels(path).observe(time.monotonic() - began)

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, answer: _Answer) -> None:
        if answer.status is None:
            await problem.response()(scope, receive, answer.send)

    def hold(self, count: int) -> None:
        """Count bytes that a request's body has brought.

        Raises:
            Problem: 503, all bodies together are too much.
        """
        if self._held + count > self._settings.byte_budget:
            raise Problem(503, "the server holds too many bytes already: try again in 5 s", {"Retry-After": "5"})
        self._held += count

    def limits(self, scope: Scope) -> tuple[int, float]:
        """Bytes of a request's body at most, and the seconds it may take to arrive."""
        most = self._settings.max_body if scope["path"] in WITH_PICTURES else SMALL_BODY
        return most, self._settings.body_timeout

    def _check(self, scope: Scope, headers: dict[str, str]) -> None:
        self._check_host(headers)
        self._check_origin(scope, headers)
        if self._settings.token is not None and not _is_open(scope):
            self._check_token(headers)
        if self._rates is not None and not _is_open(scope):
            self._rates.check(scope["client"][0] if scope.get("client") else "")
        length = headers.get("content-length", "")
        most = self.limits(scope)[0]
        if length.isdecimal() and int(length) > most:
            raise Problem(413, f"a body may have {most} bytes here, has {length[:20]}: send fewer or smaller pictures")

    def _check_host(self, headers: dict[str, str]) -> None:
        """A page elsewhere whose name was made to point at this machine (DNS rebinding) shows by its Host."""
        allowed = self._settings.allowed_hosts
        if allowed and _name(headers.get("host", "")) not in allowed:
            raise Problem(400, "the Host header must be a name of this server: allow others with --allow-host NAME")

    def _check_origin(self, scope: Scope, headers: dict[str, str]) -> None:
        """Other sites' pages must not make a person's browser ask this server."""
        if scope["method"] in READING:
            return
        origin = headers.get("origin")
        if origin is None:
            foreign = headers.get("sec-fetch-site", "none") in ("cross-site", "same-site")
        else:
            foreign = urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
        if foreign:
            raise Problem(403, "requests from pages of other sites are not answered")

    def _check_token(self, headers: dict[str, str]) -> None:
        given = _token(headers.get("authorization", ""))
        wanted = (self._settings.token or "").encode()
        if not hmac.compare_digest(given, wanted):
            raise Problem(401, "send the server's token as Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


class Rates:
    """A bucket of requests for each client, refilled steadily; the clients not seen for longest are forgotten.

    Args:
        rate: requests a minute.
        clients: how many are remembered.
    """

    def __init__(self, rate: int, clients: int = 10_000) -> None:
        self._rate, self._clients = rate, clients
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, client: str) -> None:
        """Count a request.

        Raises:
            Problem: 429, the client has none left.
        """
        now = time.monotonic()
        left, seen = self._left.pop(client, (float(self._rate), now))
        left = min(float(self._rate), left + (now - seen) * self._rate / 60)
        enough = left >= 1
        self._left[client] = (left - enough, now)
        if len(self._left) > self._clients:
            self._left.popitem(last=False)
        if not enough:
            wait = str(math.ceil((1 - left) * 60 / self._rate))
            raise Problem(429, f"{self._rate} requests a minute are answered: wait {wait} s", {"Retry-After": wait})


class _Body:
    """A request's body as it arrives, with a limit on its bytes and its time."""

    def __init__(self, receive: Receive, gate: Gate, scope: Scope) -> None:
        self._receive, self._gate = receive, gate
        self._most, seconds = gate.limits(scope)
        self._seconds, self._until = seconds, time.monotonic() + seconds
        self._complete = False
        self.held = 0

    async def receive(self) -> Message:
        if self._complete:  # what comes now is that the client has gone, and may come late
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(self._until - time.monotonic(), 0.001))
        except (TimeoutError, asyncio.TimeoutError):
            raise Problem(408, f"a request's body must arrive within {self._seconds:g} s") from None
        if message["type"] == "http.disconnect":
            raise Gone()
        if message["type"] == "http.request":
            count = len(message.get("body", b""))
            if self.held + count > self._most:
                raise Problem(413, f"a body may have {self._most} bytes here: send fewer or smaller pictures")
            self._gate.hold(count)
            self.held += count
            self._complete = not message.get("more_body", False)
        return message


class _Answer:
    """An answer as it leaves: with the headers that every answer has, and not for ever."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {name for name, _ in message.get("headers", [])}
            more = [header for header in _HEADERS if header[0] not in own]
            if b"cache-control" not in own:
                more.append((b"cache-control", b"no-store"))
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await asyncio.wait_for(self._send(message), SEND_TIMEOUT)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _name(host: str) -> str:
    """The name in a Host header, without its port: "[::1]:8000" is "::1"."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _is_open(scope: Scope) -> bool:
    return scope["path"] in OPEN or scope["path"].startswith(ASSETS)


def _token(authorization: str) -> bytes:
    """The token of a header: Bearer, or the password of Basic, which is all that some programs can send."""
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "bearer":
        return value.strip().encode("latin-1")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
