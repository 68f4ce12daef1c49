"""Sequences out of a model: batched beam search, greedy as its special case, sampling, and what may not be said."""

from semreg.decoding.constraints import Constraints
from semreg.decoding.defaults import search_for
from semreg.decoding.sampling import sample
from semreg.decoding.search import Hypotheses, Search, beam_search

__all__ = ["Constraints", "Hypotheses", "Search", "beam_search", "sample", "search_for"]
