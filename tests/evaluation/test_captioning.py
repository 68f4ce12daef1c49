"""Caption metrics against pycocoevalcap's own classes, by hand, and at their edges."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from java_reference import by_picture, java_tokens, need_java, real_captions

from semreg.errors import SemregError
from semreg.evaluation import (
    Cider,
    CiderD,
    bleu,
    caption_report,
    caption_scores,
    cider,
    cider_d,
    diversity,
    rouge_l,
    tokenize,
)

words = st.lists(st.sampled_from(["a", "dog", "cat", "runs", "on", "the", "grass", "red"]), max_size=9)
some_words = words.filter(bool)
pictures = st.lists(st.tuples(words, st.lists(some_words, min_size=1, max_size=4)), min_size=1, max_size=6)


def as_coco(candidates: list[list[str]], references: list[list[list[str]]]):
    """What pycocoevalcap takes: truth and result, each a dict of lists of joined tokens."""
    truth = {i: [" ".join(tokens) for tokens in group] for i, group in enumerate(references)}
    return truth, {i: [" ".join(tokens)] for i, tokens in enumerate(candidates)}


def assert_equals_pycocoevalcap(candidates: list[list[str]], references: list[list[list[str]]]) -> None:
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider as TheirCider
    from pycocoevalcap.rouge.rouge import Rouge

    truth, result = as_coco(candidates, references)
    corpus, per_picture = bleu(candidates, references)
    their_corpus, their_pictures = Bleu().compute_score(truth, result, verbose=0)
    np.testing.assert_allclose(corpus, their_corpus, rtol=0, atol=1e-9)
    np.testing.assert_allclose(per_picture, np.transpose(their_pictures), rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        rouge_l(candidates, references), Rouge().compute_score(truth, result)[1], rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(
        cider_d(candidates, references), TheirCider().compute_score(truth, result)[1], rtol=0, atol=1e-9
    )


@settings(max_examples=150, deadline=None)
@given(pictures)
def test_equals_pycocoevalcap_on_random_captions(drawn: list[tuple[list[str], list[list[str]]]]) -> None:
    assert_equals_pycocoevalcap([candidate for candidate, _ in drawn], [group for _, group in drawn])


def predictions_and_references(count: int) -> tuple[list[str], list[list[str]]]:
    """One caption of each picture as prediction, a third of them another's; the rest as references."""
    chosen = by_picture(real_captions("coco/captions_val2017.json"))[:count]
    predictions = [group[0] for group in chosen]
    predictions[::3] = random.Random(0).sample(predictions[::3], len(predictions[::3]))
    return predictions, [group[1:] for group in chosen]


def test_equals_pycocoevalcap_on_real_captions() -> None:
    predictions, references = predictions_and_references(400)
    candidates = [tokenize(caption) for caption in predictions]
    truth = [[tokenize(caption) for caption in group] for group in references]
    assert_equals_pycocoevalcap(candidates, truth)
    scores = caption_scores(predictions, references)
    assert list(scores.corpus) == ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr", "CIDEr-D"]
    assert scores.corpus["CIDEr-D"] == pytest.approx(cider_d(candidates, truth).mean(), abs=1e-12)
    assert all(values.shape == (400,) for values in scores.per_picture.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["coco/captions_val2017.json", "flickr8k/Flickr8k.token.txt"])
def test_equals_pycocoevalcap_on_every_picture(name: str, tmp_path: Path) -> None:
    """The first caption against the others, from raw text: Java's tokens on their side, our own on ours."""
    need_java()
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider as TheirCider
    from pycocoevalcap.rouge.rouge import Rouge

    groups = by_picture(real_captions(name))
    captions = [caption for group in groups for caption in group]
    java = java_tokens(captions, tmp_path)
    same = [tokenize(caption) == tokens for caption, tokens in zip(captions, java, strict=True)]
    assert sum(same) >= 0.999 * len(captions)
    left = iter(java)
    tokens = [[next(left) for _ in group] for group in groups]
    candidates, references = [group[0] for group in tokens], [group[1:] for group in tokens]
    assert_equals_pycocoevalcap(candidates, references)  # to 1e-9, given equal tokens

    truth, result = as_coco(candidates, references)
    ours = caption_scores([group[0] for group in groups], [group[1:] for group in groups]).corpus
    bleus = Bleu().compute_score(truth, result, verbose=0)[0]
    theirs = {f"Bleu_{order}": value for order, value in enumerate(bleus, 1)}
    theirs |= {
        "ROUGE_L": Rouge().compute_score(truth, result)[0],
        "CIDEr-D": TheirCider().compute_score(truth, result)[0],
    }
    for metric, value in theirs.items():
        assert ours[metric] == pytest.approx(value, abs=1e-4), metric


