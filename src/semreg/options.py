"""How to annotate: what people may choose, checked when it is said."""

from __future__ import annotations

from dataclasses import dataclass

from semreg.errors import SemregError


@dataclass(frozen=True)
class Options:
    """How to annotate.

    Attributes:
        beams: width of the beam search, for tags and captions; 1 is greedy; None takes the model's own, which may be
            wider for captions, and no less than `n_best`.
        n_best: captions for each picture, at most `beams`.
        min_score: probability from which a tag is told; None takes the model's own threshold.
        max_tags: tags at most, the most probable; None tells all.
        batch_size: pictures that go through the model together.
        must: words that the caption, and labels that the tags, hold for certain, in any of their forms.
        never: words and labels that they do not hold, in none of their forms.
        emphasis: what a concept that a person sets to 1 counts as; 1 is no more than the CNN's own certainty.
    """

    beams: int | None = None
    n_best: int = 1
    min_score: float | None = None
    max_tags: int | None = None
    batch_size: int = 16
    must: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    emphasis: float = 1.75

    def __post_init__(self) -> None:
        if self.min_score is not None and not 0 <= self.min_score <= 1:
            raise SemregError(f"min_score must lie in 0..1, is {self.min_score}: 0.5 is even odds")
        if self.max_tags is not None and self.max_tags < 0:
            raise SemregError(f"max_tags must be 0 or more, is {self.max_tags}: leave it out for all tags")
        if self.batch_size < 1:
            raise SemregError(f"batch_size must be at least 1, is {self.batch_size}: 16 is usual")
        if not 1 <= self.emphasis <= 10:
            raise SemregError(f"emphasis must lie in 1..10, is {self.emphasis}: 1.75 is usual")
        for name in ("must", "never"):
            words = getattr(self, name)
            if isinstance(words, str) or not all(isinstance(word, str) and word.strip() for word in words):
                raise SemregError(f"{name} must be a list of words, is {str(words)[:60]!r}")
            object.__setattr__(self, name, tuple(words))
