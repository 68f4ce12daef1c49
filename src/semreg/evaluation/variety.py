"""What no metric against references shows: captions that are all alike, break off, or come from the training set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from semreg.errors import SemregError
from semreg.evaluation.tokenizer import tokenize

# A caption that ends in one of these has not come to its end: "a man riding a".
_DANGLING = frozenset(
    ("a", "an", "the", "his", "her", "its", "their", "of", "in", "on", "at", "to", "with", "by", "for")
)
_DANGLING |= {"from", "into", "onto", "near", "between", "is", "are", "was", "were", "and", "or", "that", "while", "as"}
_TAKEN_OVER = 0.1  # share of all captions from which the commonest one raises the alarm


@dataclass(frozen=True)
class Diversity:
    """How varied a set of captions is.

    Attributes:
        captions: number of captions.
        distinct: number of different captions, compared by their tokens.
        vocabulary: number of different words used.
        mean_length: words per caption.
        commonest: the caption that occurs most often (the first of them where several do), its tokens joined.
        commonest_share: its share of all captions, 0..1.
        empty: number of captions without a word.
        never_ended: share of captions that break off, 0..1: those that reached the length limit where that is
            known, else those that end in a word like "a", "with" or "and".
        seen: share of captions that stand word for word among the training captions, 0..1; None where these were
            not given.
    """

    captions: int
    distinct: int
    vocabulary: int
    mean_length: float
    commonest: str
    commonest_share: float
    empty: int
    never_ended: float
    seen: float | None

    @property
    def alarm(self) -> str | None:
        """A sentence where one caption takes over: told of all, or of 3 or more that make a tenth of them."""
        times = round(self.commonest_share * self.captions)
        told = f"the caption {self.commonest!r}" if self.commonest else "an empty caption"
        if self.distinct == 1 and self.captions > 1:
            return f"the same caption for every picture: all {self.captions} have {told}"
        if times >= 3 and self.commonest_share >= _TAKEN_OVER:
            return f"one caption takes over: {times} of {self.captions} pictures have {told}"
        return None


def diversity(
    predictions: Sequence[str], training: Iterable[str] | None = None, ended: Sequence[bool] | None = None
) -> Diversity:
    """How many different captions and words a model uses: one that always says the same fails here first.

    Args:
        predictions: the captions.
        training: the captions that the model was trained on, if at hand.
        ended: for each caption whether the model put a stop behind it, if known.

    Raises:
        SemregError: no caption, a plain string instead of a list, or `ended` of another length.
    """
    captions = [tuple(tokenize(caption)) for caption in sentences(predictions, "predictions")]
    if not captions:
        raise SemregError("diversity needs at least one caption, got 0: pass the captions of a model")
    if ended is not None and len(ended) != len(captions):
        raise SemregError(f"ended must say so of each of the {len(captions)} captions, says it of {len(ended)}")
    stopped = ended if ended is not None else [not words or words[-1] not in _DANGLING for words in captions]
    known = None if training is None else {tuple(tokenize(caption)) for caption in sentences(training, "training")}
    commonest, times = (counts := Counter(captions)).most_common(1)[0]
    return Diversity(
        captions=len(captions),
        distinct=len(counts),
        vocabulary=len({word for caption in counts for word in caption}),
        mean_length=sum(map(len, captions)) / len(captions),
        commonest=" ".join(commonest),
        commonest_share=times / len(captions),
        empty=counts[()],
        never_ended=sum(not stop for stop in stopped) / len(captions),
        seen=None if known is None else sum(caption in known for caption in captions) / len(captions),
    )


def sentences(captions: Iterable[str], name: str) -> Iterable[str]:
    """The captions themselves; raises SemregError for a string where a list is due."""
    if isinstance(captions, str):
        raise SemregError(f"{name} must be a list of captions, is the string {captions!r}: put it in a list")
    return captions
