"""A chest of two boxes of lung, in which every place can be counted by hand."""

import numpy as np
import pytest

from cases.imaging.geometry import Grid
from quiz.grounding.lungs import block_mean, find_lungs
from quiz.grounding.prior import prior, words_used
from quiz.grounding.sentence import parse

SIZE, MM = (80, 70, 90), 3.0
GRID = Grid(SIZE, (MM, MM, MM), ((MM, 0, 0, 0), (0, MM, 0, 0), (0, 0, MM, 0), (0, 0, 0, 1)))
UP, BACK = (8, 72), (12, 58)
RIGHT, LEFT = (10, 38), (52, 80)
"""Two lungs of 64 x 46 x 28 cells, 2.2 l each; the middle of the chest is column 44.5."""


def chest(*, right=RIGHT, left=LEFT, up=UP):
    hu = np.full(SIZE, 40, np.int16)
    for columns in (right, left):
        if columns:
            hu[up[0] : up[1], BACK[0] : BACK[1], columns[0] : columns[1]] = -850
    return hu


@pytest.fixture(scope="module")
def lungs():
    found = find_lungs(chest(), GRID)
    assert found is not None
    return found


def middle_of(field):
    """Weighted middle (k, j, i) of a map."""
    return tuple(float((field.sum(axis=axes) * np.arange(n)).sum() / field.sum()) for axes, n in
                 zip(((1, 2), (0, 2), (0, 1)), field.shape, strict=True))  # fmt: skip


def test_the_lungs_are_found(lungs):
    assert lungs.step == (1, 1, 1)
    assert lungs.whole
    # 2 x 64 x 46 x 28 cells of 0.027 ml
    assert lungs.air_ml == pytest.approx(2 * 64 * 46 * 28 * 0.027)
    assert 37 < lungs.midline < 52
    assert (lungs.air == (chest() < -400)).all()


def test_up_back_and_out_run_from_base_front_and_midline(lungs):
    assert lungs.up[UP[0], 30, 20] < 0.02 < 0.98 < lungs.up[UP[1] - 1, 30, 20]
    assert lungs.back[40, BACK[0], 20] < 0.03 < 0.97 < lungs.back[40, BACK[1] - 1, 20]
    assert lungs.out[40, 30, RIGHT[0]] > 0.9
    assert lungs.out[40, 30, LEFT[1] - 1] > 0.9
    assert lungs.out[40, 30, RIGHT[1] - 1] < 0.3


@pytest.mark.parametrize(
    ("sentence", "inside", "outside"),
    [
        # (k, j, i): k grows to the head, j to the back, i to the patient's left.
        ("Nodule in the right lung", (40, 35, 20), (40, 35, 70)),
        ("Nodule in the left lung", (40, 35, 70), (40, 35, 20)),
        ("Nodule in the upper zone of the left lung", (65, 35, 70), (15, 35, 70)),
        ("Nodule in the lower zone of the left lung", (15, 35, 70), (65, 35, 70)),
        ("Nodule in the middle zone of the right lung", (40, 35, 20), (65, 35, 20)),
        ("Nodule in the right upper lobe", (65, 20, 20), (15, 50, 20)),
        ("Nodule in the right lower lobe", (15, 50, 20), (65, 20, 20)),
        ("Nodule in the right middle lobe", (25, 18, 20), (60, 18, 20)),
        ("Nodule in the lingula", (25, 18, 70), (25, 18, 20)),
        ("Nodule in the left upper lobe", (25, 18, 70), (15, 50, 70)),  # the lingula belongs to it
        ("Posterior nodule in the right lung", (40, 52, 20), (40, 16, 20)),
        ("Anterior nodule in the right lung", (40, 16, 20), (40, 52, 20)),
        ("Peripheral nodule in the left lung", (40, 35, 78), (40, 35, 54)),
        ("Perihilar nodule in the left lung", (40, 35, 54), (40, 35, 78)),
        ("Pleural effusion on the right", (20, 56, 11), (20, 56, 78)),
    ],
)
def test_words_for_places(lungs, sentence, inside, outside):
    field = prior(lungs, parse(sentence))
    assert field[inside] > 0.5
    assert field[outside] < 0.05
    assert field.min() >= 0
    assert field.max() <= 1


def test_no_word_for_a_place_leaves_the_whole_of_the_lungs(lungs):
    field = prior(lungs, parse("Emphysema"))
    assert (field[lungs.air] == 1).all()
    assert field[40, 1, 1] == 0  # far outside


