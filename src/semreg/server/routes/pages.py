"""For people: the page, its parts, and the description of the API; nothing of it comes from anywhere else."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import Response

from semreg.server.problems import Problem

_FOLDER = Path(__file__).resolve().parents[1] / "page"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_REVALIDATE = {"Cache-Control": "no-cache"}


def router(app: FastAPI) -> APIRouter:
    """The routes; the files are read once."""
    routes = APIRouter(include_in_schema=False)
    files = {path.name: path.read_bytes() for path in _FOLDER.iterdir() if path.suffix in _KINDS}

    def answer(name: str) -> Response:
        if name not in files:
            raise Problem(404, "there is no such file")
        kind = f"{_KINDS[Path(name).suffix]}; charset=utf-8"
        return Response(files[name], media_type=kind, headers=_REVALIDATE)

    @routes.api_route("/", methods=["GET", "HEAD"])
    async def page() -> Response:
        return answer("index.html")

    @routes.get("/page/{name}")
    async def asset(name: str) -> Response:
        return answer(name)

    @routes.get("/docs")
    async def docs() -> Response:
        return Response(describe(app.openapi()), media_type="text/html; charset=utf-8", headers=_REVALIDATE)

    return routes


def describe(schema: dict[str, Any]) -> str:
    """An OpenAPI description as a plain page."""
    parts = [
        f"<section><h2><span class='method'>{escape(method.upper())}</span> {escape(path)}</h2>"
        f"{_operation(operation)}</section>"
        for path, item in schema["paths"].items()
        for method, operation in item.items()
    ]
    forms = "".join(_form(name, form) for name, form in sorted(schema["components"]["schemas"].items()))
    about = "".join(f"<p>{_text(part)}</p>" for part in schema["info"]["description"].strip().split("\n\n"))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>semreg: the API</title>
<link rel="icon" href="/page/icon.svg">
<link rel="stylesheet" href="/page/docs.css">
</head>
<body>
<header><p><a href="/">semreg</a></p><h1>The API</h1>{about}
<p>For programs: <a href="/openapi.json">openapi.json</a></p></header>
<main>{"".join(parts)}<h2 class="forms">Forms</h2>{forms}</main>
</body>
</html>
"""


def _operation(operation: dict[str, Any]) -> str:
    text = "".join(f"<p>{_text(part)}</p>" for part in operation.get("description", "").split("\n\n") if part)
    rows = "".join(
        _row(item["name"], _kind(item["schema"]), item.get("description") or item["schema"].get("description", ""))
        for item in operation.get("parameters", [])
    )
    query = f"<h3>Parameters</h3><table>{rows}</table>" if rows else ""
    body = operation.get("requestBody", {}).get("content", {})
    sent = "".join(_row(kind, _kind(content.get("schema", {})), "") for kind, content in body.items())
    sent = f"<h3>Body</h3><table>{sent}</table>" if sent else ""
    answers = "".join(
        _row(status, _kind(_schema(answer)), answer.get("description", ""))
        for status, answer in operation["responses"].items()
    )
    return f"{text}{query}{sent}<details><summary>Answers</summary><table>{answers}</table></details>"


def _form(name: str, form: dict[str, Any]) -> str:
    rows = "".join(
        _row(key, _kind(value), value.get("description", "")) for key, value in form.get("properties", {}).items()
    )
    about = f"<p>{_text(form.get('description', ''))}</p>"
    return f"<section id='{escape(name)}'><h3>{escape(name)}</h3>{about}<table>{rows}</table></section>"


def _row(name: str, kind: str, text: str) -> str:
    return f"<tr><th scope='row'><code>{escape(name)}</code></th><td>{kind}</td><td>{_text(text)}</td></tr>"


def _schema(answer: dict[str, Any]) -> dict[str, Any]:
    return next((content.get("schema", {}) for content in answer.get("content", {}).values()), {})


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to the forms."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"<a href='#{escape(name)}'>{escape(name)}</a>"
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    limits = f" {low}..{high}" if low is not None and high is not None else ""
    return escape(f"{schema.get('format') or schema.get('type', 'anything')}{limits}")


def _text(text: str) -> str:
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))
