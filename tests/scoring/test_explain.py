"""Where every voxel goes, and what is said of each part."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases.imaging import masks
from cases.imaging.geometry import Grid
from quiz.scoring.explain import KINDS, areas, parts, unjudged
from quiz.scoring.grade import grade
from quiz.scoring.question import Question

SIZE = (20, 60, 60)
GRID = Grid(SIZE, (2.0, 1.0, 1.0), ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 2.0, 0), (0, 0, 0, 1.0)))


def block(*boxes):
    out = np.zeros(SIZE, np.uint8)
    for n, (k, j, i) in enumerate(boxes, start=1):
        out[k[0] : k[1], j[0] : j[1], i[0] : i[1]] = n
    return out


def ask(truth, *, exhaustive=True, category="2d"):
    return Question(masks.from_dense(truth), GRID, category, exhaustive, "A nodule")


def counted(question, painted, mode):
    sizes = areas(question, masks.from_dense(painted > 0), mode=mode).sizes()
    return {KINDS[value - 1]: voxels for value, voxels in sizes.items()}


NODULE = ((8, 12), (20, 30), (20, 30))  # 4 slices of 10 x 10


def test_too_wide_is_what_lies_beyond_the_tolerance():
    # Sharp border: the tolerance is max(2, 1.5 * 2) = 3 mm, 3 voxels in the plane. On slice 9 the paint goes from 20 to
    # 40 along i: 10 + 3 columns count as on it, 7 beyond; 10 rows each.
    painted = block(((9, 10), (20, 30), (20, 40)))
    assert counted(ask(block(NODULE)), painted, "slice") == {"hit": 130, "too_wide": 70}


def test_too_narrow_is_what_paint_does_not_reach():
    # Paint on column 20 only: columns 24 to 29 are more than 3 mm away: 6 columns of 10 rows.
    painted = block(((9, 10), (20, 30), (20, 21)))
    assert counted(ask(block(NODULE)), painted, "slice") == {"hit": 10, "missed": 60}


def test_in_locate_mode_a_touch_is_enough():
    painted = block(((9, 10), (24, 26), (24, 26)))
    assert counted(ask(block(NODULE)), painted, "locate") == {"hit": 4}


def test_a_second_nodule_that_was_not_touched_is_missed_whole():
    truth = block(NODULE, ((2, 4), (45, 50), (45, 50)))  # the other: 2 slices of 5 x 5
    painted = (block(NODULE) > 0).astype(np.uint8)
    assert counted(ask(truth), painted, "volume") == {"hit": 400, "missed": 50}


@pytest.mark.parametrize(("exhaustive", "kind"), [(True, "wrong"), (False, "not_judged")])
def test_a_far_mark(exhaustive, kind):
    painted = block(NODULE, ((2, 4), (50, 54), (50, 54)))
    got = counted(ask(block(NODULE), exhaustive=exhaustive), painted, "volume")
    assert got == {"hit": 400, kind: 32}


def test_blocks_beside_are_wrong_and_blocks_left_out_are_missed():
    # k: 2 mm, 5 voxels a block; j and i: 11. Truth: exactly two blocks beside each other; paint: the second and a third.
    truth = block(((5, 10), (11, 33), (22, 33)))
    painted = block(((5, 10), (22, 44), (22, 33)))
    one = 5 * 11 * 11
    got = counted(ask(truth, category="1c"), painted, "volume")
    assert got == {"hit": one, "wrong": one, "missed": one}


boxes = st.tuples(
    *(st.tuples(st.integers(0, n - 2), st.integers(1, 12)).map(lambda p: (p[0], p[0] + p[1])) for n in SIZE)
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(boxes, min_size=1, max_size=3), st.lists(boxes, min_size=1, max_size=3),
    st.sampled_from(["2d", "2b", "1c"]), st.sampled_from(["locate", "slice", "volume"]), st.booleans(),
)  # fmt: skip
def test_every_painted_voxel_is_counted_once(truth, painted, code, mode, exhaustive):
    true, paint = block(*truth), block(*painted) > 0
    question = ask(true, exhaustive=exhaustive, category=code)
    counted = areas(question, masks.from_dense(paint), mode=mode)
    got = counted.dense()
    missed = got == KINDS.index("missed") + 1
    assert ((got > 0) & ~missed == paint).all()
    assert not (missed & (true == 0)).any()
    apart = unjudged(question, masks.from_dense(paint), mode=mode).dense()
    assert (apart == (got == KINDS.index("not_judged") + 1)).all()


def said(question, painted, mode="slice"):
    answer = masks.from_dense(painted > 0)
    got = grade(question, answer, mode=mode)
    return {part.name: (part.value, " ".join(part.sentences)) for part in parts(question, got)}


def test_the_parts_are_said_with_their_numbers():
    truth = block(NODULE, ((2, 4), (45, 50), (45, 50)))
    painted = block(((9, 10), (20, 30), (20, 40)), ((15, 16), (50, 55), (10, 15)))
    got = said(ask(truth), painted)
    assert got["find"][0] == 0.5
    # Slice numbers count from the head: k = 8 of 20 is slice 12 (the first of the slices of equal area).
    assert got["find"][1] == (
        "The reference marks 2 places; all 2 are asked for. Slice 12: found, full credit. Slice 18: missed."
    )
    # 130 of 200 painted voxels within 3 mm, all of the nodule's slice painted: 2 * 0.65 * 1 / 1.65 = 0.788.
    assert "65% of your paint lies on it, 100% of it is painted; together 79%" in got["outline"][1]
    assert (
        got["restraint"][1]
        == "One mark is known to be wrong, with the weight 0.5 each, beside 1 found: 1 / (1 + 0.5) = 67%."
    )
    # 100 * 0.5 * (0.5 + 0.5 * 0.788) * 0.667 = 29.8
    assert got["score"][1].endswith("= 30.")


def test_an_interval_is_said():
    painted = block(NODULE, ((2, 4), (50, 54), (50, 54)))
    words = said(ask(block(NODULE), exhaustive=False), painted, "volume")["score"][1]
    assert "leaves 67 to 100 possible" in words
    assert words.endswith("has not been measured; marks beside it are not judged.")
    # Half believed to be complete: half way from the lowest, 100 / 1.5 = 66.7, to what was judged, 100.
    half = replace(ask(block(NODULE), exhaustive=False), completeness=0.5)
    assert said(half, painted, "volume")["score"][1].endswith("a chance of 50%; weighed by that, the score is 83.")


def test_paint_that_fills_no_block_counts_against_nobody():
    # A flat block is 11 x 11 = 121 voxels, marked from 12.1 on: 3 x 3 = 9 on the finding are none.
    truth = block(((5, 10), (11, 44), (11, 44)))
    speck, whole = block(((7, 8), (20, 23), (20, 23))), block(((7, 8), (11, 33), (11, 22)))
    assert said(ask(truth, category="1c"), speck)["restraint"][1].startswith("Your paint fills no block")
    assert said(ask(truth, category="1c"), whole)["restraint"][1] == "Share of your blocks that count against you: 0%."


def test_nothing_judged_is_said():
    painted = block(((2, 4), (50, 54), (50, 54)))
    (only,) = said(ask(block(NODULE), exhaustive=False), painted).items()
    assert only[0] == "score"
    assert only[1][0] is None