def test_a_mirrored_chest_gives_mirrored_maps():
    """Lungs of different size, so that the mirror image is another chest."""
    hu = chest(right=(10, 34))
    there, back = find_lungs(hu, GRID), find_lungs(hu[:, :, ::-1].copy(), GRID)
    for one, other in (("right lower lobe", "left lower lobe"), ("left upper zone", "right upper zone")):
        a, b = prior(there, parse(f"Nodule in the {one}")), prior(back, parse(f"Nodule in the {other}"))
        assert np.abs(middle_of(a)[2] + middle_of(b)[2] - (SIZE[2] - 1)) < 2.5  # cells: the border lies on whole cells
        assert middle_of(a)[0] == pytest.approx(middle_of(b)[0], abs=0.5)


def cut_chest(up, keep):
    """What is left of a chest whose lungs span the slices ``up`` when only the slices ``keep`` were scanned."""
    hu = chest(up=up)[slice(*keep)].copy()
    grid = Grid(hu.shape, (MM, MM, MM), GRID.affine)
    found = find_lungs(hu, grid)
    assert found is not None
    assert not found.whole
    return found


@pytest.mark.parametrize(
    ("keep", "upper", "lower"),
    [
        # Lungs of 64 slices, 192 mm, with 8 empty ones at either end, of which 41 slices, 123 mm, are seen. Most lungs are
        # 235 mm high, which is 78 slices: seen from the apex at 41 down, 35 is upper, and 5 is middle; seen from the base
        # at 8 up, 45 is middle and 12 is lower.
        ((31, 80), (35, 35, 70), (5, 35, 70)),
        ((0, 49), (45, 35, 70), (12, 35, 70)),
    ],
)
def test_a_cut_chest_is_measured_from_the_end_that_is_seen(keep, upper, lower):
    cut = cut_chest(UP, keep)
    seen_from_apex = keep[1] == 80
    assert (cut.height.from_base, cut.height.from_apex) == (not seen_from_apex, seen_from_apex)
    word, wrong, where = ("upper", "lower", upper) if seen_from_apex else ("lower", "upper", lower)
    parsed = parse(f"Nodule in the {word} zone of the left lung")
    assert "estimated" in words_used(cut, parsed)
    field = prior(cut, parsed)
    assert field[where] > 0.5
    assert field[where[0], 35, 20] == 0  # the other side
    assert field[lower if seen_from_apex else upper] < 0.05  # the middle of the lung, though the end of the scan
    assert prior(cut, parse(f"Nodule in the {wrong} zone of the left lung"))[where] < 0.05


def test_a_slab_from_the_middle_uses_the_side_only():
    cut = cut_chest(UP, (20, 60))
    parsed = parse("Nodule in the left upper lobe")
    assert "Not used: lobe and zone" in words_used(cut, parsed)
    field = prior(cut, parsed)
    assert field[5, 50, 70] > 0.5
    assert field[35, 20, 20] < 0.05


def test_a_white_lung_gets_the_room_of_the_other():
    """The left lung holds next to no air: its room is the mirror image of the right one."""
    hu = chest(left=None)
    hu[60:72, BACK[0] : BACK[1], 66:80] = -850
    hu[:, :, :4] = hu[:, :, -4:] = -1000  # the whole patient is in the field, his middle at column 44.5
    found = find_lungs(hu, GRID)
    assert found is not None
    field = prior(found, parse("Consolidation in the left lower lobe"))
    assert field[15, 50, 70] > 0.5
    assert not found.air[15, 50, 70]
    assert found.midline == 44.5


@pytest.mark.parametrize("value", [40, -1000, 3000])
def test_no_lungs_is_said(value):
    assert find_lungs(np.full(SIZE, value, np.int16), GRID) is None
    assert "could not be made out" in words_used(None, parse("Nodule in the right lung"))


def test_block_means_by_hand():
    voxels = np.arange(12, dtype=np.int16).reshape(2, 2, 3)
    # One cell of 2 x 2 x 2 holds 0 1 3 4 6 7 9 10; the last column of cells is one voxel wide: 2 5 8 11.
    assert block_mean(voxels, (2, 2, 2)).tolist() == [[[40 / 8, 26 / 4]]]


def test_anisotropic_voxels_make_about_cubic_cells():
    size, mm = (48, 140, 180), (5.0, 1.5, 1.5)
    grid = Grid(size, mm, ((1.5, 0, 0, 0), (0, 1.5, 0, 0), (0, 0, 5, 0), (0, 0, 0, 1)))
    hu = chest().repeat(2, axis=1).repeat(2, axis=2)[np.arange(48) * 5 // 3]
    found = find_lungs(hu, grid)
    assert found.step == (1, 2, 2)
    assert found.cell_mm == (5.0, 3.0, 3.0)
    assert found.hu.shape == (48, 70, 90)
