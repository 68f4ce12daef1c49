"""What captions imply: counted on captions that say things of pictures whose labels are known."""

from __future__ import annotations

from semreg.data.implied import MINIMUM, implied_labels

MANY = 5 * MINIMUM


def implied(*pictures: tuple[list[str], str, int]) -> dict[str, tuple[str, ...]]:
    labels = [has for has, _, count in pictures for _ in range(count)]
    return implied_labels(labels, [[text] for _, text, count in pictures for _ in range(count)])


def test_a_word_implies_what_nearly_all_its_pictures_have() -> None:
    found = implied((["cat"], "A Kitten plays.", MANY), (["dog"], "it plays", MANY))
    assert found == {"a": ("cat",), "kitten": ("cat",), "it": ("dog",)}  # all words are counted, and playing do both


def test_what_most_pictures_have_is_implied_by_little() -> None:
    people = ["person"]
    found = implied(
        (people, "a street", 4 * MANY), (people, "food", 9 * MANY), ([], "food", MANY), ([], "a wall", MANY)
    )
    assert "food" not in found and "street" in found  # nine of ten have a person, where nearly nine of ten have one


def test_one_word_may_imply_several_and_too_few_pictures_none() -> None:
    found = implied((["bus", "driver"], "bus", MANY), (["cat"], "pet", MINIMUM - 1), ([], "nothing", MANY))
    assert found == {"bus": ("bus", "driver")}


def test_a_word_said_twice_of_a_picture_counts_once() -> None:
    once = implied((["cat"], "cat", MANY), ([], "cat", MANY // 2), ([], "sky", MANY))
    twice = implied((["cat"], "cat cat cat", MANY), ([], "cat", MANY // 2), ([], "sky", MANY))
    assert once == twice == {}
