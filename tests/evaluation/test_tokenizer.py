"""The caption tokenizer against the Stanford PTBTokenizer: from a table, and with Java on real captions."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from java_reference import java_tokens, need_java, real_captions

from semreg.evaluation import tokenize
from semreg.evaluation.tokenizer import _tokenize

# Captions and what Stanford PTBTokenizer 3.4.1 (-preserveLines -lowerCase) leaves of them without DROPPED.
TABLE = [
    ("A man riding a wave on top of a surfboard.", "a man riding a wave on top of a surfboard"),
    ("  Two   dogs\trunning , one jumping . ", "two dogs running one jumping"),
    ("A dog, a cat; and a bird: all asleep!", "a dog a cat and a bird all asleep"),
    (
        "don't can't won't isn't DON'T they'll I've we're he'd I'm it's",
        "do n't ca n't wo n't is n't do n't they 'll i 've we 're he 'd i 'm it 's",
    ),
    (
        "cannot gonna gotta wanna gimme lemme 'tis 'twas more'n",
        "can not gon na got ta wan na gim me lem me 't is 't was more 'n",
    ),
    (
        "A man's shirt, the boys' room, James' hat and the 60's",
        "a man 's shirt the boys room james hat and the 60 's",
    ),
    (
        "o'clock d'oeuvre O'Brien rock'n'roll slip 'n' slide y'all ma'am",
        "o'clock d'oeuvre o'brien rock 'n' roll slip 'n' slide y' all ma'am",
    ),
    (
        "snow-covered t-shirt merry-go-round 5-year-old black-and-white-striped well- known -",
        "snow-covered t-shirt merry-go-round 5-year-old black-and-white-striped well known",
    ),
    (
        "and/or tub/shower boat/house/school / 1/2 24/7 w/",
        "and/or tub/shower boat/house/school / 1/2 24/7 w /",
    ),
    ("the U.S. flag at 5 p.m. on a T.V. in D.C.", "the u.s. flag at 5 p.m. on a t.v. in d.c."),
    (
        "Mr. and Mrs. Smith of Furnace St. and 12th Ave. near No. 5",
        "mr. and mrs. smith of furnace st. and 12th ave. near no. 5",
    ),
    ("A big no. The man sat. etc.", "a big no the man sat etc."),
    ("Exit B. The man stands near P. Diddy", "exit b the man stands near p. diddy"),
    ("parked on the street.A bus is coming", "parked on the street.a bus is coming"),
    (
        "10:30 1,000 3.14 .5 5% $5.00 1950s '90s 4x4 2nd #41",
        "10:30 1,000 3.14 .5 5 % $ 5.00 1950s '90s 4x4 2nd # 41",
    ),
    ("Street at 22 3/4 St.", "street at 22 3/4 st."),
    ("\"hello\" 'hello' ``hello'' “hello” ‘hello’ don’t", "hello hello hello hello hello do n't"),
    ("A sign (red) [old] {odd}", "a sign -lrb- red -rrb- -lsb- old -rsb- -lcb- odd -rcb-"),
    ("wow!!! what?? really?! no... yes.. -- a--b", "wow !!! what ?? really ?! no yes a b"),
    (
        "AT&T black&white black & white &amp; a@b.com www.foo.com",
        "at&t black & white black & white & a@b.com www.foo.com",
    ),
    ("café naïve jalapeño’s crème-brûlée 日本", "café naïve jalapeño 's crème-brûlée 日本"),
    ("½ cup, 5¢ coin, £5 – or — …", "1/2 cup 5 cents coin # 5 or"),
    ("foo_bar *hello* c++ a+b = x|y ~ ^", "foo_bar * hello * c++ a + b = x | y ~ ^"),
    ("🙂 A smile \u200b here\xa0now", "a smile here now"),
    ("... . , ' \" ` - ; :", ""),
    ("", ""),
]


@pytest.mark.parametrize(("caption", "tokens"), TABLE)
def test_equals_the_java_tokenizer(caption: str, tokens: str) -> None:
    assert tokenize(caption) == tokens.split()


@given(st.text())
def test_any_text_gives_lower_case_words_without_spaces(caption: str) -> None:
    tokens = tokenize(caption)
    assert all(tokens) and " ".join(tokens).split() == tokens
    assert [token.lower() for token in tokens] == tokens


plain_words = st.sampled_from(["a", "dog", "K", "cannot", "Gonna", "st", "Ave", "no", "etc", "miss", "an", "o", "ol"])
gaps = st.sampled_from([" ", "  ", ",", " , ", ".", ". ", " . ", "-", "'", "\n", ""])


@given(st.lists(st.tuples(plain_words | st.text("abK", max_size=3), gaps)))
def test_the_short_way_for_plain_captions_gives_the_same_tokens(parts: list[tuple[str, str]]) -> None:
    caption = "".join(word + gap for word, gap in parts)
    assert tokenize(caption) == _tokenize(caption)


@pytest.mark.parametrize("part", ["a", "a.", "a+", "'", "n't", ".", "1,", "<a", "a@", "(", "aa'", "é"])
def test_long_text_takes_no_unreasonable_time(part: str) -> None:
    start = time.perf_counter()
    tokenize(part * 5000)
    assert time.perf_counter() - start < 5


def test_line_breaks_count_as_spaces() -> None:
    assert tokenize("a dog\nand\r\na cat.\n") == ["a", "dog", "and", "a", "cat"]


def test_a_single_letter_at_the_end_loses_its_full_stop() -> None:
    assert tokenize("a sign that reads K. ") == ["a", "sign", "that", "reads", "k"]


def test_the_table_is_what_java_says(tmp_path: Path) -> None:
    need_java()
    captions = [caption for caption, _ in TABLE]
    assert java_tokens(captions, tmp_path) == [tokens.split() for _, tokens in TABLE]


@pytest.mark.parametrize("name", ["coco/captions_val2017.json", "flickr8k/Flickr8k.token.txt"])
def test_equals_java_on_every_real_caption(name: str, tmp_path: Path) -> None:
    need_java()
    captions = [caption for _, caption in real_captions(name)]
    theirs = java_tokens(captions, tmp_path)
    assert len(theirs) == len(captions)
    wrong = [c for c, tokens in zip(captions, theirs, strict=True) if tokenize(c) != tokens]
    assert not wrong


def test_equals_the_wrapper_of_pycocoevalcap() -> None:
    """Also its dropping of punctuation, not only its jar."""
    need_java()
    from pycocoevalcap.tokenizer import ptbtokenizer

    captions = {0: [{"caption": caption} for caption, _ in TABLE if caption]}
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            theirs = ptbtokenizer.PTBTokenizer().tokenize(captions)[0]
    except OSError:
        pytest.skip("pycocoevalcap writes into its own folder, which is read-only here")
    assert [tokenize(entry["caption"]) for entry in captions[0]] == [line.split() for line in theirs]
