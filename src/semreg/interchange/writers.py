"""One function for each form: annotations in, the files that the other program imports out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from semreg.annotation import Annotation, rounded
from semreg.data.records import METADATA
from semreg.errors import SemregError
from semreg.files import atomic_write
from semreg.interchange import labelstudio

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Export:
    """What is written, and how its pictures are found.

    Attributes:
        annotations: of pictures with file names, none failed.
        output: a file for Label Studio, a folder for the others.
        pictures: folder that relative file names start from.
        prefix: Label Studio's address of that folder.
    """

    annotations: Sequence[Annotation]
    output: Path
    pictures: Path = Path()
    prefix: str = labelstudio.LOCAL_FILES

    def path(self, annotation: Annotation) -> Path:
        """Where a picture lies."""
        return self.pictures / (annotation.file_name or "")


def write_export(form: str, export: Export, advance: Advance = lambda count: None) -> list[Path]:
    """Write annotations in the form of another program.

    Args:
        form: one of FORMS.
        export: what and where.
        advance: called with 1 for every picture.

    Returns:
        The files written, the one to import first.

    Raises:
        SemregError: the form is not known, a picture is not there, or a file cannot be written.
    """
    if form not in FORMS:
        raise SemregError(f"--to must be one of {', '.join(FORMS)}, is {form!r}")
    return FORMS[form](export, advance)


def _labelstudio(export: Export, advance: Advance) -> list[Path]:
    tasks = []
    for annotation in export.annotations:
        tasks.append(labelstudio.task(annotation, export.prefix))
        advance(1)
    labels = sorted({tag.label for annotation in export.annotations for tag in annotation.tags})
    settings = export.output.with_suffix(".xml")
    with atomic_write(settings) as file:
        file.write(labelstudio.configuration(labels))
    return [_write_json(export.output, tasks), settings]


def _fiftyone(export: Export, advance: Advance) -> list[Path]:
    samples = []
    for annotation in export.annotations:
        tags = [_classification(tag.label, tag.score) for tag in annotation.tags]
        sample: dict[str, Any] = {
            "filepath": str(_existing(export, annotation).absolute()),
            "tags": [],
            "predictions": {"_cls": "Classifications", "classifications": tags},
        }
        if caption := annotation.caption:
            sample["caption"] = _classification(caption.text, labelstudio.probability(caption.score))
        samples.append(sample)
        advance(1)
    models = sorted({annotation.model for annotation in export.annotations})
    _write_json(_folder(export) / "metadata.json", {"info": {"models": models}})
    return [_write_json(export.output / "samples.json", {"samples": samples}), export.output / "metadata.json"]


def _coco(export: Export, advance: Advance) -> list[Path]:
    images: list[dict[str, Any]] = []
    captions: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    names = sorted({tag.label for annotation in export.annotations for tag in annotation.tags})
    category = {name: number for number, name in enumerate(names, 1)}
    for number, annotation in enumerate(export.annotations, 1):
        width, height = _size(_existing(export, annotation))
        images.append({"id": number, "file_name": annotation.file_name, "width": width, "height": height})
        for caption in annotation.captions or ([annotation.caption] if annotation.caption else []):
            entry = {"id": len(captions) + 1, "image_id": number, "caption": caption.text}
            captions.append(entry | {"score": rounded(caption.score)})
        for tag in annotation.tags:
            entry = {"id": len(objects) + 1, "image_id": number, "category_id": category[tag.label]}
            objects.append(entry | {"score": rounded(tag.score)})
        advance(1)
    info = {"description": "written by semreg"}
    table = {"info": info, "images": images, "annotations": captions}
    first = _write_json(_folder(export) / "captions.json", table)
    categories = [{"id": number, "name": name} for name, number in category.items()]
    labelled = {"info": info, "images": images, "categories": categories, "annotations": objects}
    return [first, _write_json(export.output / "categories.json", labelled)]


def _hf(export: Export, advance: Advance) -> list[Path]:
    rows = []
    here = Path(os.path.realpath(_folder(export)))
    for annotation in export.annotations:
        path = _existing(export, annotation)
        there = Path(os.path.realpath(path))
        name = there.relative_to(here).as_posix() if there.is_relative_to(here) else _copy(path, annotation, here)
        texts = [caption.text for caption in annotation.captions] or (
            [annotation.caption.text] if annotation.caption else []
        )
        rows.append({"file_name": name, "tags": [tag.label for tag in annotation.tags], "captions": texts})
        advance(1)
    if (export.output / METADATA).exists():
        raise SemregError(f"{export.output / METADATA} exists already: name another --output, or remove it")
    with atomic_write(export.output / METADATA) as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return [export.output / METADATA]


FORMS: dict[str, Callable[[Export, Advance], list[Path]]] = {
    "labelstudio": _labelstudio,
    "fiftyone": _fiftyone,
    "coco": _coco,
    "hf": _hf,
}


def _classification(label: str, confidence: float) -> dict[str, Any]:
    return {"_cls": "Classification", "label": label, "confidence": rounded(confidence)}


def _copy(path: Path, annotation: Annotation, folder: Path) -> str:
    """Put a picture into the folder, which Hugging Face wants; never over another one."""
    parts = [part for part in PurePosixPath(annotation.file_name or "").parts if part not in ("/", "..", ".")]
    name = PurePosixPath("pictures", *parts).as_posix()
    target = folder / name
    if target.exists():
        raise SemregError(f"{target} exists already: name an empty --output")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    except OSError as error:
        raise SemregError(f"cannot write {target}: {error.strerror or error}") from None
    return name


def _existing(export: Export, annotation: Annotation) -> Path:
    path = export.path(annotation)
    if not path.is_file():
        raise SemregError(f"the picture {str(path)!r} is not there: pass --pictures FOLDER that its name starts from")
    return path


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as picture:  # the header alone
            turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            width, height = picture.size
    except Exception as error:  # damaged since it was annotated
        raise SemregError(f"the size of {str(path)!r} cannot be read ({error}): annotate it again") from None
    return (height, width) if turned else (width, height)


def _folder(export: Export) -> Path:
    try:
        export.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SemregError(f"cannot make the folder {export.output} ({error.strerror}): name another one") from None
    return export.output


def _write_json(path: Path, content: object) -> Path:
    with atomic_write(path) as file:
        json.dump(content, file, ensure_ascii=False)
        file.write("\n")
    return path
