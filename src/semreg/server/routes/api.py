"""For programs: annotate, steer, complete, explain, keep a correction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.datastructures import UploadFile as Upload

from semreg.annotation import Annotation
from semreg.metadata import Entry, new_sidecar
from semreg.options import Options
from semreg.server import pictures
from semreg.server.corrections import Corrections
from semreg.server.forms import (
    AnnotationForm,
    CompleteForm,
    CorrectionForm,
    ExplainForm,
    HowForm,
    KeptForm,
    ManyForm,
    ServerForm,
    SteerForm,
)
from semreg.server.problems import Problem, documented
from semreg.server.service import Service, together
from semreg.server.settings import Settings

_AS_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "A picture's bytes, or a form with one picture or several.",
        "content": {
            "application/octet-stream": _AS_BYTES,
            "image/*": _AS_BYTES,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"picture": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    "required": ["picture"],
                }
            },
        },
    }
}


class AnnotateQuery(HowForm):
    """How to annotate, and how much to tell."""

    all_concepts: Annotated[bool, Query(description="tell the scores of all concepts: what steering starts from")] = (
        False
    )


def router(service: Service, settings: Settings, corrections: Corrections | None) -> APIRouter:
    """The routes of one server."""
    routes = APIRouter(prefix="/v1", tags=["annotations"])
    _add_annotate(routes, service, settings)
    _add_steering(routes, service)

    @routes.get("/server", responses=documented())
    async def server() -> ServerForm:
        """What is served: the model, its concepts and labels, and the limits."""
        annotator = service.annotator
        return ServerForm(
            model=annotator.name,
            concepts=list(annotator.concepts),
            thresholds=annotator.config.scale().seen_from.tolist(),
            labels=list(annotator.labels),
            forms=sorted(annotator.config.decoders),
            corrections=corrections is not None,
            max_bytes=settings.max_bytes,
            max_pixels=settings.max_pixels,
            max_pictures=settings.max_pictures,
        )

    @routes.post("/corrections", responses=documented(404, 415), status_code=201)
    async def corrections_(
        picture: Annotated[UploadFile, File(description="the picture")],
        correction: Annotated[str, Form(description="JSON: tags, a list of texts, and caption, a text")],
    ) -> KeptForm:
        """Keep what a person says of a picture, as a data set to train on; the latest counts."""
        if corrections is None:
            raise Problem(404, "corrections are not kept: start the server with --corrections FOLDER")
        said = _correction(correction)
        data = await picture.read(settings.max_bytes + 1)
        found = await run_in_threadpool(pictures.check, data, settings.max_bytes, settings.max_pixels)
        name, count = await run_in_threadpool(corrections.keep, data, pictures.FORMATS[found], said.tags, said.caption)
        return KeptForm(file_name=name, corrections=count)

    return routes


def _add_annotate(routes: APIRouter, service: Service, settings: Settings) -> None:
    @routes.post(
        "/annotate",
        openapi_extra=_BODY,
        response_model=AnnotationForm | ManyForm,
        responses=documented(415, 504),
    )
    async def annotate(request: Request, how: Annotated[AnnotateQuery, Query()]) -> Response:
        """Tags, a caption and concepts of one picture, or of several.

        One picture's answer is an annotation, and a picture that cannot be read is refused. Several pictures' answer is
        `{"annotations": [...]}` in their order, where `error` says of each what is wrong with it.
        """
        service.model.refuse_when_full()
        options = how.options()
        found = await uploads(request, settings)
        if len(found) == 1:
            (told,) = await _annotated(service, request, found, options)
            if isinstance(told, Problem):
                raise told
            return JSONResponse(told.to_dict(how.all_concepts))
        annotations = [
            Annotation.failed(name, each.sentence, service.annotator.name) if isinstance(each, Problem) else each
            for (name, _), each in zip(found, await _annotated(service, request, found, options), strict=True)
        ]
        return JSONResponse({"annotations": [each.to_dict(how.all_concepts) for each in annotations]})


def _add_steering(routes: APIRouter, service: Service) -> None:
    annotator = service.annotator

    async def ask(request: Request, work: Any) -> Any:
        return await service.in_time(request, service.model.call(work))

    @routes.post("/steer", response_model=AnnotationForm, responses=documented(504))
    async def steer(request: Request, form: SteerForm) -> Response:
        """Tell anew with some concepts set by hand; the picture is not looked at again."""
        before, options = form.annotation.annotation(), form.options(form.must, form.never)
        after = await ask(request, lambda: annotator.steer(before, form.concepts, options=options))
        return JSONResponse(after.to_dict(bool(before.concept_scores)))

    @routes.post("/complete", response_model=AnnotationForm, responses=documented(504))
    async def complete(request: Request, form: CompleteForm) -> Response:
        """The tags that go with those that a person gave already."""
        before, options = form.annotation.annotation(), form.options()
        after = await ask(request, lambda: annotator.complete(before, tags=form.tags, options=options))
        return JSONResponse(after.to_dict(bool(before.concept_scores)))

    @routes.post("/explain", responses=documented(504))
    async def explain(request: Request, form: ExplainForm) -> dict[str, Any]:
        """Which concepts carried each tag and each word of the caption."""
        before = form.annotation.annotation()
        told: dict[str, Any] = await ask(request, lambda: annotator.explain(before).to_dict())
        return told

    @routes.post(
        "/sidecar",
        response_class=Response,
        responses={200: {"content": {"application/rdf+xml": {"schema": {"type": "string"}}}}, **documented()},
    )
    async def sidecar(form: ExplainForm) -> Response:
        """An annotation as an XMP sidecar: its tags as keywords, its caption as the description."""
        said = form.annotation.annotation()
        entry = Entry(
            tags=tuple(dict.fromkeys(tag.label for tag in said.tags)),
            caption=said.caption.text if said.caption else None,
            model=said.model,
            date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        return Response(await run_in_threadpool(new_sidecar, entry), media_type="application/rdf+xml")


async def _annotated(
    service: Service, request: Request, found: Sequence[tuple[str | None, bytes]], options: Options
) -> list[Annotation | Problem]:
    """An annotation for each picture, or why there is none."""
    service.model.take(len(found))
    try:

        async def each(name: str | None, data: bytes) -> Annotation | Problem:
            try:
                return await service.annotate(data, name, options)
            except Problem as problem:
                return problem

        return await service.in_time(request, together([each(name, data) for name, data in found]))
    finally:
        service.model.leave(len(found))


async def uploads(request: Request, settings: Settings) -> list[tuple[str | None, bytes]]:
    """The pictures of a request, each with the name that the client gave it.

    Raises:
        Problem: 413 too many, 415 another kind of body, 422 none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _of_form(request, settings)
    # What curl --data-binary sends when it is told nothing is the third.
    if kind not in ("", "application/octet-stream", "application/x-www-form-urlencoded") and (
        not kind.startswith("image/") or kind == "image/svg+xml"
    ):
        raise Problem(415, f"the body must be a picture or a form with pictures, is {kind[:60]!r}: {pictures.KNOWN}")
    return [(None, await request.body())]


async def _of_form(request: Request, settings: Settings) -> list[tuple[str | None, bytes]]:
    async with request.form(max_files=settings.max_pictures, max_fields=16) as form:
        files = [part for part in form.getlist("picture") + form.getlist("file") if isinstance(part, Upload)]
        others = [part for _, part in form.multi_items() if isinstance(part, Upload)]
        chosen = files or others
        if not chosen:
            raise Problem(422, "the form has no picture: send it as a file named picture")
        return [(part.filename or None, await part.read(settings.max_bytes + 1)) for part in chosen]


def _correction(text: str) -> CorrectionForm:
    try:
        return CorrectionForm.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(("correction", *map(str, first["loc"])))
        raise Problem(422, f"{place}: {first['msg']}") from None
