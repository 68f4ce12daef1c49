"""Whatever goes wrong is one JSON object with one sentence: {"error": "..."}; no traceback leaves the server."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as AnyHTTPException

from semreg.errors import SemregError

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("semreg.server")

INTERNAL = "something went wrong in the server: its log says what"


class Problem(HTTPException):
    """A request that is refused.

    Args:
        status: HTTP status.
        sentence: rule, value, remedy.
        headers: more headers for the answer.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, sentence, dict(headers or {}))
        self.status, self.sentence = status, sentence

    def response(self) -> JSONResponse:
        """The answer that says so."""
        return JSONResponse({"error": self.sentence}, self.status, self.headers)


class Gone(Problem):
    """The client hung up: there is nobody to answer. 499 is for the counts alone."""

    def __init__(self) -> None:
        super().__init__(499, "the client hung up")


class ErrorBody(BaseModel):
    """What every refusal looks like."""

    error: str


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for OpenAPI; those that any route can give are added."""
    everywhere = (400, 401, 403, 408, 413, 422, 429, 500, 503)
    return {
        status: {"model": ErrorBody, "description": HTTPStatus(status).phrase}
        for status in sorted({*everywhere, *statuses})
    }


def install(app: FastAPI) -> None:
    """Make an app answer with such objects."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(SemregError)
    async def _mistake(request: Request, error: SemregError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 422)

    @app.exception_handler(AnyHTTPException)
    async def _http(request: Request, error: AnyHTTPException) -> JSONResponse:
        sentence = _SENTENCES.get(error.status_code, str(error.detail))
        return JSONResponse({"error": sentence}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:]) or "the body"
        broken = first["type"] == "json_invalid"
        sentence = "the body is not JSON" if broken else f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}"
        return JSONResponse({"error": sentence}, 422)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": INTERNAL}, 500)


_SENTENCES = {
    404: "there is nothing here: /docs lists what there is",
    405: "this address does not take that method: /docs lists what it takes",
}
