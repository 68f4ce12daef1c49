"""The protocol of Label Studio's ML backends: /setup, /predict, /health; pictures are never fetched from an address.

As the package label-studio-ml has it: a project's labelling configuration and tasks in, predictions out.
"""

from __future__ import annotations

import base64
import binascii
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, unquote_to_bytes, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from semreg.annotation import Annotation
from semreg.interchange import labelstudio
from semreg.server.problems import Problem

_LOCAL_FILES = "/data/local-files"
_MAX_CONFIGURATION = 512 * 1024


class SetupForm(BaseModel):
    """What Label Studio sends when a project connects."""

    model_config = ConfigDict(extra="ignore")

    project: str | None = None
    label_config: str | None = Field(default=None, alias="schema")


class TaskForm(BaseModel):
    """A task: its data hold a picture's address under the name that the configuration gives."""

    model_config = ConfigDict(extra="ignore")

    id: int | str | None = None
    data: dict[str, Any] = {}


class PredictForm(BaseModel):
    """Tasks to predict."""

    model_config = ConfigDict(extra="ignore")

    tasks: Annotated[list[TaskForm], Field(max_length=1000)]
    label_config: str | None = None
    project: str | None = None


@dataclass(frozen=True)
class Control:
    """A control of the configuration that the model can fill.

    Attributes:
        kind: choices, taxonomy or textarea.
        name: its name.
        image: name of the picture that it is about.
        key: where in a task's data the picture's address stands.
        single: whether only one choice may be ticked.
        paths: for each label, in lower case, the choice as the configuration writes it, or the way to it.
    """

    kind: str
    name: str
    image: str
    key: str
    single: bool = False
    paths: dict[str, list[str]] = field(default_factory=dict)

    def result(self, annotation: Annotation) -> dict[str, Any]:
        """What an annotation says in this control."""
        if self.kind == "textarea":
            return labelstudio.text_area(annotation, self.name, self.image)
        names = {tag.label: self.paths[tag.label.lower()] for tag in annotation.tags if tag.label.lower() in self.paths}
        if self.kind == "taxonomy":
            return labelstudio.taxonomy(annotation, self.name, self.image, names)
        return labelstudio.choices(
            annotation, self.name, self.image, {label: path[-1] for label, path in names.items()}, single=self.single
        )


def controls(configuration: str) -> list[Control]:
    """The controls of a labelling configuration that tags or a caption fit into.

    Raises:
        Problem: 422, it is no XML, or has none.
    """
    if len(configuration) > _MAX_CONFIGURATION or "<!DOCTYPE" in configuration.upper():
        raise Problem(422, "a labelling configuration must be XML of at most 512 KiB without a DOCTYPE")
    try:
        view = ElementTree.fromstring(configuration)
    except (ElementTree.ParseError, ValueError) as error:
        raise Problem(422, f"the labelling configuration is no XML: {error}") from None
    images = {element.get("name", ""): element.get("value", "").removeprefix("$") for element in view.iter("Image")}
    found = []
    for element in view.iter():
        image = element.get("toName", "")
        if element.tag in ("Choices", "Taxonomy", "TextArea") and image in images:
            kind, name = element.tag.lower(), element.get("name", "")
            single = kind == "choices" and element.get("choice", "single") != "multiple"
            found.append(Control(kind, name, image, images[image], single, dict(_paths(element, []))))
    if not found:
        raise Problem(422, "the labelling configuration must have Choices, a Taxonomy or a TextArea for an Image")
    return found


def _paths(element: ElementTree.Element, above: list[str]) -> list[tuple[str, list[str]]]:
    paths: list[tuple[str, list[str]]] = []
    waiting = [(child, above) for child in element]
    while waiting:
        child, way = waiting.pop()
        if child.tag != "Choice":
            continue
        named = child.get("value", "")
        value = child.get("alias") or named
        here = [*way, value]
        paths += [(name.lower(), here) for name in {value, named} if name]
        waiting += [(inner, here) for inner in child]
    return paths


def picture(address: object, root: Path | None, max_bytes: int) -> bytes:
    """A task's picture: out of a data: URI, or from the folder of Label Studio's local files; nothing is fetched.

    Args:
        address: as the task has it.
        root: that folder, if the server was told.
        max_bytes: most bytes to read.

    Raises:
        Problem: 422, with what to do instead.
    """
    if not isinstance(address, str) or not address:
        raise Problem(422, "the task has no picture under the name that the labelling configuration gives")
    if address.startswith("data:"):
        return _of_data(address)
    parts = urlsplit(address)
    if parts.path.rstrip("/") == _LOCAL_FILES:
        wanted = parse_qs(parts.query).get("d", [""])[0]
        return _of_folder(wanted, root, max_bytes)
    raise Problem(
        422,
        f"pictures are never fetched from an address such as {address[:60]!r}: give them as data: URIs, or by Label "
        "Studio's local files (/data/local-files/?d=...) and start the server with --label-studio-root FOLDER",
    )


def _of_data(address: str) -> bytes:
    head, comma, content = address.partition(",")
    if not comma:
        raise Problem(422, "a data: URI must have a comma before its content")
    if not head.endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        return base64.b64decode(unquote(content), validate=True)
    except (binascii.Error, ValueError):
        raise Problem(422, "a data: URI is not valid base64") from None


def _of_folder(wanted: str, root: Path | None, max_bytes: int) -> bytes:
    if root is None:
        raise Problem(422, "local files are not served: start the server with --label-studio-root FOLDER")
    try:
        there = root.resolve()
        path = (there / wanted).resolve()
        if not path.is_relative_to(there) or not path.is_file():
            raise Problem(422, "there is no such picture in the folder of --label-studio-root")
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:  # no permission, a null byte, a loop of links
        raise Problem(422, "the picture in the folder of --label-studio-root cannot be read") from error


def predictions(
    tasks: list[TaskForm], found: list[Control], annotations: dict[tuple[int, str], Annotation | Problem]
) -> list[dict[str, Any]]:
    """A prediction for each task.

    Args:
        tasks: what was asked.
        found: the controls to fill.
        annotations: by a task's place and its data's key; or why the picture could not be read.
    """
    told = []
    for place in range(len(tasks)):
        read = {key: annotation for (task, key), annotation in annotations.items() if task == place}
        good = {key: annotation for key, annotation in read.items() if isinstance(annotation, Annotation)}
        results = [control.result(good[control.key]) for control in found if control.key in good]
        if good:
            told.append(labelstudio.prediction(next(iter(good.values())), results))
        else:
            told.append({"result": [], "score": 0.0, "error": next(_sentence(each) for each in read.values())})
    return told


def _sentence(answer: Annotation | Problem) -> str:
    return answer.sentence if isinstance(answer, Problem) else ""
