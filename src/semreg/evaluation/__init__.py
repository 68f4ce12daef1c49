"""Scores for predictions: tags against true tags, captions against references; plain arrays and strings."""

from semreg.evaluation.calibration import Reliability, expected_calibration_error, fit_scale, reliability
from semreg.evaluation.caption_report import CaptionReport, caption_report
from semreg.evaluation.captioning import CaptionScores, bleu, caption_scores, rouge_l
from semreg.evaluation.cider import Cider, CiderD, cider, cider_d
from semreg.evaluation.curves import ClassScores, class_scores, precision_recall, threshold_scores
from semreg.evaluation.logistic import fit_logistic
from semreg.evaluation.meteor import meteor
from semreg.evaluation.tag_report import TagReport, picture_f1, tag_report
from semreg.evaluation.tagging import average_precision, mean_average_precision, tagging_scores, top_k
from semreg.evaluation.thresholds import (
    choose_threshold,
    thresholds_at,
    tune_by_frequency,
    tune_threshold,
    tune_thresholds,
)
from semreg.evaluation.tokenizer import tokenize
from semreg.evaluation.variety import Diversity, diversity

__all__ = [
    "CaptionReport",
    "CaptionScores",
    "Cider",
    "CiderD",
    "ClassScores",
    "Diversity",
    "Reliability",
    "TagReport",
    "average_precision",
    "bleu",
    "caption_report",
    "caption_scores",
    "choose_threshold",
    "cider",
    "cider_d",
    "class_scores",
    "diversity",
    "expected_calibration_error",
    "fit_logistic",
    "fit_scale",
    "mean_average_precision",
    "meteor",
    "picture_f1",
    "precision_recall",
    "reliability",
    "rouge_l",
    "tag_report",
    "tagging_scores",
    "threshold_scores",
    "thresholds_at",
    "tokenize",
    "top_k",
    "tune_by_frequency",
    "tune_threshold",
    "tune_thresholds",
]
