"""For Label Studio: the routes of an ML backend."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from semreg.annotation import Annotation
from semreg.options import Options
from semreg.server import labelstudio as protocol
from semreg.server.labelstudio import PredictForm, SetupForm
from semreg.server.problems import Problem, documented
from semreg.server.service import Service, together
from semreg.server.settings import Settings


class HealthForm(BaseModel):
    """What Label Studio looks for."""

    status: str
    model_class: str


class VersionForm(BaseModel):
    """Which model it is."""

    model_version: str


class PredictionsForm(BaseModel):
    """A prediction for each task, in their order; `error` where a task's picture could not be read."""

    results: list[dict[str, Any]]
    model_version: str


def router(service: Service, settings: Settings) -> APIRouter:
    """The routes of one server."""
    routes = APIRouter(tags=["Label Studio"])
    version = service.annotator.name

    @routes.get("/health", responses=documented())
    async def health() -> HealthForm:
        """The server is up."""
        return HealthForm(status="UP", model_class="semreg")

    @routes.post("/setup", responses=documented())
    async def setup(form: SetupForm) -> VersionForm:
        """A project connects; its labelling configuration is looked at, so that a misfit shows at once."""
        if form.label_config:
            protocol.controls(form.label_config)
        return VersionForm(model_version=version)

    @routes.post("/predict", responses=documented(504))
    async def predict(request: Request, form: PredictForm) -> PredictionsForm:
        """Predictions for tasks: tags for Choices and Taxonomy, the caption for TextArea, with scores."""
        found = protocol.controls(form.label_config or "")
        wanted = [(place, key) for place in range(len(form.tasks)) for key in dict.fromkeys(c.key for c in found)]
        if len(wanted) > settings.max_pictures:
            raise Problem(413, f"{settings.max_pictures} pictures may be asked for at once, not {len(wanted)}")
        service.model.take(len(wanted))
        try:

            async def each(place: int, key: str) -> Annotation | Problem:
                try:
                    address = form.tasks[place].data.get(key)
                    data = protocol.picture(address, settings.label_studio_root, settings.max_bytes)
                    return await service.annotate(data, None, Options())
                except Problem as problem:
                    return problem

            told = await service.in_time(request, together([each(place, key) for place, key in wanted]))
        finally:
            service.model.leave(len(wanted))
        failures = [answer for answer in told if isinstance(answer, Problem)]
        if failures and len(failures) == len(told):
            raise failures[0]
        results = protocol.predictions(form.tasks, found, dict(zip(wanted, told, strict=True)))
        return PredictionsForm(results=results, model_version=version)

    return routes