def test_cider_by_hand() -> None:
    """Two pictures with a word of their own each: idf log 2 for "dog" and "cat", 0 for "a"."""
    references = [[["a", "dog"]], [["a", "cat"]]]
    # 1-grams: (0, 2 log 2) and (0, log 2) are parallel; 2-grams: one of two is shared; no longer ones.
    plain = 10 / 4 * (1 + 1 / math.sqrt(2))
    assert cider([["dog", "dog"], []], references)[0] == pytest.approx(10 / 4)
    assert cider([["a", "dog", "dog"], []], references)[0] == pytest.approx(plain)
    # Clipped, "dog" counts once: half the cosine; the length penalty is of one word.
    clipped = 10 / 4 * (1 / 2 + 1 / math.sqrt(2)) * math.exp(-1 / 72)
    assert cider_d([["a", "dog", "dog"], []], references)[0] == pytest.approx(clipped)


def test_cider_without_repetition_and_at_equal_length_is_cider_d() -> None:
    candidates = [["a", "red", "dog"], ["the", "cat", "runs"]]
    references = [[["a", "dog", "runs"]], [["the", "cat", "sleeps"], ["one", "grey", "cat"]]]
    np.testing.assert_allclose(cider(candidates, references), cider_d(candidates, references))


@pytest.mark.parametrize("metric", [Cider, CiderD])
def test_one_reward_object_scores_any_pictures_in_any_order(metric: type[Cider]) -> None:
    references = [[["a", "dog"], ["one", "dog", "runs"]], [["a", "cat"]], [["the", "red", "car"]]]
    candidates = [["a", "dog"], ["a", "cat"], ["a", "car"]]
    reward = metric(references)
    whole = reward.score(candidates)
    np.testing.assert_array_equal(whole, reward.score(candidates))
    order = [2, 0, 2, 1]
    np.testing.assert_array_equal(reward.score([candidates[i] for i in order], order), whole[order])
    assert reward.score([], []).shape == (0,)


def test_word_numbers_score_as_words() -> None:
    number = {"a": 5, "dog": 1, "cat": 2, "runs": 3}
    candidates = [["a", "dog"], ["a", "cat"]]
    references = [[["a", "dog", "runs"]], [["a", "cat", "runs"]]]
    as_numbers = [[[number[word] for word in tokens] for tokens in group] for group in references]
    given_numbers = [[number[word] for word in tokens] for tokens in candidates]
    np.testing.assert_array_equal(cider_d(given_numbers, as_numbers), cider_d(candidates, references))
    np.testing.assert_array_equal(rouge_l(given_numbers, as_numbers), rouge_l(candidates, references))


def test_perfect_captions() -> None:
    captions = [
        "A man rides a brown horse.",
        "Two dogs play on green grass",
        "One red car stands outside today",
    ]
    corpus = caption_scores(captions, [[caption] for caption in captions]).corpus
    assert corpus["Bleu_4"] == pytest.approx(1, abs=1e-6)
    assert corpus["ROUGE_L"] == pytest.approx(1)
    assert corpus["CIDEr"] == corpus["CIDEr-D"] == pytest.approx(10)


def test_an_empty_caption_scores_zero() -> None:
    scores = caption_scores(["", "a dog"], [["a red car"], ["a dog", "a dog runs"]])
    assert all(values[0] == pytest.approx(0, abs=1e-9) for values in scores.per_picture.values())
    assert scores.per_picture["ROUGE_L"][1] == pytest.approx(1)


def test_a_caption_of_punctuation_is_empty() -> None:
    assert caption_scores(["..."], [["a dog"]]).corpus["Bleu_1"] == pytest.approx(0, abs=1e-9)


def test_one_picture_has_no_document_frequencies() -> None:
    corpus = caption_scores(["a dog"], [["a dog"]]).corpus
    assert corpus["CIDEr"] == corpus["CIDEr-D"] == 0
    assert corpus["Bleu_1"] == pytest.approx(1)


