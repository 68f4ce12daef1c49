"""`semreg serve` under load, against `semreg annotate` on the same pictures, and with unpleasant clients.

    python benchmarks/server_load.py

Everything runs on one core (`--core`), the server and the clients as well, on loopback, for a bounded time. Clients ask
again as soon as they are answered. What is counted: requests sent, answered, lost and answered twice, answers that are
not the ones `semreg annotate` gave for that picture; the server's memory second by second; and, when SIGTERM comes
under load, what happens to the requests that it had.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "semreg"]


@dataclass
class Count:
    """What became of requests."""

    sent: int = 0
    right: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: int = 0
    twice: int = 0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        """The figures."""
        times = sorted(self.seconds) or [0.0]
        return {
            "requests sent": self.sent,
            "answered rightly": self.right,
            "answered wrongly": len(self.wrong),
            "first wrong answers": self.wrong[:3],
            "lost": self.lost,
            "answered twice": self.twice,
            "by status": {str(status): count for status, count in sorted(self.statuses.items())},
            "median seconds": round(median(times), 3),
            "99th percentile seconds": round(times[int(0.99 * (len(times) - 1))], 3),
        }


@dataclass(frozen=True)
class Place:
    """Where the server is, and its process."""

    port: int
    process: subprocess.Popen[str]

    def memory(self) -> float:
        """Resident megabytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


def cpu_seconds(process: int) -> float:
    """Processor time that a process has used, in its own code and in the kernel for it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request(picture: bytes, length: int | None = None, kind: str = "image/jpeg") -> bytes:
    """A POST of a picture."""
    head = f"POST /v1/annotate HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(picture) if length is None else length}\r\n\r\n".encode() + picture


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One answer: its status and its body.

    Raises:
        asyncio.IncompleteReadError: the connection ended before it was complete.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
    return int(lines[0].split()[1]), await reader.readexactly(length)


async def good_client(
    port: int, pictures: list[tuple[bytes, str]], count: Count, until: float, stopped: asyncio.Event, seed: int
) -> None:
    """Ask for one picture after the other; an answer that is missing, wrong or too many is counted."""
    choice = random.Random(seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until and not stopped.is_set():
        picture, wanted = choice.choice(pictures)
        began = time.monotonic()
        writer.write(request(picture))
        count.sent += 1
        try:
            await writer.drain()
            status, body = await answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            count.lost += 1
            break
        count.seconds.append(time.monotonic() - began)
        count.statuses[status] += 1
        told = (json.loads(body).get("caption") or {}).get("text")
        if status == 200 and told == wanted:
            count.right += 1
        else:
            count.wrong.append(f"{status}: {told!r} for {wanted!r}")
    if not reader.at_eof():
        with suppress(asyncio.TimeoutError, TimeoutError, ConnectionError):
            count.twice += bool(await asyncio.wait_for(reader.read(1), 0.2))
    writer.close()


async def bad_client(port: int, picture: bytes, until: float, number: int) -> None:
    """One of five kinds, again and again: silent, slow head, slow body, breaks off, lies about what it sends."""
    kind = number % 5
    while time.monotonic() < until:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if kind == 0:
                await asyncio.sleep(2)
            elif kind in (1, 2):
                text = request(picture)
                start = 0 if kind == 1 else text.index(b"\r\n\r\n") + 4
                writer.write(text[:start])
                for place in range(start, start + 20):
                    writer.write(text[place : place + 1])
                    await writer.drain()
                    await asyncio.sleep(0.1)
            elif kind == 3:
                writer.write(request(picture))
                await writer.drain()
                await asyncio.sleep(0.05)
            else:
                writer.write(request(b"<html>a cat</html>" + picture[:1000], kind="image/png"))
                status, _ = await answer(reader)
                assert status == 415
            writer.transport.abort()
            await asyncio.sleep(0.5)


async def load(
    place: Place, pictures: list[tuple[bytes, str]], clients: int, seconds: float, bad: int = 0
) -> tuple[Count, list[float], float]:
    """Good clients, and bad ones, for a time; what became of the good ones' requests, memory, and the time it took."""
    count, memory, stopped = Count(), [], asyncio.Event()
    began = time.monotonic()
    until = began + seconds
    print(f"{clients} clients, {bad} unpleasant ones, {seconds:g} s", file=sys.stderr)
    work = [good_client(place.port, pictures, count, until, stopped, seed) for seed in range(clients)]
    work += [bad_client(place.port, pictures[0][0], until, number) for number in range(bad)]

    async def watch() -> None:
        while time.monotonic() < until:
            memory.append(round(place.memory(), 1))
            await asyncio.sleep(1)

    await asyncio.gather(*work, watch())
    return count, memory, time.monotonic() - began


