"""Scores against answers worked out by hand, scikit-learn and brute force."""

from itertools import combinations, permutations

import numpy as np
import pytest
import sklearn.metrics as sklearn
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import f1_score, jaccard_score

from scopemill import metrics
from scopemill.metrics import bootstrap_interval, dice, iou, match, match_points, pool

rng = np.random.default_rng


def row(*labels):
    return np.array([labels], np.uint32)


def test_overlap_counts_shared_pixels_and_areas():
    counts, truth_ids, predicted_ids = metrics.overlap_matrix(
        np.array([[7, 7, 0], [7, 9, 9]]), np.array([[0, 3, 3], [3, 3, 4_000_000_000]])
    )
    assert list(truth_ids) == [0, 7, 9]
    assert list(predicted_ids) == [0, 3, 4_000_000_000]
    assert counts.toarray().tolist() == [[0, 1, 0], [1, 2, 0], [0, 1, 1]]
    assert list(counts.sum(axis=1)) == [1, 3, 2]


def test_equal_images_score_one_whatever_the_ids():
    result = match(row(5, 5, 0, 900)[None], row(2, 2, 0, 1)[None])  # a volume of one plane
    assert (result.tp, result.fp, result.fn) == (2, 0, 0)
    assert result.f1 == result.average_precision == result.panoptic_quality == 1.0
    assert result.pairs.tolist() == [(5, 2, 1.0), (900, 1, 1.0)]


def test_a_merge_misses_one_object_and_a_split_invents_one():
    split = match(row(1, 1, 1, 1), row(4, 4, 4, 6))
    assert (split.tp, split.fp, split.fn, split.average_precision) == (1, 1, 0, 0.5)
    result = match(row(1, 1, 1, 2), row(8, 8, 8, 8))
    assert (result.tp, result.fp, result.fn) == (1, 0, 1)
    assert result.mean_matched_iou == 0.75
    assert result.panoptic_quality == pytest.approx(0.75 / 1.5)
    assert (result.precision, result.recall, result.f1) == (1.0, 0.5, pytest.approx(2 / 3))


def test_iou_exactly_at_the_threshold_counts_once():
    truth, halves = row(1, 1), row(2, 3)
    assert (match(truth, halves, 0.5).tp, match(truth, halves, 0.5).fp) == (1, 1)
    assert match(truth, halves, 0.51).tp == 0


def test_below_one_half_the_most_pairs_win():
    # greedy would take the best pair (1, 6) and leave object 2 and prediction 5 alone
    truth, predicted = row(1, 1, 1, 1, 1, 2, 2, 0), row(5, 5, 6, 6, 6, 6, 6, 6)
    best = match(truth, predicted, 0.2)
    assert [tuple(p)[:2] for p in best.pairs.tolist()] == [(1, 5), (2, 6)]


@pytest.mark.parametrize("empty", [np.zeros((0, 0), int), np.zeros((3, 3), int)])
def test_nothing_to_find_and_nothing_found_is_perfect(empty):
    result = match(empty, empty)
    assert (result.tp, result.fp, result.fn) == (0, 0, 0)
    assert result.f1 == result.average_precision == result.panoptic_quality == 1.0


def test_one_side_empty_scores_zero():
    assert match(row(0, 0), row(1, 0)).f1 == match(row(0, 0), row(1, 0)).precision == 0.0
    assert match(row(0, 3), row(0, 0)).panoptic_quality == 0.0


def test_bad_labels_are_refused():
    with pytest.raises(ValueError, match="shape"):
        match(row(1), row(1, 1))
    with pytest.raises(ValueError, match="integers"):
        match(row(1) * 0.5, row(1))


