"""The app: a model, its settings, and the routes put together behind the gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

from semreg import __version__
from semreg.annotator import Annotator
from semreg.server import problems
from semreg.server.corrections import Corrections
from semreg.server.gate import Gate
from semreg.server.metrics import Metrics
from semreg.server.routes import api, labelstudio, pages, status
from semreg.server.service import Service
from semreg.server.settings import Settings

_ABOUT = """Tags and captions for pictures, through a layer of named concepts that can be corrected.

Every refusal is one JSON object, `{"error": sentence}`. Pictures are sent as bytes; the server never fetches one.
"""


def create_app(annotator: Annotator, settings: Settings | None = None) -> ASGIApp:
    """The server as an ASGI app.

    Args:
        annotator: the model; it belongs to the app from now on.
        settings: limits and what is served beside annotations.

    Raises:
        SemregError: corrections cannot be kept where the settings say.
    """
    settings = settings or Settings()
    metrics = Metrics(annotator.name)
    service = Service(annotator, settings, metrics)
    corrections = Corrections(settings.corrections) if settings.corrections else None

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.close()

    app = FastAPI(
        title="semreg",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=life,
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(api.router(service, settings, corrections))
    app.include_router(status.router(service, metrics))
    app.include_router(labelstudio.router(service, settings))
    app.include_router(pages.router(app))
    problems.install(app)
    return Gate(app, settings, metrics, frozenset({"/", "/docs", *app.openapi()["paths"]}))
