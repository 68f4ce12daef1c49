"""`semreg serve`: annotations over HTTP, and a page to correct them on."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Annotated

import typer

from semreg.cli.options import DeviceOption, ModelOption
from semreg.errors import SemregError

TOKEN = "SEMREG_TOKEN"
MIB = 1 << 20


def serve(
    model: ModelOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes, each with a model of its own.")] = 1,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", help=f"File with the token that clients must send; or set {TOKEN}.", show_default=False
        ),
    ] = None,
    corrections: Annotated[
        Path | None,
        typer.Option("--corrections", help="Keep corrections here, as a data set to train on.", show_default=False),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host", help="A name that clients may call the server by; repeatable.", show_default=False
        ),
    ] = None,
    rate_limit: Annotated[
        int | None,
        typer.Option("--rate-limit", min=1, help="Requests a minute for each client.", show_default="unlimited"),
    ] = None,
    max_megabytes: Annotated[float, typer.Option("--max-megabytes", min=0.001, help="Size of a picture's file.")] = 32,
    max_megapixels: Annotated[float, typer.Option("--max-megapixels", min=0.001, help="Pixels of a picture.")] = 64,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Pictures that may wait; more get 503.")] = 256,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Pictures that go through the model together.")] = 16,
    window: Annotated[
        float, typer.Option("--window", min=0, max=1000, help="Milliseconds a batch waits for more pictures.")
    ] = 10,
    deadline: Annotated[float, typer.Option("--deadline", min=0.001, help="Seconds to an answer; then 504.")] = 30,
    body_timeout: Annotated[
        float, typer.Option("--body-timeout", min=0.001, help="Seconds for a body to arrive; then 408.")
    ] = 30,
    label_studio_root: Annotated[
        Path | None,
        typer.Option("--label-studio-root", help="Folder that Label Studio's local files lie in.", show_default=False),
    ] = None,
    device: DeviceOption = "cpu",
) -> None:
    """Serve annotations over HTTP, with a page at / and the API described at /docs.

    SIGTERM and Ctrl-C finish what was accepted.

    Examples:

        semreg serve

        semreg serve --port 9000 --corrections corrections --workers 2

        curl --data-binary @cat.jpg http://127.0.0.1:8000/v1/annotate
    """
    if missing := [name for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client") if not _has(name)]:
        raise SemregError(f"`semreg serve` needs {', '.join(missing)}: pip install 'semreg[serve]'")
    from semreg.server.process import serve as run
    from semreg.server.settings import Settings

    settings = Settings(
        host=host,
        port=port,
        workers=workers,
        hosts=tuple(allow_host or ()),
        token=_token(token_file),
        rate=rate_limit,
        max_bytes=int(max_megabytes * MIB),
        max_pixels=int(max_megapixels * 1_000_000),
        queue=queue,
        batch=batch,
        window=window / 1000,
        deadline=deadline,
        body_timeout=body_timeout,
        corrections=corrections.absolute() if corrections else None,
        label_studio_root=label_studio_root.absolute() if label_studio_root else None,
    )
    run(settings, model, device)


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _token(file: Path | None) -> str | None:
    """The token of the file, or of the environment."""
    if file is None:
        return os.environ.get(TOKEN) or None
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SemregError(f"the token file {file} cannot be read: {error}") from None
    if not token or not token.isascii() or any(letter.isspace() for letter in token):
        raise SemregError(f"the token file {file} must hold one word of ASCII letters: write one, such as a UUID")
    return token
