"""What people say of a picture after the model: concepts set by hand, words that must or must not be said, and why."""

from semreg.steering.switches import Switched, check_steerable, concept_index, recall, switch, to_encoding
from semreg.steering.wording import Wording, word_rules

__all__ = ["Switched", "Wording", "check_steerable", "concept_index", "recall", "switch", "to_encoding", "word_rules"]