def test_empty_references_are_scored_as_the_coco_evaluation_does() -> None:
    assert_equals_pycocoevalcap([["a"], []], [[[]], [["a"], []]])


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([], [], "at least one picture, got 0: pass predictions and references"),
        (["a"], [["a"], ["b"]], "there are 1 predictions for 2 pictures: give both lists"),
        (["a", "b"], [["a"], []], "picture 1 has none: leave it out"),
        ("a dog", [["a dog"]], "predictions must be a list of captions, is the string 'a dog'"),
        (["a dog"], ["a dog"], r"references\[0\] must be a list of captions, is the string 'a dog'"),
    ],
)
def test_meaningless_input_is_refused(predictions, references, message: str) -> None:
    with pytest.raises(SemregError, match=message):
        caption_scores(predictions, references)


def test_rewards_refuse_what_they_cannot_score() -> None:
    with pytest.raises(SemregError, match="sigma must be above 0, is 0"):
        CiderD([[["a"]]], sigma=0)
    with pytest.raises(SemregError, match=r"must lie in 0\.\.0, is 3: number the pictures"):
        CiderD([[["a"]]]).score([["a"]], [3])
    with pytest.raises(SemregError, match="2 candidates for 1 pictures: give as many"):
        CiderD([[["a"]]]).score([["a"], ["b"]])


def test_diversity() -> None:
    found = diversity(["A dog runs.", "a dog runs", "a cat", "two red cars stand"])
    assert (found.captions, found.distinct, found.vocabulary) == (4, 3, 8)
    assert found.mean_length == 3
    assert (found.commonest, found.commonest_share) == ("a dog runs", 0.5)
    assert (found.empty, found.never_ended, found.seen, found.alarm) == (0, 0, None, None)


def test_captions_that_break_off_or_come_from_training() -> None:
    told = ["a man riding a", "a dog runs", "", "two dogs and"]
    found = diversity(told, training=["A dog, runs.", "a cat"])
    assert (found.empty, found.never_ended, found.seen) == (1, 0.5, 0.25)
    assert diversity(told, ended=[True, True, True, False]).never_ended == 0.25  # the model knows better
    with pytest.raises(SemregError, match="ended must say so of each of the 4 captions, says it of 1"):
        diversity(told, ended=[True])


@pytest.mark.parametrize(
    ("captions", "alarm"),
    [
        (["a dog"] * 5, "the same caption for every picture: all 5 have the caption 'a dog'"),
        (["A dog.", "a dog"], "the same caption for every picture: all 2 have the caption 'a dog'"),
        (["", ""], "the same caption for every picture: all 2 have an empty caption"),
        (["a dog"] * 3 + [f"a {n}" for n in range(27)], "one caption takes over: 3 of 30 pictures have"),
        (["a dog"] * 3 + [f"a {n}" for n in range(28)], None),
        (["a dog"] * 2 + ["a cat"], None),
        (["a dog"], None),
    ],
)
def test_a_caption_that_takes_over_raises_the_alarm(captions: list[str], alarm: str | None) -> None:
    found = diversity(captions).alarm
    assert found is None if alarm is None else found is not None and found.startswith(alarm)
    notes = caption_report(captions, [["a dog runs"]] * len(captions)).notes
    assert notes == (() if found is None else (found,))


def test_a_report_holds_scores_and_variety() -> None:
    told, references = ["a dog", "a red cat"], [["a dog runs"], ["one cat", "a cat"]]
    figures = caption_report(told, references, training=told).to_dict()
    assert caption_scores(told, references).corpus.items() <= figures.items()
    assert (figures["distinct"], figures["seen in training"], figures["mean length"]) == (2, 1, 2.5)


@settings(max_examples=100, deadline=None)
@given(pictures, st.data())
def test_rewards_of_any_pictures_equal_those_of_all_in_order(
    drawn: list[tuple[list[str], list[list[str]]]], data
) -> None:
    """Also words and n-grams that no reference has: their numbers are made up for the call."""
    reward = CiderD([group for _, group in drawn])
    which = data.draw(st.lists(st.integers(0, len(drawn) - 1), min_size=1, max_size=9))
    told = data.draw(st.lists(words | st.just(["x", "y", "x", "y", "z"]), min_size=len(which), max_size=len(which)))
    one_by_one = [reward.score([tokens], [picture])[0] for tokens, picture in zip(told, which, strict=True)]
    np.testing.assert_allclose(reward.score(told, which), one_by_one, rtol=0, atol=1e-12)


def test_diversity_of_nothing_is_refused() -> None:
    with pytest.raises(SemregError, match="at least one caption, got 0"):
        diversity([])