def best_by_brute_force(truth, predicted, threshold):
    """Return the largest number of pairs and their largest summed IoU, over all ways to pair."""
    ious = {}
    for t in set(truth.ravel()) - {0}:
        for p in set(predicted.ravel()) - {0}:
            a, b = truth == t, predicted == p
            if (value := (a & b).sum() / (a | b).sum()) >= threshold:
                ious[t, p] = value
    ts, ps = {t for t, _ in ious}, {p for _, p in ious}
    best = (0, 0.0)
    for n in range(1, min(len(ts), len(ps)) + 1):
        for chosen in combinations(sorted(ts), n):
            for order in permutations(sorted(ps), n):
                pairs = list(zip(chosen, order, strict=True))
                if all(pair in ious for pair in pairs):
                    best = max(best, (n, sum(ious[pair] for pair in pairs)))
    return best


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.5])
def test_matching_is_the_best_of_all_pairings(seed, threshold):
    truth, predicted = rng(seed).integers(0, 5, (2, 5, 6)).repeat(2, axis=2)
    n, total = best_by_brute_force(truth, predicted, threshold)
    result = match(truth, predicted, threshold)
    assert (result.tp, result.iou_sum) == (n, pytest.approx(total))


def test_hundred_thousand_objects_stay_sparse():
    truth = np.arange(1, 100_001, dtype=np.uint32).reshape(250, 400).repeat(2, axis=0)
    predicted = np.roll(truth, 1, axis=0)  # each object shares one of its two pixels: IoU 1/3
    assert match(truth, predicted, 0.3).tp == 100_000
    assert match(truth, predicted, 0.5).tp == 0


def test_mean_average_precision_averages_over_thresholds():
    # IoU 0.6: found at 0.5, 0.55 and (no rounding error) 0.6 of the ten thresholds
    ap = metrics.mean_average_precision(row(1, 1, 1, 1, 1), row(1, 1, 1, 0, 0))
    assert ap == pytest.approx(0.3)


def test_pooling_weighs_objects_and_ignores_empty_images():
    images = [match(row(1, 2), row(1, 2)), match(row(0), row(0)), match(row(1, 1, 1), row(1, 1, 2))]
    pooled = pool(images)
    assert (pooled.tp, pooled.fp, pooled.fn, pooled.f1) == (3, 1, 0, pytest.approx(6 / 7))
    assert pooled.panoptic_quality == pytest.approx((2 + 2 / 3) / 3.5)
    assert pool([]).f1 == 1.0


def test_dice_and_f1_agree_with_scikit_learn():
    for seed in range(5):
        truth, predicted = rng(seed).random((2, 20, 30)) < 0.3
        pixels = truth.ravel(), predicted.ravel()
        assert dice(truth, predicted) == pytest.approx(f1_score(*pixels))
        assert iou(truth, predicted) == pytest.approx(jaccard_score(*pixels))


def test_masks_by_hand():
    assert dice([1, 1, 0], [0, 1, 1]) == 0.5
    assert iou([1, 1, 0], [0, 1, 1]) == pytest.approx(1 / 3)
    assert dice([0, 0], [0, 0]) == iou([0, 0], [0, 0]) == 1.0
    assert dice([1, 0], [0, 0]) == 0.0


def test_points_match_within_the_cut_off():
    result = match_points([[0, 0], [10, 10]], [[0, 2], [50, 50], [10, 10]], max_distance=2)
    assert (result.tp, result.fp, result.fn) == (2, 1, 0)
    assert list(result.distances) == [2.0, 0.0]
    assert result.f1 == pytest.approx(4 / 5)


def test_points_prefer_two_pairs_to_one_nearer_pair():
    result = match_points([[0.0], [3.0]], [[2.0], [5.0]], max_distance=2)
    assert [tuple(p)[:2] for p in result.pairs.tolist()] == [(0, 0), (1, 1)]
    assert match_points([[0, 3]], [[3, 3]], max_distance=1, scale=(0.3, 1)).tp == 1
    assert match_points([[3, 0]], [[3, 3]], max_distance=1, scale=(0.3, 1)).tp == 0


def test_no_points():
    nowhere = np.empty((0, 3))
    assert match_points(nowhere, nowhere, 1).f1 == 1.0
    assert match_points(nowhere, [[1, 2, 3]], 1).fp == 1
    assert match_points([[1, 2, 3]], [], 1).fn == 1


