"""What is imagined for a caption has the caption's concepts, and otherwise what the CNN sees in like pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.model.interfaces import Encoding
from semreg.training.imagination import LIKE, UNSEEN, Imagination

DOG, CAT, GRASS, RED = range(4)


def encoding(rows: list[list[float]]) -> Encoding:
    """Of pictures with these probabilities; the feature is the picture's number."""
    concepts = torch.tensor(rows)
    return Encoding(torch.arange(len(rows)).float()[:, None], concepts.logit(), concepts)


def table(*rows: set[int]) -> Tensor:
    return torch.tensor([[float(k in row) for k in range(4)] for row in rows])


def imagination(named: Tensor, truth: Tensor, seen: Encoding, mentioned: Tensor | None = None) -> Imagination:
    return Imagination(named, truth, truth if mentioned is None else mentioned, [seen])


def test_a_caption_borrows_from_the_pictures_that_have_most_of_its_concepts() -> None:
    truth = table({DOG, GRASS}, {CAT}, {DOG}, {DOG, GRASS, RED}, {CAT, GRASS})
    seen = encoding([[0.9 if k else 0.02 for k in row] for row in truth.tolist()])
    found = imagination(table({DOG, GRASS}, {CAT}), truth, seen)
    assert found.like[:, 0].tolist() == [0, 1]
    assert found.like.shape == (2, LIKE)
    assert set(found.see([1, 1, 1, 0]).features[:3, 0].tolist()) <= set(map(float, found.like[1].tolist()))


def test_what_the_borrowed_picture_lacks_is_put_in_as_the_cnn_sees_it_elsewhere() -> None:
    truth = table({DOG}, {RED}, {DOG})
    seen = encoding([[0.9, 0.01, 0.2, 0.02], [0.02, 0.01, 0.2, 0.7], [0.8, 0.01, 0.2, 0.03]])
    found = imagination(table({DOG, RED}), truth, seen)
    told = found.see([0] * 60).concepts
    assert torch.allclose(told[:, RED], torch.tensor(0.7))  # of the only picture that has it
    assert (told[:, DOG] >= UNSEEN).all() and len(told[:, DOG].unique()) > 1
    assert torch.allclose(told[:, GRASS], torch.tensor(0.2))  # of which nobody speaks: as it was seen


def test_what_only_the_pictures_own_captions_name_goes_out_and_labels_stay() -> None:
    truth = table({DOG, RED}, {CAT}, {CAT}, {CAT}, {CAT})
    mentioned = table({DOG}, {CAT}, {CAT}, {CAT}, {CAT})  # "red" is a label of the first picture
    others = [[0.03, 0.9, 0.2, 0.01]] * 4
    found = Imagination(table({GRASS}), truth, mentioned, [encoding([[0.9, 0.01, 0.4, 0.8], *others])])
    found.like = torch.zeros(1, 1, dtype=torch.long)
    told = found.see([0] * 50)
    assert (told.concepts[:, RED] == 0.8).all() or torch.allclose(told.concepts[:, RED], torch.tensor(0.8))
    assert (told.concepts[:, DOG] < 0.1).float().mean() > 0.6  # as in a picture at random
    assert torch.allclose(told.concepts, told.logits.sigmoid())


def test_a_concept_that_no_picture_has_leaves_things_as_they_are() -> None:
    truth = table({DOG}, {DOG})
    seen = encoding([[0.9, 0.01, 0.2, 0.02], [0.8, 0.01, 0.2, 0.02]])
    told = imagination(table({CAT}), truth, seen).see([0, 0])
    assert torch.allclose(told.concepts[:, CAT], torch.tensor(0.01))
