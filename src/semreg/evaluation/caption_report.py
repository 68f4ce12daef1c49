"""All that is said about a model's captions at once: the metrics, METEOR where it can be had, how varied they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from semreg.errors import SemregError
from semreg.evaluation.captioning import CaptionScores, scores_of, tokens_of
from semreg.evaluation.meteor import meteor
from semreg.evaluation.variety import Diversity, diversity


@dataclass(frozen=True)
class CaptionReport:
    """All that is said about a model's captions.

    Attributes:
        scores: the metrics; METEOR among them where it was wanted and could be had.
        variety: how varied the captions are.
        notes: sentences for whoever reads the figures: a metric that is missing and why, the alarm.
    """

    scores: CaptionScores
    variety: Diversity
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The corpus figures by their usual names, for JSON."""
        return {
            **self.scores.corpus,
            "distinct": self.variety.distinct,
            "vocabulary": self.variety.vocabulary,
            "mean length": self.variety.mean_length,
            "empty": self.variety.empty,
            "never ended": self.variety.never_ended,
            "seen in training": self.variety.seen,
            "commonest": self.variety.commonest,
            "commonest share": self.variety.commonest_share,
            "alarm": self.variety.alarm,
        }


def caption_report(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    training: Iterable[str] | None = None,
    ended: Sequence[bool] | None = None,
    with_meteor: bool = False,
) -> CaptionReport:
    """Score captions and say how varied they are.

    Args:
        predictions: N sentences, one a picture.
        references: for each of the N pictures one or more sentences.
        training: the captions that the model was trained on, if at hand.
        ended: for each prediction whether the model put a stop behind it, if known.
        with_meteor: also METEOR, which needs Java and takes about a minute for 5,000 pictures; where it cannot be
            had, a note says why.

    Raises:
        SemregError: as `caption_scores` and `diversity`.
    """
    candidates, truth = tokens_of(predictions, references)
    scores, notes = scores_of(candidates, truth), []
    if with_meteor:
        try:
            corpus, each = meteor(candidates, truth)
            scores = CaptionScores({**scores.corpus, "METEOR": corpus}, {**scores.per_picture, "METEOR": each})
        except SemregError as error:
            notes.append(str(error))
    variety = diversity(predictions, training, ended)
    if variety.alarm:
        notes.append(variety.alarm)
    return CaptionReport(scores, variety, tuple(notes))
