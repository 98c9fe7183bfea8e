"""Metrics: truth and prediction (labels, masks, points, boxes, classes) -> counts, ratios and intervals."""

from .classification import (
    Reliability,
    bin_reliability,
    calibration_error,
    class_scores,
    label_scores,
    log_losses,
    per_class,
    tune_thresholds,
)
from .detection import average_precision, box_iou, match_boxes, precision_recall, rank_hits
from .intervals import Interval, bootstrap_interval, bootstrap_sums, draw_units, to_interval
from .matching import (
    IOU_THRESHOLDS,
    Matching,
    count_ratios,
    match,
    match_at,
    match_points,
    mean_average_precision,
    overlap_matrix,
    pool,
)
from .pixels import (
    class_dice,
    class_iou,
    confusion,
    dice,
    divide,
    iou,
    match_pixels,
    mean_there,
)

__all__ = [
    "IOU_THRESHOLDS", "Interval", "Matching", "Reliability", "average_precision", "bin_reliability",
    "bootstrap_interval", "bootstrap_sums", "box_iou", "calibration_error", "class_dice", "class_iou",
    "class_scores", "confusion", "count_ratios", "dice", "divide", "draw_units", "iou", "label_scores", "log_losses", "match",
    "match_at", "match_boxes", "match_pixels", "match_points", "mean_average_precision", "mean_there",
    "overlap_matrix", "per_class", "pool", "precision_recall", "rank_hits", "to_interval", "tune_thresholds",
]  # fmt: skip
