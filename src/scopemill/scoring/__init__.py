"""Scoring: truth and prediction in memory -> scores of an image, and of many images with 95 % intervals."""

from .classification import summarise_multiple, summarise_single
from .detection import DetectionScore, score_boxes, score_points, summarise_detection
from .instances import Score, score_image, summarise
from .semantic import (
    SemanticScore,
    join_tiles,
    score_classes,
    summarise_classes,
    summarise_tiles,
)

__all__ = [
    "DetectionScore", "Score", "SemanticScore", "join_tiles", "score_boxes", "score_classes", "score_image",
    "score_points", "summarise", "summarise_classes", "summarise_detection", "summarise_multiple", "summarise_single",
    "summarise_tiles",
]  # fmt: skip
