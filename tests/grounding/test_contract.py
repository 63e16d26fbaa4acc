"""What every engine must do, asked of all that are registered; one that cannot run on this machine is skipped.

The phantom holds the same nodule in four places. An engine may mark nothing, but what it marks must be where the words say,
whatever the orientation of the file that the CT was read from.
"""

import numpy as np
import pytest

from cases.imaging import nifti
from cases.imaging.geometry import Grid
from quiz.grounding import registry
from quiz.grounding.base import EngineUnavailable, Grounding, GroundingCancelled
from quiz.grounding.confidence import agreement
from quiz.grounding.sentence import parse
from quiz.grounding.shown import checked
from tests.grounding import quadrants

ABSURD = [
    "The quick brown fox jumps over the lazy dog",
    "nodule " * 1429,  # 10,003 characters
    "Nódulo pulmonar sólido en el lóbulo superior derecho",
    "No nodule in the right lung",
    "",
]
EMPTY_SCANS = {"water": 0, "air": -1000, "lung": -850, "metal": 3071, "lowest": -1024}


@pytest.fixture(scope="module", params=sorted(registry.names()))
def engine(request):
    try:
        return registry.make(request.param)
    except EngineUnavailable as error:
        pytest.skip(f"{request.param}: {error}")


@pytest.fixture(scope="module")
def asked(engine):
    """The four sentences, and the engine's answers on the phantom."""
    voxels, grid, _ = quadrants.chest()
    places = list(quadrants.PLACES)
    answers = engine.ground(voxels, grid, [quadrants.sentence(*place) for place in places])
    return dict(zip(places, answers, strict=True))


def same(a: Grounding, b: Grounding) -> bool:
    """Equal but for a network's rounding, which depends on how many sentences it is given at once."""
    if a.mask.is_empty or b.mask.is_empty:
        return a.mask.is_empty and b.mask.is_empty
    return agreement(a.mask, b.mask) > 0.95 and abs(a.confidence - b.confidence) < 0.1


def test_it_says_who_it_is(engine):
    assert engine.name in registry.names()
    assert isinstance(engine.version, str)
    assert engine.version


def test_answers_come_in_order_and_fit_the_scan(asked):
    _, grid, _ = quadrants.chest()
    for place, answer in asked.items():
        assert answer.sentence == quadrants.sentence(*place)
        checked(answer, grid)
        assert set(answer.mask.values.tolist()) <= {1}
        assert 0 <= answer.confidence <= 1
        assert all(isinstance(word, str) for pair in answer.attributes.items() for word in pair)
        if answer.heat is not None:
            assert answer.heat.values.any()


def test_it_says_what_it_read(asked):
    for (side, lobe), answer in asked.items():
        assert answer.attributes["category"] == "2d"
        assert answer.attributes["side"] == side
        assert lobe in answer.attributes["lobe"]


def test_left_is_left_and_up_is_up(asked):
    _, grid, truth = quadrants.chest()
    middle_i = grid.size[2] / 2
    middle_k = np.mean([np.argwhere(one)[:, 0].mean() for one in truth.values()])
    for (side, lobe), answer in asked.items():
        if not answer.mask.is_empty:
            k, _, i = answer.mask.centroid()
            assert (i > middle_i) == (side == "left")
            assert (k > middle_k) == (lobe == "upper")


@pytest.mark.parametrize("codes", ["LPS", "RAS"])
def test_the_file_s_orientation_makes_no_difference(engine, asked, codes, tmp_path):
    voxels, grid, _ = quadrants.chest()
    ct = nifti.read_ct(quadrants.write(tmp_path / f"{codes}.nii.gz", voxels, grid, codes=codes))
    np.testing.assert_array_equal(ct.voxels, voxels)
    for place in (("left", "lower"), ("right", "upper")):
        (again,) = engine.ground(ct.voxels, ct.grid, [quadrants.sentence(*place)])
        assert same(again, asked[place])


def test_nothing_asked_nothing_answered(engine):
    voxels, grid, _ = quadrants.chest()
    assert engine.ground(voxels, grid, []) == []


def test_a_sentence_that_cannot_be_answered_gets_a_note(engine):
    voxels, grid, _ = quadrants.chest()
    for sentence, answer in zip(ABSURD, engine.ground(voxels, grid, ABSURD), strict=True):
        assert answer.mask.is_empty, sentence[:40]
        assert answer.note == parse(sentence).note != "", sentence[:40]
        assert answer.confidence == 0


def test_progress_only_grows_and_reaches_the_end(engine):
    voxels, grid, _ = quadrants.chest()
    told = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    engine.ground(voxels, grid, [quadrants.sentence("left", "lower")], progress=progress)
    assert told[-1][0] == told[-1][1]
    assert len({total for _, total in told}) == 1
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_it_stops_when_told_to(engine):
    voxels, grid, _ = quadrants.chest()
    with pytest.raises(GroundingCancelled):
        engine.ground(voxels, grid, [quadrants.sentence("left", "lower")], progress=lambda done, total: False)


@pytest.mark.parametrize("what", sorted(EMPTY_SCANS))
def test_a_scan_without_lungs_is_answered_in_words(engine, what):
    size = (20, 30, 34)
    voxels = np.full(size, EMPTY_SCANS[what], dtype=np.int16)
    grid = Grid(size, (5.0, 3.0, 3.0), ((3.0, 0, 0, 0), (0, 3.0, 0, 0), (0, 0, 5.0, 0), (0, 0, 0, 1.0)))
    for answer in engine.ground(voxels, grid, ["Nodule in the right lung", "Left pleural effusion"]):
        checked(answer, grid)
        assert answer.mask.is_empty
        assert answer.note or engine.name == "text"


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 40, 40), (60, 1, 2)])
def test_a_scan_of_hardly_any_voxels_does_no_harm(engine, size):
    grid = Grid(size, (5.0, 3.0, 3.0), ((3.0, 0, 0, 0), (0, 3.0, 0, 0), (0, 0, 5.0, 0), (0, 0, 0, 1.0)))
    voxels = np.full(size, -850, dtype=np.int16)
    (answer,) = engine.ground(voxels, grid, ["Consolidation in the left lower lobe"])
    checked(answer, grid)