@pytest.mark.parametrize("seed", range(10))
def test_points_agree_with_dense_assignment(seed):
    truth, predicted = rng(seed).uniform(0, 5, (2, 40, 2))
    distance = np.linalg.norm(truth[:, None] - predicted[None], axis=2)
    cost = np.where(distance <= 1, distance - 1000, 0)
    i, j = linear_sum_assignment(cost)
    near = distance[i, j] <= 1
    result = match_points(truth, predicted, max_distance=1)
    assert result.tp == near.sum()
    assert result.distances.sum() == pytest.approx(distance[i, j][near].sum())


def test_bootstrap_is_repeatable_and_covers_the_mean():
    values = list(rng(1).normal(10, 2, 100))
    first = bootstrap_interval(values, np.mean, rng=rng(2))
    assert first == bootstrap_interval(values, np.mean, rng=rng(2))
    assert first.estimate == pytest.approx(np.mean(values))
    assert first.high - first.low == pytest.approx(2 * 1.96 * 2 / 10, rel=0.25)


def test_bootstrap_keeps_groups_whole():
    values, groups = [0.0] * 50 + [1.0] * 50, ["left"] * 50 + ["right"] * 50
    alone = bootstrap_interval(values, np.mean, rng=rng(0))
    whole = bootstrap_interval(values, np.mean, groups=groups, rng=rng(0))
    assert (whole.low, whole.high) == (0.0, 1.0)
    assert alone.high - alone.low < 0.25


def test_bootstrap_of_matchings_pools_them():
    images = [match(row(1, 2), row(1, 2)), match(row(1, 0), row(0, 1))]
    interval = bootstrap_interval(images, lambda m: pool(m).f1, rng=rng(0))
    assert interval == (pytest.approx(2 / 3), 0.0, 1.0)
    estimate, low, high = bootstrap_interval(images[:1], lambda m: pool(m).f1, rng=rng(0))
    assert estimate == 1.0
    assert np.isnan([low, high]).all()


def test_matching_at_many_thresholds_is_matching_at_each():
    truth, predicted = rng(0).integers(0, 5, (2, 12, 12)).repeat(3, axis=2)
    several = metrics.match_at(truth, predicted, (0.2, 0.5))
    single = [match(truth, predicted, t) for t in (0.2, 0.5)]
    assert [(m.tp, m.fp, m.fn, m.iou_sum) for m in several] == [(m.tp, m.fp, m.fn, m.iou_sum) for m in single]  # fmt: skip


def test_ratios_of_many_counts_are_those_of_each():
    counts = np.array([[3, 1, 2, 2.4], [0, 0, 0, 0], [0, 4, 0, 0], [0, 0, 2, 0]])
    ratios = metrics.count_ratios(*counts.T)
    for k, one in enumerate(metrics.Matching(*line) for line in counts):
        values = (one.f1, one.precision, one.recall, one.average_precision, one.panoptic_quality)
        assert [ratios[name][k] for name in ("F1", "precision", "recall", "AP", "PQ")] == pytest.approx(values)  # fmt: skip


def test_bootstrap_of_sums_draws_as_the_bootstrap_of_items():
    tp, n, groups = rng(0).integers(0, 9, 20), rng(1).integers(9, 12, 20), list("aabbccddee" * 2)
    for chosen in (None, groups):
        slow = bootstrap_interval(list(zip(tp, n, strict=True)), lambda some: np.divide(*np.sum(some, axis=0)), rng=rng(3), groups=chosen)  # fmt: skip
        fast = metrics.bootstrap_sums({"tp": tp, "n": n}, {"ratio": lambda sums: sums["tp"] / sums["n"]}, rng=rng(3), groups=chosen)  # fmt: skip
        assert fast["ratio"] == pytest.approx(slow)
    alone = metrics.bootstrap_sums({"n": n[:1]}, {"n": lambda sums: sums["n"]}, rng=rng(3))["n"]
    assert alone.estimate == n[0] and np.isnan([alone.low, alone.high]).all()
    with pytest.raises(ValueError, match="2 groups for 20 items"):
        metrics.draw_units(20, ["a", "b"], rng(0), 5)


