"""The JSON forms of requests and answers: checked on the way in, documented at /docs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from semreg.annotation import Annotation
from semreg.options import Options

Probability = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
MAX_BEAMS, MAX_CAPTIONS = 20, 20


class TagForm(BaseModel):
    """A label that applies, with its probability."""

    label: str
    score: float


class CaptionForm(BaseModel):
    """A sentence, with the mean log-probability of its tokens."""

    text: str
    score: float


class ConceptForm(BaseModel):
    """A named concept, with its probability."""

    concept: str
    score: float


class AnnotationForm(BaseModel):
    """What the model says of a picture. Of what is sent back, only this form's own entries count."""

    model_config = ConfigDict(extra="ignore")

    file_name: Annotated[str, Field(max_length=4096)] | None = None
    tags: Annotated[list[TagForm], Field(max_length=10_000)] = []
    caption: CaptionForm | None = None
    captions: Annotated[list[CaptionForm], Field(max_length=100)] = []
    concepts: Annotated[list[ConceptForm], Field(max_length=10_000)] = []
    model: str = ""
    error: str | None = None
    concept_scores: Annotated[list[float], Field(max_length=10_000)] = []
    steered: Annotated[list[ConceptForm], Field(max_length=10_000)] = []

    def annotation(self) -> Annotation:
        """The same as the library has it."""
        return Annotation.from_dict(self.model_dump())


class ManyForm(BaseModel):
    """What the model says of several pictures, in their order."""

    annotations: list[AnnotationForm]


class HowForm(BaseModel):
    """How to annotate; what is left out is the model's own."""

    model_config = ConfigDict(extra="forbid")

    beam: Annotated[int | None, Field(ge=1, le=MAX_BEAMS, description="width of the search; 1 is greedy")] = None
    captions: Annotated[int, Field(ge=1, le=MAX_CAPTIONS, description="captions, best first")] = 1
    min_score: Annotated[float | None, Field(ge=0, le=1, description="probability from which a tag is told")] = None
    max_tags: Annotated[int | None, Field(ge=0, le=1000, description="tags at most; without it all")] = None

    def options(self, must: list[str] | None = None, never: list[str] | None = None) -> Options:
        """The same as the library has it."""
        return Options(
            beams=None if self.beam is None else max(self.beam, self.captions),
            n_best=self.captions,
            min_score=self.min_score,
            max_tags=self.max_tags,
            must=tuple(must or ()),
            never=tuple(never or ()),
        )


class SteerForm(HowForm):
    """An annotation and what a person changed in it."""

    annotation: AnnotationForm
    concepts: Annotated[dict[str, Probability | None], Field(max_length=1000)] = Field(
        default={}, description="1 is there, 0 is not; null takes back what was set"
    )
    must: Annotated[list[Word], Field(max_length=8)] = Field(default=[], description="words that the caption holds")
    never: Annotated[list[Word], Field(max_length=64)] = Field(default=[], description="words that it does not")


class CompleteForm(HowForm):
    """An annotation and the tags that a person gave already."""

    annotation: AnnotationForm
    tags: Annotated[list[Word], Field(max_length=64)]


class ExplainForm(BaseModel):
    """An annotation to be explained, or written otherwise."""

    model_config = ConfigDict(extra="forbid")

    annotation: AnnotationForm


class ServerForm(BaseModel):
    """What this server serves, and what it accepts."""

    model: str
    concepts: list[str]
    thresholds: Annotated[list[float], Field(description="the probability from which each concept counts as seen")]
    labels: list[str]
    forms: list[str]
    corrections: bool
    max_bytes: int
    max_pixels: int
    max_pictures: int


class CorrectionForm(BaseModel):
    """What a person says of a picture."""

    model_config = ConfigDict(extra="forbid")

    tags: Annotated[list[Word], Field(max_length=200)]
    caption: Annotated[str, Field(max_length=2000)] = ""


class KeptForm(BaseModel):
    """Where a correction was kept."""

    file_name: str
    corrections: int
