"""The official numbers against a slow recomputation and hand-worked borders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from cases.imaging import masks
from quiz.scoring.official import official
from quiz.scoring.overlap import dice

SIZE = (4, 7, 8)


def brute(truth, painted):
    """The benchmark's rules, written as plainly as possible."""
    eps = 1e-6

    def of(a, b):
        return (2 * np.logical_and(a, b).sum() + eps) / (a.sum() + b.sum() + eps)

    labels, count = ndimage.label(painted, ndimage.generate_binary_structure(3, 2))
    parts = [labels == n for n in range(1, count + 1)]
    parts = sorted((part for part in parts if part.sum() >= 10), key=lambda part: -part.sum())[:50]
    instances = [truth == value for value in np.unique(truth) if value]
    left_t, left_p, tp = list(range(len(instances))), list(range(len(parts))), 0
    while left_t and left_p:
        best = max(((of(instances[t], parts[p]), t, p) for t in left_t for p in left_p), key=lambda row: row[0])
        if best[0] < 0.2:
            break
        tp += 1
        left_t.remove(best[1])
        left_p.remove(best[2])
    kept = np.any(parts, axis=0) if parts else np.zeros_like(painted)
    return of(truth > 0, painted), of(truth > 0, kept), tp, len(parts) - tp, len(instances) - tp


@settings(deadline=None, max_examples=150)
@given(
    arrays(np.uint8, SIZE, elements=st.sampled_from([0, 0, 1, 1, 3])), arrays(np.bool_, SIZE, elements=st.booleans())
)
def test_agrees_with_brute_force(truth, painted):
    got = official(masks.from_dense(truth), masks.from_dense(painted))
    whole, kept, tp, fp, fn = brute(truth, painted)
    assert got.dice == whole
    assert got.kept_dice == kept
    assert got.hit == (whole >= 0.1)
    assert (got.instances.tp, got.instances.fp, got.instances.fn) == (tp, fp, fn)


def test_empty_masks():
    assert dice(0, 0, 0) == 1.0
    assert dice(0, 50, 0) == pytest.approx(0, abs=1e-7)


def line(start, length, value=1):
    out = np.zeros((3, 3, 120), np.uint8)
    out[1, 1, start : start + length] = value
    return out


def test_the_hit_border_is_included():
    # 2 * 5 / (50 + 50) = 0.1 exactly, and the epsilon keeps it at or above.
    assert official(masks.from_dense(line(0, 50)), masks.from_dense(line(45, 50))).hit
    assert not official(masks.from_dense(line(0, 50)), masks.from_dense(line(46, 50))).hit


def test_nine_voxels_are_no_instance_and_ten_are():
    truth = masks.from_dense(line(0, 10))
    assert official(truth, masks.from_dense(line(0, 9))).instances.tp == 0
    assert official(truth, masks.from_dense(line(0, 10))).instances.tp == 1


def test_the_match_border_is_included():
    # 2 * 10 / (60 + 40) = 0.2 exactly.
    assert official(masks.from_dense(line(0, 60)), masks.from_dense(line(50, 40))).instances.tp == 1
    assert official(masks.from_dense(line(0, 60)), masks.from_dense(line(51, 40))).instances.tp == 0


def test_greedy_takes_the_best_pair_even_if_two_worse_ones_were_possible():
    # Truth 1: columns 0-29, truth 2: 30-49. Paint A: 10-39. Paint B: 0-8 and one voxel beside, so 10 voxels, 9 on truth.
    # Dice A-1: 2 * 20 / (30 + 30) = 0.667; A-2: 2 * 10 / (20 + 30) = 0.4; B-1: 2 * 9 / (30 + 10) = 0.45.
    # Greedy: A-1 first, then B finds 1 taken and 2 has no overlap: one match. The best assignment (B-1, A-2) has two.
    truth = np.zeros((3, 3, 60), np.uint8)
    truth[1, 1, 0:30], truth[1, 1, 30:50] = 1, 2
    painted = np.zeros_like(truth)
    painted[1, 1, 10:40] = 1
    painted[1, 1, 0:9] = 1
    painted[1, 0, 0] = 1
    got = official(masks.from_dense(truth), masks.from_dense(painted)).instances
    assert (got.tp, got.fp, got.fn) == (1, 1, 1)


def test_fifty_components_are_kept_the_largest():
    truth = np.zeros((3, 110, 60), np.uint8)
    painted = np.zeros_like(truth)
    for n in range(51):
        painted[1, 2 * n, 0 : 10 + (n > 0)] = 1  # the first has 10 voxels, the others 11
    truth[1, 0, 0:10] = 1
    got = official(masks.from_dense(truth), masks.from_dense(painted)).instances
    assert (got.tp, got.fp, got.fn) == (0, 50, 1)  # the one on the truth was the smallest, and is gone


def test_corner_contact_does_not_join():
    painted = np.zeros((8, 8, 20), np.uint8)
    painted[1, 1, 0:10] = 1
    painted[2, 2, 10:20] = 1  # touches only at a corner: two components by 18-connectivity
    got = official(masks.from_dense(line(0, 1)[:, :, :20] * 0), masks.from_dense(painted[:3, :3]))
    assert got.instances.fp == 2


def test_precision_and_recall_of_nothing():
    counts = official(masks.empty((3, 3, 3)), masks.empty((3, 3, 3))).instances
    assert (counts.precision, counts.recall, counts.f1) == (1.0, 1.0, 1.0)
