"""What can be set about a server: where it listens, what it accepts, how long it waits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from semreg.errors import SemregError


@dataclass(frozen=True)
class Settings:
    """A server's settings.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        workers: processes, each with a model of its own.
        hosts: names by which clients may call the server; on a loopback address these are its own names always, on
            others an empty list lets any name pass.
        token: what a client must send as `Authorization: Bearer TOKEN`; None lets everyone in.
        rate: requests a minute for each client address and worker; None is unlimited.
        max_bytes: bytes of one picture at most.
        max_pixels: pixels (width times height) of one picture at most, looked up before it is decoded.
        max_pictures: pictures in one request at most.
        queue: pictures that may wait, being decoded or for the model; more are refused with 503.
        batch: pictures that go through the model together at most.
        window: seconds that a batch waits for more pictures while some are on their way.
        deadline: seconds from the end of a request's body to its answer; 504 after that.
        body_timeout: seconds that a request's body may take to arrive; 408 after that.
        head_timeout: seconds that a connection may take to send a request's head.
        connections: open connections at most, in each worker.
        corrections: folder in which corrections are kept; None keeps none.
        label_studio_root: folder that Label Studio's local files lie in; None serves none.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    hosts: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)
    rate: int | None = None
    max_bytes: int = 32 << 20
    max_pixels: int = 64_000_000
    max_pictures: int = 64
    queue: int = 256
    batch: int = 16
    window: float = 0.01
    deadline: float = 30.0
    body_timeout: float = 30.0
    head_timeout: float = 10.0
    connections: int = 1024
    corrections: Path | None = None
    label_studio_root: Path | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "max_bytes", "max_pixels", "max_pictures", "queue", "batch", "connections"):
            if getattr(self, name) < 1:
                raise SemregError(f"{name} must be 1 or more, is {getattr(self, name)}")
        for name in ("deadline", "body_timeout", "head_timeout"):
            if not getattr(self, name) > 0:
                raise SemregError(f"{name} must be above 0 seconds, is {getattr(self, name)}")
        if self.rate is not None and self.rate < 1:
            raise SemregError(f"the rate limit must be 1 request a minute or more, is {self.rate}")
        if self.label_studio_root is not None and not self.label_studio_root.is_dir():
            raise SemregError(f"the folder of Label Studio's files, {str(self.label_studio_root)!r}, does not exist")

    @property
    def max_body(self) -> int:
        """Bytes of a request's body at most: room for several pictures."""
        return 4 * self.max_bytes

    @property
    def byte_budget(self) -> int:
        """Bytes of all bodies that are held at once, at most."""
        return 4 * self.max_body

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """Names that a Host header may carry; empty lets any pass."""
        own = ("localhost", "127.0.0.1", "::1", self.host) if self.loopback else ()
        return frozenset(name.lower() for name in (*own, *self.hosts))
