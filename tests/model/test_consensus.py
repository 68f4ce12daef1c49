"""The caption that agrees most with what people wrote of pictures in which the same is seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semreg.data.vocabulary import PADDING, SPECIAL
from semreg.evaluation.cider import Cider
from semreg.model.consensus import Consensus

N, K, C, T, WORDS = 30, 6, 2, 9, 14
FIRST = len(SPECIAL)


def some_captions(generator: torch.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    tokens = torch.randint(FIRST, WORDS, (*shape, T), generator=generator)
    lengths = torch.randint(1, T + 1, shape, generator=generator)
    return torch.where(torch.arange(T) < lengths[..., None], tokens, PADDING)


def words(row: torch.Tensor) -> list[int]:
    return [token for token in row.tolist() if token != PADDING]


@pytest.fixture
def consensus() -> Consensus:
    generator = torch.Generator().manual_seed(0)
    seen = torch.rand(N, K, generator=generator)
    made = Consensus(N, K, C, T, WORDS, PADDING, size=4, neighbours=N)
    captions = some_captions(generator, (N, C))
    captions[3, 1] = PADDING  # a picture with one caption
    made.remember(seen, captions)
    return made


def test_agreement_is_the_mean_cider_with_the_captions_of_all_neighbours(consensus: Consensus) -> None:
    generator = torch.Generator().manual_seed(1)
    candidates = some_captions(generator, (4, 3))
    candidates[0, 0] = consensus.captions[5, 0]  # one that a person wrote
    agreed = consensus(torch.rand(4, K, generator=generator), candidates)
    written = [words(row) for row in consensus.captions.flatten(0, 1) if words(row)]
    cider = Cider([[caption] for caption in written])  # one caption a document, as here
    for picture in range(4):
        for number in range(3):
            caption = words(candidates[picture, number])
            scores = cider.score([caption] * len(written), range(len(written)))
            assert float(agreed[picture, number]) * 10 == pytest.approx(float(np.mean(scores)), abs=0.02)


def test_only_those_who_see_the_same_are_asked() -> None:
    seen = torch.eye(K)[torch.arange(N) % K] * 0.9 + 0.05
    captions = torch.full((N, 1, T), PADDING)
    captions[:, 0, :3] = (FIRST + torch.arange(N) % K)[:, None]  # pictures of one concept have one caption
    made = Consensus(N, K, 1, T, WORDS, PADDING, size=K, neighbours=N // K)
    made.remember(seen, captions)
    candidates = captions[:K, 0][None].expand(K, -1, -1)
    agreed = made(seen[:K], candidates)
    assert torch.equal(agreed.argmax(1), torch.arange(K))
    torch.testing.assert_close(agreed, torch.eye(K) * 3 / 4)  # of runs of four there are none


def test_a_large_vocabulary_fits() -> None:
    words = 40_000
    large = Consensus(2, K, 1, 4, words, PADDING, size=2, neighbours=1)
    captions = torch.tensor([[[words - 1, words - 2, PADDING, PADDING]], [[5, 6, 7, PADDING]]])
    large.remember(torch.eye(K)[:2], captions)
    assert torch.equal(large.captions.long(), captions)
    agreed = large(torch.eye(K)[:2], captions.expand(2, 1, -1))
    assert (agreed > 0.4).all()  # each with his own; of runs of four, or of three, there are none


def test_saved_in_half_precision_it_says_nearly_the_same(consensus: Consensus) -> None:
    again = Consensus(N, K, C, T, WORDS, PADDING, size=4, neighbours=N)
    state = {n: v.half() if v.is_floating_point() else v for n, v in consensus.state_dict().items()}
    again.load_state_dict(state)
    generator = torch.Generator().manual_seed(2)
    seen, candidates = torch.rand(2, K, generator=generator), some_captions(generator, (2, 3))
    torch.testing.assert_close(again(seen, candidates), consensus(seen, candidates), atol=1e-3, rtol=1e-2)


def test_a_caption_of_unknown_words_agrees_with_nobody(consensus: Consensus) -> None:
    fresh = Consensus(N, K, C, T, WORDS + 5, PADDING, size=4, neighbours=N)
    fresh.remember(torch.rand(N, K), consensus.captions)
    candidates = torch.full((1, 2, T), PADDING)
    candidates[0, 0, :4] = WORDS + 2
    assert torch.equal(fresh(torch.rand(1, K), candidates), torch.zeros(1, 2))
