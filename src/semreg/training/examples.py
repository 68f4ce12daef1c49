"""A data set in numbers: which concepts each picture has, and the token paths of its tags and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from semreg.data.concepts import Concepts
from semreg.data.label_order import LabelOrder
from semreg.data.records import Record
from semreg.data.vocabulary import PADDING, Vocabulary, words_of


@dataclass(frozen=True)
class Examples:
    """The pictures of one split.

    Attributes:
        paths: where the N pictures lie.
        truth: s, (N, K), 0 or 1.
        tokens: for each form, for each picture its true paths, from the start to the stop token: one for tags, as
            many as there are captions otherwise.
        captions: the references of each picture, as written.
        labels: (N, L) which labels of the tag decoder's vocabulary each picture has; None without tags.
    """

    paths: list[Path]
    truth: Tensor
    tokens: dict[str, list[list[list[int]]]]
    captions: list[tuple[str, ...]]
    labels: Tensor | None

    def __len__(self) -> int:
        return len(self.paths)

    def part(self, rows: Sequence[int]) -> Examples:
        """Some of the pictures."""
        return Examples(
            [self.paths[row] for row in rows],
            self.truth[list(rows)],
            {form: [paths[row] for row in rows] for form, paths in self.tokens.items()},
            [self.captions[row] for row in rows],
            None if self.labels is None else self.labels[list(rows)],
        )

    def pairs(self, forms: Sequence[str]) -> list[tuple[int, int]]:
        """(picture, caption) for every caption, and (picture, 0) where there is none or only tags are wanted."""
        several = self.tokens["caption"] if "caption" in forms and "caption" in self.tokens else None
        return [
            (picture, number)
            for picture in range(len(self))
            for number in range(max(1, len(several[picture])) if several else 1)
        ]

    def batch(self, form: str, pairs: Sequence[tuple[int, int]]) -> Tensor:
        """The paths of `form` for some pairs, padded to the longest: (B, T); a picture without one is all padding."""
        paths = self.tokens[form]
        rows = [paths[i][n % len(paths[i])] if paths[i] else [PADDING, PADDING] for i, n in pairs]
        return padded(rows, PADDING)


def padded(rows: Sequence[Sequence[int]], padding: int) -> Tensor:
    """Token lists as one table, filled up to the longest: (B, T)."""
    length = max(len(row) for row in rows)
    return torch.tensor([[*row, *[padding] * (length - len(row))] for row in rows])


def multi_hot(rows: Sequence[Sequence[int]], size: int) -> Tensor:
    """Lists of places as a table of 0 and 1: (N, size)."""
    table = torch.zeros(len(rows), size)
    for row, places in enumerate(rows):
        table[row, list(places)] = 1
    return table


def tag_labels(record: Record, concepts: Concepts, source: str) -> list[str]:
    """What a tag decoder may write of a picture: its labels, or all its concepts."""
    if source == "labels":
        return list(record.tags)
    return [concepts.names[index] for index in concepts.find(record.tags, record.captions)]


def to_examples(
    records: Sequence[Record],
    concepts: Concepts,
    vocabularies: dict[str, Vocabulary],
    order: LabelOrder | None,
    *,
    tag_source: str = "labels",
    max_words: int = 20,
) -> Examples:
    """Turn records into numbers.

    Args:
        records: pictures of one split.
        concepts: the concept vocabulary.
        vocabularies: of each form that is wanted.
        order: of the labels; needed for tags.
        tag_source: "labels" or "concepts".
        max_words: longer captions are cut.
    """
    truth = multi_hot([concepts.find(record.tags, record.captions) for record in records], len(concepts))
    tokens: dict[str, list[list[list[int]]]] = {form: [] for form in vocabularies}
    labels = torch.zeros(len(records), len(vocabularies["tags"].words)) if "tags" in vocabularies else None
    for row, record in enumerate(records):
        if "tags" in vocabularies and order is not None and labels is not None:
            path = vocabularies["tags"].path(order.sort(tag_labels(record, concepts, tag_source)))
            labels[row, [token - 4 for token in path[1:-1]]] = 1
            tokens["tags"].append([path])
        if "caption" in vocabularies:
            sentences = [words_of(caption)[:max_words] for caption in record.captions]
            tokens["caption"].append([vocabularies["caption"].path(words) for words in sentences if words])
    return Examples([r.path for r in records], truth, tokens, [r.captions for r in records], labels)
