"""How tags and captions are searched for unless somebody asks for something else."""

from __future__ import annotations

from semreg.decoding.constraints import Constraints
from semreg.decoding.search import Search


def search_for(
    form: str,
    *,
    max_length: int,
    never: tuple[int, ...],
    beams: int = 3,
    n_best: int = 1,
    min_length: int = 0,
    no_repeat_ngram: int = 3,
    once: tuple[int, ...] = (),
) -> Search:
    """The search for one form of annotation.

    Args:
        form: "tags": no label twice, as many as the model wants. "caption": no three words in a row twice.
        max_length: tokens at most.
        never: tokens that are never produced.
        beams: M.
        n_best: sequences for each picture.
        min_length: tokens at least.
        no_repeat_ngram: for captions; 0 switches it off.
        once: for captions: tokens that may occur once only, such as the words that name a concept.
    """
    if form == "tags":
        constraints = Constraints(min_length=min_length, max_length=max_length, forbidden=never, no_repeat=True)
        return Search(beams=beams, n_best=n_best, length_penalty=0.0, constraints=constraints)
    constraints = Constraints(
        min_length=min_length,
        max_length=max_length,
        forbidden=never,
        no_repeat_ngram=no_repeat_ngram,
        once=once,
    )
    return Search(beams=beams, n_best=n_best, length_penalty=1.0, constraints=constraints)