# pixels


def test_confusion_of_pixels_agrees_with_scikit_learn():
    truth, predicted = rng(0).integers(0, 4, (2, 30, 30))
    counts = metrics.confusion(truth, predicted, 4)
    pixels = truth.ravel(), predicted.ravel()
    assert counts.tolist() == sklearn.confusion_matrix(*pixels).tolist()
    assert metrics.class_dice(counts) == pytest.approx(sklearn.f1_score(*pixels, average=None))
    assert metrics.class_iou(counts) == pytest.approx(sklearn.jaccard_score(*pixels, average=None))


def test_confusion_of_pixels_agrees_with_scikit_image():
    from skimage.metrics import contingency_table

    truth, predicted = rng(0).integers(0, 4, (2, 30, 30))
    expected = contingency_table(truth, predicted).toarray()
    assert metrics.confusion(truth, predicted, 4).tolist() == expected.tolist()


def test_pixels_that_nobody_annotated_are_not_counted():
    counts = metrics.confusion(np.array([0, 1, 255, 1]), np.array([0, 0, 1, 1]), 2, ignore=255)
    assert counts.tolist() == [[1, 0], [1, 1]]
    with pytest.raises(ValueError, match="truth has classes 0 to 255, expected 0 to 1"):
        metrics.confusion(np.array([0, 255]), np.array([0, 0]), 2)
    with pytest.raises(ValueError, match="prediction has classes -1"):
        metrics.confusion(np.array([0]), np.array([-1]), 2)


def test_a_class_that_is_nowhere_is_left_out_of_means():
    counts = metrics.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    assert np.isnan(metrics.class_dice(counts)[2])
    assert metrics.mean_there(metrics.class_iou(counts)) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert np.isnan(metrics.mean_there(np.array([np.nan])))


# detection

BOX = (0, 0, 10, 10)


def test_iou_of_boxes_by_hand():
    others = [BOX, (0, 5, 10, 15), (0, 10, 10, 20), (2, 2, 4, 4), (5, 5, 5, 5)]
    assert metrics.box_iou([BOX], others)[0] == pytest.approx([1, 1 / 3, 0, 0.04, 0])
    assert metrics.box_iou([], [BOX]).shape == (0, 1)


def test_iou_of_boxes_is_that_of_their_pixels():
    corners = rng(0).integers(0, 20, (8, 2, 2))
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1) + 1], axis=1)
    pictures = np.zeros((8, 30, 30), bool)
    for picture, (y0, x0, y1, x1) in zip(pictures, boxes, strict=True):
        picture[y0:y1, x0:x1] = True
    expected = [[iou(a, b) for b in pictures] for a in pictures]
    np.testing.assert_allclose(metrics.box_iou(boxes, boxes), expected)


def test_boxes_match_one_to_one():
    result = metrics.match_boxes([BOX, (20, 20, 30, 30)], [(0, 0, 10, 9), (0, 0, 10, 8), (50, 50, 60, 60)])  # fmt: skip
    assert (result.tp, result.fp, result.fn) == (1, 2, 1)
    assert result.pairs.tolist() == [(0, 0, pytest.approx(0.9))]
    assert metrics.match_boxes([BOX], [(0, 0, 10, 5)], 0.5).tp == 1
    assert metrics.match_boxes([BOX], [(0, 0, 10, 5)], 0.51).tp == 0


def test_the_surest_detection_takes_the_object():
    fit = np.array([[0.6, 0.9, 0.0], [0.0, 0.55, 0.4]])
    assert metrics.rank_hits(fit, np.array([0.9, 0.8, 0.7]), 0.5).tolist() == [True, True, False]
    assert metrics.rank_hits(fit, np.array([0.7, 0.8, 0.9]), 0.5).tolist() == [False, True, False]
    assert metrics.rank_hits(np.empty((0, 2)), np.array([1.0, 2.0]), 0.5).tolist() == [False, False]


