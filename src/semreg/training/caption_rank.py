"""What chooses among the captions that the search finds, set on the validation pictures: agreement, and caution."""

from __future__ import annotations

import torch
from torch import Tensor

from semreg.data.vocabulary import NEVER_PRODUCED, PADDING, START, STOP
from semreg.decoding import all_there, beam_search, search_for
from semreg.evaluation import CiderD, tokenize
from semreg.model.cnn_rnn import CnnRnn
from semreg.model.interfaces import Encoding
from semreg.model_folder import ModelConfig
from semreg.training.setting import Setting
from semreg.training.validation import BATCH, slice_encoding

WEIGHTS = (0.0, 0.3, 1.0, 3.0, 10.0)
CAUTIONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
COST = 0.03  # share of the best CIDEr-D that captions may lose for being true more often


@torch.no_grad()
def choose_rank(model: CnnRnn, config: ModelConfig, seen: Encoding, setting: Setting) -> ModelConfig:
    """How much agreement with the captions of others, and caution, count beside the decoder's own probability.

    CIDEr-D rewards what people are likely to say; only caution asks whether it is so. So the most cautious are taken of
    the captions that lose little of the best CIDEr-D, and of these the best.

    Args:
        model: with its final weights.
        config: of the model; says how wide the search is.
        seen: the validation pictures' encodings.
        setting: of the run.

    Returns:
        The configuration with the weights chosen, or given by the recipe.
    """
    recipe = setting.recipe
    if "caption" not in config.decoders:
        return config
    weights: tuple[float, ...] = (0.0,)
    if recipe.consensus is not None:
        weights = WEIGHTS if recipe.consensus.weight is None else (recipe.consensus.weight,)
    cautions = CAUTIONS if recipe.captions.caution is None else (recipe.captions.caution,)
    if len(weights) > 1 or len(cautions) > 1:
        found = _scores(model, config, seen, setting, weights, cautions)
        best = max(found.values())
        good = [choice for choice, score in found.items() if score >= (1 - COST) * best]
        weight, caution = max(good, key=lambda choice: (choice[1], found[choice]))
        figures = {"metric": found[weight, caution], "best": best, "alone": found.get((0.0, 0.0))}
        setting.log.event("rank", weight=weight, caution=caution, **figures)
        setting.log.say(
            f"captions of others count {weight:g}, caution {caution:g}: CIDEr-D {found[weight, caution]:.4f}, "
            f"at best {best:.4f}"
        )
    else:
        (weight,), (caution,) = weights, cautions
    changes: dict[str, object] = {"caution": caution}
    if config.consensus is not None:
        changes["consensus"] = config.consensus.model_copy(update={"weight": weight})
    return config.model_copy(update=changes)


def _scores(
    model: CnnRnn,
    config: ModelConfig,
    seen: Encoding,
    setting: Setting,
    weights: tuple[float, ...],
    cautions: tuple[float, ...],
) -> dict[tuple[float, float], float]:
    """CIDEr-D on the validation pictures for every choice of weight and caution."""
    captions = setting.validation.captions
    rows = [row for row, told in enumerate(captions) if told]
    judge = CiderD([[tokenize(text) for text in captions[row]] for row in rows])
    place = {row: number for number, row in enumerate(rows)}
    vocabulary, of_token = config.vocabulary("caption"), config.concept_of_token("caption").to(setting.device)
    search = search_for(
        "caption",
        max_length=config.decoders["caption"].max_length,
        never=NEVER_PRODUCED,
        beams=config.beams,
        n_best=config.beams,
        once=tuple((of_token >= 0).nonzero()[:, 0].tolist()),
    )
    totals = {(weight, caution): 0.0 for weight in weights for caution in cautions}
    for first in range(0, len(seen.concepts), BATCH):
        part = slice_encoding(seen, first, first + BATCH)
        several = beam_search(model.decoder("caption"), part, search, start=START, stop=STOP, padding=PADDING)
        told = [
            (row, number, tokens)
            for row, hypotheses in enumerate(several.lists())
            for number, tokens in enumerate(hypotheses)
            if first + row in place
        ]
        scores = judge.score([vocabulary.text(tokens) for *_, tokens in told], [place[first + row] for row, *_ in told])
        each = torch.zeros_like(several.scores)
        for (row, number, _), score in zip(told, scores, strict=True):
            each[row, number] = float(score)
        agreed = 0.0 if model.consensus is None else model.consensus(part.concepts, several.tokens)
        sure = all_there(part.concepts, several.tokens, of_token)
        for weight, caution in totals:
            bonus: Tensor = weight * agreed + caution * sure
            totals[weight, caution] += float(each.gather(1, several.order(bonus)[:, :1]).sum())
    return {choice: total / max(1, len(rows)) for choice, total in totals.items()}
