"""Words in all their forms."""

from __future__ import annotations

from semreg.data.concepts import word_forms
from semreg.model_config import DecoderConfig, ModelConfig, PreprocessingConfig, TrunkConfig
from semreg.steering import word_rules

WORDS = ("a", "the", "thing", "horse", "horses", "rides", "riding", "stop", "sign", "signs", "photo", "photos", "is")


def config() -> ModelConfig:
    return ModelConfig(
        name="m",
        trunk=TrunkConfig(),
        preprocessing=PreprocessingConfig(),
        concepts=("horse", "riding", "stop sign"),
        forms={"horses": "horse", "rides": "riding"},
        decoders={
            "tags": DecoderConfig(words=("horse", "stop sign"), max_length=4),
            "caption": DecoderConfig(words=WORDS, max_length=9),
        },
    )


def said(*must: str) -> list[set[str]]:
    """For each word what the caption may say for it."""
    vocabulary = config().vocabulary("caption")
    rules = word_rules(must, (), config())["caption"]
    return [{" ".join(vocabulary.text(phrase)) for phrase in phrases} for phrases in rules.must]


def test_a_word_stands_for_all_forms_of_its_concept_and_others_for_their_own() -> None:
    assert said("horse", "Horses", "rides") == [{"horse", "horses"}, {"horse", "horses"}, {"rides", "riding"}]
    assert said("photos", "stop sign", "the") == [{"photo", "photos"}, {"stop sign", "stop signs"}, {"the"}]


def test_labels_are_single_tokens_whatever_their_words() -> None:
    rules = word_rules((), ("stop sign", "horses"), config())
    assert rules["tags"].never == ((5,), (4,))
    assert {len(phrase) for phrase in rules["caption"].never} == {1, 2}


def test_function_words_are_no_form_of_others() -> None:
    assert word_forms("the", WORDS) == ["the"]
    assert word_forms("thing", WORDS) == ["thing"]


def test_a_slip_is_no_form_of_a_word() -> None:
    assert word_forms("zebraa", ["zebra", "zebras"]) == []
    assert word_forms("run", ["running", "runs", "runner"]) == ["running", "runs"]