def test_average_precision_by_hand():
    # precision 1, 1/2, 2/3, 1/2, 3/5 at recall 1/4, 1/4, 1/2, 1/2, 3/4; interpolated 1, 2/3, 3/5
    hits = np.array([1, 0, 1, 0, 1], bool)
    value = metrics.average_precision(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), hits, 4)
    assert value == pytest.approx(0.25 * (1 + 2 / 3 + 3 / 5))


def voc_average_precision(scores, hits, n_truth):
    """The published definition (VOC 2010): at each recall, the best precision at that recall or above."""
    order = np.argsort(-scores)
    tp = np.cumsum(hits[order])
    recall, precision = tp / n_truth, tp / np.arange(1, len(tp) + 1)
    area, before = 0.0, 0.0
    for level in sorted(set(recall) - {0.0}):
        area += (level - before) * precision[recall >= level].max()
        before = level
    return area


@pytest.mark.parametrize("seed", range(10))
def test_average_precision_is_that_of_the_definition_and_not_below_scikit_learns(seed):
    scores, hits = rng(seed).permutation(40) / 40, rng(seed + 100).random(40) < 0.4
    value = metrics.average_precision(scores, hits, hits.sum())
    assert value == pytest.approx(voc_average_precision(scores, hits, hits.sum()))
    assert value >= sklearn.average_precision_score(hits, scores)


def test_average_precision_agrees_with_scikit_learn_where_there_is_nothing_to_interpolate():
    # precision only falls, and every object was met: both definitions are one
    hits, scores = np.array([1, 1, 1, 0, 0], bool), np.array([5, 4, 3, 2, 1])
    assert metrics.average_precision(scores, hits, 3) == sklearn.average_precision_score(hits, scores) == 1  # fmt: skip
    tied = np.array([1.0, 1, 1, 1, 1])
    value = metrics.average_precision(tied, hits, 3)
    assert value == pytest.approx(sklearn.average_precision_score(hits, tied)) == pytest.approx(0.6)


def test_precision_and_recall_agree_with_scikit_learn():
    scores, hits = rng(0).integers(0, 9, 50), rng(1).random(50) < 0.5
    precision, recall, _ = sklearn.precision_recall_curve(hits, scores)
    ours = metrics.precision_recall(scores, hits, hits.sum())
    np.testing.assert_allclose(ours[0], precision[-2::-1])
    np.testing.assert_allclose(ours[1], recall[-2::-1])


def test_missed_objects_and_order_of_equal_scores():
    assert metrics.average_precision(np.array([0.9]), np.array([True]), 4) == 0.25
    assert metrics.average_precision(np.empty(0), np.empty(0), 3) == 0.0
    assert np.isnan(metrics.average_precision(np.array([0.9]), np.array([False]), 0))
    for hits in ([1, 0], [0, 1]):
        assert metrics.average_precision(np.array([0.5, 0.5]), np.array(hits), 1) == 0.5


def test_weights_count_detections_several_times():
    scores, hits = np.array([0.9, 0.5, 0.4]), np.array([True, False, True])
    twice = metrics.average_precision(np.repeat(scores, 2), np.repeat(hits, 2), 4)
    assert metrics.average_precision(scores, hits, 4, np.array([2, 2, 2])) == pytest.approx(twice)
    assert metrics.average_precision(scores, hits, 1, np.array([1, 1, 0])) == 1.0


# classes


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_classes_agree_with_scikit_learn(seed):
    truth, predicted = rng(seed).integers(0, 4, (2, 60))
    scores = metrics.class_scores(metrics.confusion(truth, predicted, 4))
    assert scores["accuracy"] == pytest.approx(sklearn.accuracy_score(truth, predicted))
    assert scores["balanced accuracy"] == pytest.approx(sklearn.balanced_accuracy_score(truth, predicted))  # fmt: skip
    for average in ("macro", "micro"):
        assert scores[f"{average} F1"] == pytest.approx(sklearn.f1_score(truth, predicted, average=average))  # fmt: skip


