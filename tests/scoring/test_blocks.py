"""Blocks of a centimetre: hand-worked, and the laws that their place gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.imaging import masks
from cases.imaging.geometry import Grid
from quiz.scoring.blocks import Blocks, judge
from quiz.scoring.grade import grade
from quiz.scoring.question import Question

# Spacing 2 x 1 x 1 mm: 5, 11 and 11 voxels are the odd numbers nearest to a centimetre.
SIZE, SPACING = (20, 44, 55), (2.0, 1.0, 1.0)
GRID = Grid(SIZE, SPACING, ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 2.0, 0), (0, 0, 0, 1.0)))


def box(k, j, i):
    out = np.zeros(SIZE, np.uint8)
    out[k[0] : k[1], j[0] : j[1], i[0] : i[1]] = 1
    return out


def of(truth, painted, *, whole):
    return judge(masks.from_dense(truth), masks.from_dense(painted), GRID, whole=whole)


def test_where_blocks_begin():
    # j: 22 voxels from 11, an even number: an edge in their middle, 22. i: 11 from 20: one block holds them exactly.
    # k: 5 from 3, likewise, so edges at 3, 8, 13, 18 and the ends.
    blocks = Blocks(masks.from_dense(box((3, 8), (11, 33), (20, 31))), GRID, flat=False)
    assert [edges.tolist() for edges in blocks.edges] == [
        [0, 3, 8, 13, 18, 20], [0, 11, 22, 33, 44], [0, 9, 20, 31, 42, 53, 55],
    ]  # fmt: skip


def test_half_of_the_blocks_painted():
    truth = box((3, 8), (11, 33), (20, 31))  # exactly two blocks
    half = box((3, 8), (11, 22), (20, 31))  # exactly one of them
    got = of(truth, half, whole=True)
    assert (got.recall, got.precision, got.f1) == (0.5, 1.0, pytest.approx(2 / 3))


def test_a_tenth_fills_a_block_and_less_does_not():
    truth = box((3, 8), (11, 33), (20, 31))
    # A block holds 5 * 11 * 11 = 605 voxels; 61 are a tenth of it, 60 are not. One row of 11 on five slices is 55.
    almost = box((3, 8), (11, 12), (20, 31))
    almost[3, 12, 20:25] = 1
    assert of(truth, almost, whole=True).recall == 0.0
    almost[3, 12, 25] = 1
    assert of(truth, almost, whole=True).recall == 0.5


def test_slice_by_slice_only_painted_slices_are_asked():
    truth = box((3, 8), (11, 33), (20, 31))
    one = np.zeros_like(truth)
    one[5] = truth[5]
    got = of(truth, one, whole=False)
    assert (got.recall, got.precision) == (1.0, 1.0)
    # All of it asked: one slice of five fills a fifth of each of both blocks, which is enough.
    assert of(truth, one, whole=True).recall == 1.0


def test_a_truth_too_thin_for_any_block_is_not_judged_here():
    assert of(box((3, 4), (11, 12), (20, 24)), box((3, 8), (11, 33), (20, 31)), whole=True) is None


places = st.tuples(*(st.integers(0, n - 1) for n in SIZE))
lumps = st.lists(st.tuples(places, st.integers(2, 9)), min_size=1, max_size=4)


def lumpy(listed):
    out = np.zeros(SIZE, np.uint8)
    for (k, j, i), width in listed:
        out[k : k + width // 2, j : j + width, i : i + width] = 1
    return out


@settings(deadline=None, max_examples=60)
@given(lumps, lumps, st.integers(0, 2), st.booleans())
def test_mirrors_change_nothing(truth, painted, axis, whole):
    one, other = lumpy(truth), lumpy(painted)
    straight = of(one, other, whole=whole)
    mirrored = of(np.flip(one, axis).copy(), np.flip(other, axis).copy(), whole=whole)
    assert straight == mirrored


@settings(deadline=None, max_examples=60)
@given(lumps, lumps, lumps, st.sampled_from(["slice", "volume"]), st.booleans())
def test_paint_far_away_never_raises_the_score(truth, painted, more, mode, exhaustive):
    true = lumpy(truth)
    (k, j, i) = (slice(box.start, box.stop) for box in masks.from_dense(true).box)
    extra = lumpy(more)
    extra[max(0, k.start - 8) : k.stop + 8, max(0, j.start - 15) : j.stop + 15, max(0, i.start - 15) : i.stop + 15] = 0
    question = Question(masks.from_dense(true), GRID, "1c", exhaustive, "Emphysema")
    if judge(question.truth, question.truth, GRID, whole=mode == "volume") is None:
        return  # judged like a focal finding, which has this law of its own
    before = grade(question, masks.from_dense(lumpy(painted)), mode=mode).score
    after = grade(question, masks.from_dense(lumpy(painted) | extra), mode=mode).score
    if before is not None:
        assert after is not None
        assert after <= before
