"""Scores against answers worked out by hand, scikit-learn and brute force."""

from itertools import combinations, permutations

import numpy as np
import pytest
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