def test_classes_that_are_nowhere_do_not_count():
    truth, predicted = np.array([0, 0, 1]), np.array([0, 2, 1])
    scores = metrics.class_scores(metrics.confusion(truth, predicted, 5))
    assert scores["balanced accuracy"] == pytest.approx((1 / 2 + 1) / 2)
    assert scores["macro F1"] == pytest.approx(sklearn.f1_score(truth, predicted, average="macro"))


def test_precision_and_recall_of_each_class():
    table = metrics.per_class(metrics.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2), ["a", "b"])  # fmt: skip
    assert table["a"] == {"precision": 1.0, "recall": 0.5, "F1": pytest.approx(2 / 3), "n": 2}


def test_several_labels_an_object_agree_with_scikit_learn():
    truth, predicted = rng(0).random((2, 50, 4)) < 0.4
    scores = metrics.label_scores(*((a & b).sum(axis=0) for a, b in ((truth, predicted), (~truth, predicted), (truth, ~predicted))))  # fmt: skip
    for average in ("macro", "micro"):
        assert scores[f"{average} F1"] == pytest.approx(sklearn.f1_score(truth, predicted, average=average))  # fmt: skip


def test_thresholds_give_the_best_f1_of_each_class():
    truth, chance = rng(0).random((40, 3)) < 0.3, rng(1).random((40, 3)).round(1)
    truth[:, 2] = False
    tuned = metrics.tune_thresholds(truth, chance)
    for k in range(2):
        reached = sklearn.f1_score(truth[:, k], chance[:, k] >= tuned[k])
        every = [sklearn.f1_score(truth[:, k], chance[:, k] >= t) for t in np.linspace(0, 1, 101)]
        assert reached == pytest.approx(max(every))
    assert tuned[2] == 0.5


def test_a_threshold_lies_between_two_probabilities():
    assert metrics.tune_thresholds([[1], [1], [0]], [[0.9], [0.6], [0.2]]).tolist() == [0.4]


def test_log_loss_agrees_with_scikit_learn():
    chance, truth = rng(0).dirichlet(np.ones(4), 30), rng(1).integers(0, 4, 30)
    chance[0] = (1, 0, 0, 0)
    truth[0] = 2
    assert metrics.log_losses(truth, chance).mean() == pytest.approx(sklearn.log_loss(truth, chance, labels=range(4)))  # fmt: skip
    labels, each = rng(2).random((30, 2)) < 0.5, rng(3).random((30, 2))
    expected = np.mean([sklearn.log_loss(labels[:, k], each[:, k]) for k in range(2)])
    assert metrics.log_losses(labels, each).mean() == pytest.approx(expected)


def test_calibration_error_by_hand():
    # bin (0.4, 0.5]: 2 of confidence 0.5, none right; bin (0.9, 1]: 2 of confidence 1, one right
    bins = metrics.bin_reliability([0.5, 0.5, 1.0, 1.0], [0, 0, 1, 0], n_bins=10)
    assert bins.count.tolist() == [0, 0, 0, 0, 2, 0, 0, 0, 0, 2]
    assert metrics.calibration_error(*bins) == pytest.approx(0.5)
    assert metrics.bin_reliability([0.0], [1], 2).count.tolist() == [1, 0]


def test_reliability_agrees_with_scikit_learn():
    from sklearn.calibration import calibration_curve

    chance = rng(0).random(500)
    right = rng(1).random(500) < chance
    bins = metrics.bin_reliability(chance, right, 10)
    share, confidence = calibration_curve(right, chance, n_bins=10)
    np.testing.assert_allclose(bins.right / bins.count, share)
    np.testing.assert_allclose(bins.confidence / bins.count, confidence)
