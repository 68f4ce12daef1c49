"""How tags and captions are searched for unless somebody asks for something else."""

from __future__ import annotations

from semreg.decoding.constraints import Constraints
from semreg.decoding.required import Alternatives, Phrase
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
    prefix: tuple[int, ...] = (),
    required: tuple[Alternatives, ...] = (),
    forbidden: tuple[Phrase, ...] = (),
) -> Search:
    """The search for one form of annotation.

    Args:
        form: "tags": no label twice, as many as the model wants. "caption": no three words in a row twice, and no
            sentence that breaks off.
        max_length: tokens at most.
        never: tokens that are never produced.
        beams: M.
        n_best: sequences for each picture.
        min_length: tokens at least.
        no_repeat_ngram: for captions; 0 switches it off.
        once: for captions: tokens that may occur once only, such as the words that name a concept; but those of a
            required phrase of several words may come again, or the phrase could be out of reach.
        prefix: tokens that the sequence begins with.
        required: what it contains: for each thing the phrases of which one suffices.
        forbidden: phrases, also of one token, that it does not contain.
    """
    tags = form == "tags"
    needed = {token for phrases in required for phrase in phrases if len(phrase) > 1 for token in phrase}
    constraints = Constraints(
        min_length=min_length,
        max_length=max_length,
        forbidden=(*never, *(phrase[0] for phrase in forbidden if len(phrase) == 1)),
        forbidden_phrases=tuple(phrase for phrase in forbidden if len(phrase) > 1),
        prefix=prefix,
        required=required,
        no_repeat=tags,
        no_repeat_ngram=0 if tags else no_repeat_ngram,
        once=() if tags else tuple(token for token in once if token not in needed),
    )
    return Search(
        beams=beams, n_best=n_best, length_penalty=0.0 if tags else 1.0, whole=not tags, constraints=constraints
    )
