"""From numbers to the records that people read: tags, captions and concepts of B pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semreg.annotation import Caption, Concept, Tag
from semreg.data.vocabulary import Vocabulary
from semreg.decoding import Hypotheses

CONCEPT_FLOOR = 0.0001  # what is less rounds to nothing; without the small ones, steering from a list would be another


def tell_tags(
    scores: Tensor,
    labels: Sequence[str],
    floors: Tensor,
    *,
    certain: Sequence[Sequence[int]] = (),
    never: Sequence[int] = (),
    limit: int | None = None,
) -> list[tuple[Tag, ...]]:
    """The tags of each picture, the most probable first.

    Args:
        scores: (B, L) probabilities.
        labels: their names.
        floors: (L,) probability from which each is told.
        certain: labels that are told whatever their score; of several in a row the likeliest.
        never: labels that are not told.
        limit: tags at most, but never fewer than are certain.
    """
    scores = scores.float().cpu()
    sure = torch.zeros_like(scores, dtype=torch.bool)
    for row in certain:
        likeliest = scores[:, list(row)].argmax(1, keepdim=True)
        sure.scatter_(1, torch.tensor(list(row))[likeliest], True)
    told = (scores >= floors) | sure
    told[:, list(never)] = False
    rank = (scores + 2 * sure).masked_fill(~told, -1)  # those that are certain come before the limit does
    order = rank.argsort(dim=1, descending=True, stable=True)
    most = scores.shape[1] if limit is None else limit
    counts = torch.minimum(told.sum(1), sure.sum(1).clamp_min(most))
    rows = []
    for values, places, count in zip(scores.tolist(), order.tolist(), counts.tolist(), strict=True):
        chosen = sorted(places[:count], key=lambda place: (-values[place], place))
        rows.append(tuple(Tag(labels[place], values[place]) for place in chosen))
    return rows


def tell_captions(found: Hypotheses, vocabulary: Vocabulary) -> list[tuple[Caption, ...]]:
    """The captions of each picture, best first."""
    return [
        tuple(
            Caption(" ".join(vocabulary.text(tokens)), score) for tokens, score in zip(sequences, scores, strict=False)
        )
        for sequences, scores in zip(found.lists(), found.scores.tolist(), strict=True)
    ]


def tell_concepts(scores: Tensor, names: Sequence[str]) -> list[tuple[Concept, ...]]:
    """The concepts of each picture from `CONCEPT_FLOOR` on, the most probable first; `scores` are (B, K)."""
    values, places = scores.sort(dim=1, descending=True, stable=True)
    counts = (scores >= CONCEPT_FLOOR).sum(1).tolist()
    rows = zip(values.tolist(), places.tolist(), counts, strict=True)
    return [tuple(map(Concept, map(names.__getitem__, order[:n]), row[:n])) for row, order, n in rows]
