"""The engine without a network on synthetic chests. It says that the rules work as written, nothing about patients."""

import numpy as np
import pytest

from cases.imaging import masks
from cases.imaging.geometry import Grid
from cases.imaging.phantom import lesions
from cases.imaging.phantom.chest import finish
from quiz.grounding import classical
from quiz.grounding.base import Heat
from quiz.grounding.lungs import find_lungs
from quiz.grounding.regions import Region, heat_of, paint
from quiz.grounding.shown import peak
from quiz.scoring.official import official
from tests.grounding import quadrants

RIGHT, LEFT = 1, 2


@pytest.fixture(scope="module")
def engine():
    return classical.make()


def test_each_of_four_equal_nodules_is_found_by_its_words(engine):
    voxels, grid, truth = quadrants.chest()
    answers = engine.ground(voxels, grid, [quadrants.sentence(*place) for place in truth])
    for place, answer in zip(truth, answers, strict=True):
        dice = {
            other: official(masks.from_dense(one.astype(np.uint8)), answer.mask).dice for other, one in truth.items()
        }
        assert dice.pop(place) > 0.6, place
        assert max(dice.values()) < 1e-6, place  # not 0: the benchmark's epsilon
        assert truth[place][peak(answer.heat)]


def test_several_are_marked_when_several_are_named(engine):
    voxels, grid, truth = quadrants.chest()
    (answer,) = engine.ground(voxels, grid, ["Nodules of 22 mm in both lungs"])
    found = [place for place, one in truth.items() if answer.mask.dense()[one].mean() > 0.5]
    assert len(found) == 4


def findings():
    """(name, sentence, function that puts it into a chest, least Dice). The limits are well below what was seen."""
    return [
        ("consolidation", "Consolidation in the left lower lobe",
         lambda c: lesions.consolidation(c, (58, 40, 84), (34, 26, 34), side=LEFT, lobe=3), 0.5),
        ("pneumothorax", "Left pneumothorax", lambda c: lesions.pneumothorax(c, side=LEFT, depth_mm=26), 0.4),
        ("emphysema", "Emphysema in the upper lobes of both lungs",
         lambda c: lesions.emphysema(c, sides=(RIGHT, LEFT), lobe=1, count=500), 0.2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sentence", "put", "least"), findings(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_large_findings_are_found(engine, name, sentence, put, least):
    chest = quadrants.healthy()
    truth = put(chest)
    (answer,) = engine.ground(finish(chest), chest.body.grid, [sentence])
    assert official(masks.from_dense((truth > 0).astype(np.uint8)), answer.mask).dice >= least


def test_a_coarse_region_is_painted_on_voxels_within_its_band():
    size = (4, 6, 6)
    voxels = np.full(size, -900, dtype=np.int16)
    voxels[:, :, :3] = 0
    grid = Grid(size, (1.0, 1.0, 1.0), ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)))
    cells = np.zeros((2, 3, 3), dtype=bool)
    cells[1, 1, :] = True  # slices 2 and 3, rows 2 and 3, all columns
    mask = paint([Region(cells, (0, 0, 0), (2, 2, 2), 1.0, (-200, 200))], voxels, grid).dense()
    # Columns 0 and 1 are 0 HU; column 2 is the mean of 0, 0 and -900 in its row: -300, out of the band.
    expected = np.zeros(size, dtype=np.uint8)
    expected[2:4, 2:4, 0:2] = 1
    np.testing.assert_array_equal(mask, expected)


def test_heat_is_strongest_at_the_best_proposal():
    voxels, grid, _ = quadrants.chest()
    lungs = find_lungs(voxels, grid)
    one = np.ones((1, 1, 1), dtype=bool)
    heat = heat_of([Region(one, (10, 20, 30), (1, 1, 1), 2.0), Region(one, (40, 80, 90), (1, 1, 1), 1.0)], lungs)
    assert isinstance(heat, Heat)
    at = tuple(c // s for c, s in zip((10, 20, 30), lungs.step, strict=True))
    other = tuple(c // s for c, s in zip((40, 80, 90), lungs.step, strict=True))
    assert heat.values[at] == 255
    assert heat.values[other] == 128  # half of 255, rounded to even


def test_the_answer_is_the_same_every_time(engine):
    voxels, grid, _ = quadrants.chest()
    one, two = (engine.ground(voxels, grid, ["Nodule in the left lung"])[0] for _ in range(2))
    assert masks.digest(one.mask) == masks.digest(two.mask)
