"""Scores for predictions: tags against true tags, captions against references; plain arrays and strings."""

from semreg.evaluation.captioning import (
    CaptionScores,
    Diversity,
    bleu,
    caption_scores,
    diversity,
    rouge_l,
)
from semreg.evaluation.cider import Cider, CiderD, cider, cider_d
from semreg.evaluation.tagging import (
    average_precision,
    expected_calibration_error,
    mean_average_precision,
    tagging_scores,
    top_k,
)
from semreg.evaluation.thresholds import tune_threshold, tune_thresholds
from semreg.evaluation.tokenizer import tokenize

__all__ = [
    "CaptionScores",
    "Cider",
    "CiderD",
    "Diversity",
    "average_precision",
    "bleu",
    "caption_scores",
    "cider",
    "cider_d",
    "diversity",
    "expected_calibration_error",
    "mean_average_precision",
    "rouge_l",
    "tagging_scores",
    "tokenize",
    "top_k",
    "tune_threshold",
    "tune_thresholds",
]