async def end_under_load(place: Place, pictures: list[tuple[bytes, str]], clients: int) -> dict[str, Any]:
    """SIGTERM while every client waits for an answer: what the server had by then must be answered."""
    begun, streams = await _begun(place.port), []
    for number in range(clients):
        reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
        picture, wanted = pictures[number % len(pictures)]
        writer.write(request(picture))
        await writer.drain()
        streams.append((reader, writer, wanted))
    for _ in range(1000):
        if await _begun(place.port) >= begun + clients:
            break
    else:
        raise SystemExit("the server did not begin all requests")
    place.process.send_signal(signal.SIGTERM)
    told = Counter[str]()
    for reader, writer, wanted in streams:
        try:
            status, body = await answer(reader)
            right = status == 200 and json.loads(body)["caption"]["text"] == wanted
            told["answered rightly" if right else f"answered {status}"] += 1
            told["answered twice"] += bool(await reader.read())
        except (asyncio.IncompleteReadError, ConnectionError):
            told["lost"] += 1
        writer.close()
    try:
        await asyncio.open_connection("127.0.0.1", place.port)
        refused = False
    except ConnectionError:
        refused = True
    status = await asyncio.to_thread(place.process.wait, 120)
    return {
        "accepted when SIGTERM came": clients,
        "answered rightly": told["answered rightly"],
        "lost": told["lost"],
        "answered twice": told["answered twice"],
        "new connections refused": refused,
        "exit status": status,
    }


async def _begun(port: int) -> int:
    """Requests that the server has begun so far, answered or not, without those for this figure."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    _, body = await answer(reader)
    writer.close()
    lines = [line.split() for line in body.decode().splitlines() if not line.startswith("#")]
    done = sum(float(n) for name, n in lines if name.startswith("semreg_requests_total") and "/v1/annotate" in name)
    return int(done + sum(float(n) for name, n in lines if name == "semreg_requests_open") - 1)


def annotate(folder: Path) -> tuple[float, float, dict[str, str]]:
    """Pictures a second of `semreg annotate` after its first batches, its processor time for one, and the captions."""
    print("semreg annotate", file=sys.stderr)
    command = [*COMMAND, "annotate", str(folder), "--format", "jsonl"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    times, captions = [], {}
    for line in process.stdout:
        told = json.loads(line)
        captions[Path(told["file_name"]).name] = told["caption"]["text"]
        times.append((time.monotonic(), cpu_seconds(process.pid)))
    assert process.wait() == 0
    first = min(32, len(times) // 4)
    (began, used), (ended, all_used) = times[first - 1], times[-1]
    count = len(times) - first
    return count / (ended - began), (all_used - used) / count, captions


@contextmanager
def server() -> Iterator[Place]:
    """A server, ready."""
    process = subprocess.Popen([*COMMAND, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        port = int(process.stderr.readline().rstrip("/\n").rpartition(":")[2])
        for _ in range(600):
            try:
                asyncio.run(_begun(port))
                break
            except ConnectionError:
                time.sleep(0.1)
        threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would hold the server up
        yield Place(port, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30, help="of each of the two loads")
    parser.add_argument("--copies", type=int, default=64, help="of the sample photographs, for `semreg annotate`")
    parser.add_argument("--core", type=int, default=0, help="that everything runs on")
    parser.add_argument("--pictures", type=Path, default=ROOT / "demo" / "pictures")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "server" / "load.json")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.core})  # children inherit it
    os.environ["OMP_NUM_THREADS"] = "1"
    files = sorted(arguments.pictures.glob("*.jpg"))
    with tempfile.TemporaryDirectory() as name:
        for copy in range(arguments.copies):
            for path in files:
                (Path(name) / f"{copy:03}-{path.name}").write_bytes(path.read_bytes())
        before, cpu_before, captions = annotate(Path(name))
        pictures = [(path.read_bytes(), captions[f"000-{path.name}"]) for path in files]
        with server() as place:
            asyncio.run(load(place, pictures, arguments.clients, 3))  # warm
            used = cpu_seconds(place.process.pid)
            count, memory, took = asyncio.run(load(place, pictures, arguments.clients, arguments.seconds))
            used = cpu_seconds(place.process.pid) - used
            beside, more, longer = asyncio.run(
                load(place, pictures, arguments.clients, arguments.seconds, bad=arguments.clients // 2)
            )
            ending = asyncio.run(end_under_load(place, pictures, arguments.clients))
        after, cpu_after, _ = annotate(Path(name))
    alone = (before + after) / 2
    rate = count.right / took
    result = {
        "command": "python benchmarks/server_load.py",
        "machine": f"{os.cpu_count()} CPU cores, all on one of them",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "fastapi", "uvicorn")},
        "load average at the end": round(os.getloadavg()[0], 1),
        "clients": arguments.clients,
        "annotate": {
            "pictures a second, before": round(before, 1),
            "pictures a second, after": round(after, 1),
            "processor ms a picture, before": round(1000 * cpu_before, 1),
            "processor ms a picture, after": round(1000 * cpu_after, 1),
        },
        "serve": {
            "pictures a second": round(rate, 1),
            "share of annotate": round(rate / alone, 3),
            "processor ms a picture": round(1000 * used / count.right, 1),
            "share of annotate by processor time": round((cpu_before + cpu_after) / 2 / (used / count.right), 3),
            **count.told(),
        },
        "serve beside unpleasant clients": {
            "unpleasant clients": arguments.clients // 2,
            "pictures a second": round(beside.right / longer, 1),
            **beside.told(),
        },
        "memory, MB": {"first load": memory, "second load": more},
        "SIGTERM under load": ending,
    }
    text = json.dumps(result, indent=1) + "\n"
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
