"""For those who run the server: is it alive, is it ready, what does it do."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from semreg.server.metrics import Metrics
from semreg.server.problems import Problem, documented
from semreg.server.service import Service


class StatusForm(BaseModel):
    """That all is well."""

    status: str


def router(service: Service, metrics: Metrics) -> APIRouter:
    """The routes of one server."""
    routes = APIRouter(tags=["status"])

    @routes.get("/healthz", responses=documented())
    async def healthz() -> StatusForm:
        """The process is alive."""
        return StatusForm(status="ok")

    @routes.get("/readyz", responses=documented())
    async def readyz() -> StatusForm:
        """The model is loaded and pictures are taken."""
        if not service.ready:
            raise Problem(503, "the server is starting or stopping", {"Retry-After": "2"})
        return StatusForm(status="ready")

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented()},
    )
    async def prometheus() -> Response:
        """Counts and times, for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
