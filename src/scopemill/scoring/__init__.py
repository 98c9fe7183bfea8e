"""Scoring: truth and prediction in memory -> scores of an image, and of many images with 95 % intervals."""

from .classification import summarise_multiple, summarise_single
from .detection import DetectionScore, score_boxes, score_points, summarise_detection
from .instances import Score, score_image, summarise
from .semantic import SemanticScore, score_classes, summarise_classes

__all__ = [
    "DetectionScore", "Score", "SemanticScore", "score_boxes", "score_classes", "score_image", "score_points",
    "summarise", "summarise_classes", "summarise_detection", "summarise_multiple", "summarise_single",
]  # fmt: skip
