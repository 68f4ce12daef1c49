"""Search over a journal: what words, phrases, beginnings, exclusions and choices find, and that no words break it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from album import WORDS, make_album, open_journal, run

from semreg.errors import SemregError
from semreg.folders.search import search


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[str]]]:
    """An annotated folder, and the tags of each picture."""
    folder = tmp_path_factory.mktemp("album")
    make_album(folder, 24)
    told = run(folder)[1]
    return folder, {str(each.file_name): {tag.label for tag in each.tags} for each in told}


def found(folder: Path, words: str, limit: int = 100, below: str = "") -> set[str]:
    with open_journal(folder) as journal:
        return {str(hit.annotation.file_name) for hit in search(journal, folder / below, words, limit)}


def test_words_choices_and_exclusions_are_what_sets_are(album: tuple[Path, dict[str, set[str]]]) -> None:
    folder, tags = album
    having = {word: {name for name, labels in tags.items() if word in labels} for word in WORDS}
    assert sum(map(len, having.values())) > 40
    for one in WORDS:
        assert found(folder, one) == having[one] == found(folder, one.upper()) == found(folder, f"{one[:-1]}*")
        for other in set(WORDS) - {one}:
            assert found(folder, f"{one} {other}") == found(folder, f"{one} AND {other}") == having[one] & having[other]
            assert found(folder, f"{one} OR {other}") == having[one] | having[other]
            assert found(folder, f"{one} -{other}") == having[one] - having[other]


def test_forms_phrases_names_and_folders(album: tuple[Path, dict[str, set[str]]]) -> None:
    folder, tags = album
    assert found(folder, "dogs") == found(folder, "dog")
    assert found(folder, '"at the sea"') == set(tags) and not found(folder, '"sea the at"')
    assert found(folder, "003") == {name for name in tags if "/003." in name}
    below = found(folder, '"at the sea"', below="b c")
    assert below == {name for name in tags if "/b c/" in name} and len(below) == 12
    assert len(found(folder, "sea", limit=5)) == 5


def test_whatever_is_typed_is_looked_for_or_refused_in_a_sentence(album: tuple[Path, dict[str, set[str]]]) -> None:
    draw = random.Random(5)
    parts = [*"\"'*()-:^{}+.,;%\\\0", "AND", "OR", "NOT", "NEAR", "dog", "sea", " ", "é", "日本", "name:", "\udcff"]
    for _ in range(500):
        words = "".join(draw.choice(parts) for _ in range(draw.randrange(1, 9)))
        try:
            found(album[0], words)
        except SemregError as error:
            assert "there is no word to look for" in str(error)
