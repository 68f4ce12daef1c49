"""Label Studio's words for an annotation: a prediction with choices and a text, and the configuration that shows it.

The forms are those of its guides "Import pre-annotated data" and "Label Studio JSON format".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from semreg.annotation import Annotation, rounded

LOCAL_FILES = "/data/local-files/?d="  # where Label Studio serves files of its own disk


def choices(
    annotation: Annotation, control: str, image: str, names: Mapping[str, str] | None = None, *, single: bool = False
) -> dict[str, Any]:
    """The tags as ticked choices.

    Args:
        annotation: with tags.
        control: name of the Choices tag in the labelling configuration.
        image: name of its Image tag.
        names: for each label its choice in the configuration; labels that have none are left out. None takes all.
        single: tick only the most probable one.
    """
    told = [tag for tag in annotation.tags if names is None or tag.label in names][: 1 if single else None]
    ticked = [tag.label if names is None else names[tag.label] for tag in told]
    return _result(control, image, "choices", ticked, _mean(tag.score for tag in told))


def taxonomy(annotation: Annotation, control: str, image: str, paths: Mapping[str, list[str]]) -> dict[str, Any]:
    """The tags as places in a taxonomy.

    Args:
        annotation: with tags.
        control: name of the Taxonomy tag.
        image: name of the Image tag.
        paths: for each label the way to it from the top.
    """
    told = [tag for tag in annotation.tags if tag.label in paths]
    return _result(control, image, "taxonomy", [paths[tag.label] for tag in told], _mean(tag.score for tag in told))


def text_area(annotation: Annotation, control: str, image: str) -> dict[str, Any]:
    """The caption as the content of a text area; its score is the mean probability of its words."""
    caption = annotation.caption
    result = _result(control, image, "textarea", [], probability(caption.score) if caption else None)
    return result | {"value": {"text": [caption.text] if caption else []}}


def prediction(annotation: Annotation, result: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A whole prediction; empty results are left out, and its score is their mean, 0 where there is none."""
    told = [part for part in result if any(part["value"].values())]
    score = _mean(part["score"] for part in told)
    return {"model_version": annotation.model, "score": rounded(score or 0.0), "result": told}


def task(annotation: Annotation, prefix: str = LOCAL_FILES) -> dict[str, Any]:
    """A task with its prediction, for a configuration as `configuration` writes it.

    Args:
        annotation: of a picture with a file name.
        prefix: what stands before the file name in the picture's address.
    """
    result = [choices(annotation, "tags", "image"), text_area(annotation, "caption", "image")]
    address = prefix + quote(annotation.file_name or "", errors="surrogateescape")
    return {"data": {"image": address}, "predictions": [prediction(annotation, result)]}


def configuration(labels: Iterable[str]) -> str:
    """A labelling configuration with a picture, a choice for each label, and a text area for the caption."""
    items = "\n".join(f"    <Choice value={quoteattr(label)}/>" for label in labels)
    return f"""<View>
  <Image name="image" value="$image"/>
  <Choices name="tags" toName="image" choice="multiple" showInline="true">
{items}
  </Choices>
  <TextArea name="caption" toName="image" rows="2" maxSubmissions="1" editable="true"/>
</View>
"""


def probability(log: float) -> float:
    """From a mean log-probability to 0..1."""
    return math.exp(min(log, 0.0))


def _result(control: str, image: str, kind: str, content: list[Any], score: float | None) -> dict[str, Any]:
    result = {"from_name": control, "to_name": image, "type": kind, "value": {kind: content}}
    return result | {"score": rounded(score or 0.0)}


def _mean(scores: Iterable[float]) -> float | None:
    found = list(scores)
    return sum(found) / len(found) if found else None
