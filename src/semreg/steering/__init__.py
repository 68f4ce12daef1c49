"""What people say of a picture after the model: concepts set by hand, words that must or must not be said, and why."""

from semreg.steering.explain import Explained, explain
from semreg.steering.given import given_labels
from semreg.steering.switches import Switched, check_steerable, recall, steerable, switch, to_encoding
from semreg.steering.wording import Wording, general_words, grounding_of, word_rules

__all__ = [
    "Explained",
    "Switched",
    "Wording",
    "check_steerable",
    "explain",
    "general_words",
    "given_labels",
    "grounding_of",
    "recall",
    "steerable",
    "switch",
    "to_encoding",
    "word_rules",
]
