"""Agreement, the answer of several engines, and the gates, on masks that can be counted by hand."""

import numpy as np
import pytest

from cases.imaging import masks
from cases.imaging.anatomy import LungField
from cases.imaging.geometry import Grid
from quiz.grounding.base import EngineError, EngineUnavailable, Grounding, GroundingCancelled, Heat
from quiz.grounding.combined import ALONE_HERE, APART, Combined, mean_heat, together
from quiz.grounding.confidence import agreed, agreement, alone
from quiz.grounding.gates import doubt, how_sure, placed, ranges_agree

SIZE = (12, 10, 20)
GRID = Grid(SIZE, (2.0, 1.0, 1.0), ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 2.0, 0), (0, 0, 0, 1.0)))


def box(k, j, i):
    dense = np.zeros(SIZE, dtype=np.uint8)
    dense[slice(*k), slice(*j), slice(*i)] = 1
    return masks.from_dense(dense)


NOTHING = masks.empty(SIZE)
ONE = box((2, 4), (2, 4), (2, 6))  # 16 voxels
HALF = box((2, 4), (2, 4), (4, 8))  # 16 voxels, 8 of them shared with ONE: Dice 16 / 32
ELSEWHERE = box((8, 10), (2, 4), (12, 16))


def answer(mask, confidence=0.4, *, note="", heat=None, category="2d"):
    return Grounding("Nodule", mask, heat, confidence, {"category": category}, note)


def test_agreement_is_dice():
    assert agreement(ONE, HALF) == 0.5
    assert agreement(ONE, ONE) == 1
    assert agreement(ONE, ELSEWHERE) == 0
    assert agreement(NOTHING, NOTHING) == 0  # two engines that see nothing confirm nothing


def test_confidence_grows_with_agreement():
    values = [agreed(dice) for dice in np.linspace(0, 1, 21)]
    assert values == sorted(values)
    assert agreed(0.0) == 0.2
    assert agreed(0.3) == 0.85


def test_one_engine_is_surer_of_a_single_proposal_than_of_two_equal_ones():
    assert alone([], whole=True) == 0
    assert alone([3.0, 3.0], whole=True) == pytest.approx(0.15)
    assert alone([3.0], whole=True) == pytest.approx(0.55)
    assert alone([3.0], whole=False) < alone([3.0], whole=True)


def test_pieces_joined_into_one_proposal_have_no_rival_to_lead():
    # Half-way between 0.15 and 0.55, and below the 0.5 from which heat is shown without a reference.
    assert alone([2.0], whole=True, joined=True) == pytest.approx(0.35)
    assert alone([2.0], whole=True) == pytest.approx(0.55)


def test_engines_that_agree_are_believed():
    said = together({"classical": answer(ONE), "tiny": answer(HALF)}, asked=2)
    assert said.confidence == agreed(0.5)
    assert said.note == ""


def test_where_they_agree_the_better_outline_is_taken():
    """Both are believed more in tiny than in classical; of nodules classical draws the better outline."""
    for category, taken in (("2d", ONE), ("2b", HALF)):
        given = {"classical": answer(ONE, category=category), "tiny": answer(HALF, category=category)}
        assert together(given, asked=2).mask is taken
    apart = together({"classical": answer(ONE), "tiny": answer(ELSEWHERE)}, asked=2)
    assert apart.mask is ELSEWHERE


def test_engines_that_differ_are_not_and_it_is_said():
    said = together({"classical": answer(ONE, 0.9), "tiny": answer(ELSEWHERE, 0.9)}, asked=2)
    assert said.confidence == agreed(0.0)
    assert said.note == APART


def test_an_engine_that_sees_nothing_leaves_the_other_alone():
    said = together({"classical": answer(ONE, 0.4), "tiny": answer(NOTHING, 0.0)}, asked=2)
    assert (said.mask, said.confidence, said.note) == (ONE, 0.4, ALONE_HERE)


def test_heat_of_two_is_their_mean_whatever_their_cells():
    coarse = np.zeros((6, 5, 10), dtype=np.uint8)
    coarse[1, 1, 1] = 200
    fine = np.zeros(SIZE, dtype=np.uint8)
    fine[3, 3, 3] = 100  # the middle of the coarse cell (1, 1, 1) of two voxels along each axis
    heat = mean_heat([answer(ONE, heat=Heat(coarse, (2, 2, 2))), answer(ONE, heat=Heat(fine, (1, 1, 1)))])
    assert heat is not None
    assert heat.step == (2, 2, 2)
    assert heat.values[1, 1, 1] == 150
    assert heat.values.sum() == 150


class Member:
    version = "1"

    def __init__(self, name, mask=None, error=None):
        self.name, self.mask, self.error = name, mask, error

    def ground(self, voxels, grid, sentences, *, progress=None):
        if self.error:
            raise self.error
        if progress and not progress(len(sentences), len(sentences)):
            raise GroundingCancelled("Stopped.")
        return [answer(self.mask) for _ in sentences]


VOXELS = np.zeros(SIZE, dtype=np.int16)


def test_a_member_that_fails_is_left_out():
    engine = Combined([Member("classical", ONE), Member("tiny", error=EngineError("no"))])
    (said,) = engine.ground(VOXELS, GRID, ["Nodule"])
    assert (said.mask, said.note) == (ONE, ALONE_HERE)


def test_a_member_whose_answer_does_not_fit_is_left_out():
    engine = Combined([Member("classical", ONE), Member("tiny", masks.empty((1, 2, 3)))])
    assert engine.ground(VOXELS, GRID, ["Nodule"])[0].mask is ONE


def test_if_all_fail_so_does_it():
    with pytest.raises(EngineError, match="broken"):
        Combined([Member("tiny", error=EngineError("broken"))]).ground(VOXELS, GRID, ["Nodule"])


def test_a_stop_is_no_failure():
    engine = Combined([Member("classical", ONE), Member("tiny", error=GroundingCancelled("Stopped."))])
    with pytest.raises(GroundingCancelled):
        engine.ground(VOXELS, GRID, ["Nodule"])


def test_without_members_it_is_not_there():
    with pytest.raises(EngineUnavailable):
        Combined([])


def test_progress_runs_over_all_members():
    told = []
    engine = Combined([Member("classical", ONE), Member("tiny", HALF)])
    engine.ground(VOXELS, GRID, ["a", "b"], progress=lambda done, total: told.append((done, total)) or True)
    assert told == [(2, 4), (4, 4)]


LUNGS = LungField(((1, 11), (0, 10), (1, 19)), 9.5, whole=True)
"""Slices 1..10: thirds of 10/3. Slices 2 and 3 are the lower third; 8 and 9 the upper one."""


def test_the_rungs_that_name_a_place():
    assert placed(ONE, HALF, LUNGS) == {"slices": True, "side": True, "zone": True}
    assert placed(ONE, ELSEWHERE, LUNGS) == {"slices": False, "side": False, "zone": False}
    assert placed(ONE, box((2, 4), (2, 4), (12, 16)), LUNGS) == {"slices": True, "side": False, "zone": True}


def test_what_cannot_be_told_is_neither_right_nor_wrong():
    cut = LungField(LUNGS.box, LUNGS.midline_i, whole=False)
    assert placed(ONE, HALF, cut) == {"slices": True, "side": True}
    assert placed(ONE, HALF, None) == {"slices": True}
    assert placed(NOTHING, ONE, LUNGS) == {}


def test_marking_nothing_is_wrong_wherever_the_truth_can_be_told():
    assert placed(ONE, NOTHING, LUNGS) == {"slices": False, "side": False, "zone": False}
    assert placed(ONE, NOTHING, None) == {"slices": False}


def test_slices_agree_by_half_of_the_longer_range():
    assert ranges_agree(box((0, 4), (0, 1), (0, 1)), box((2, 6), (0, 1), (0, 1)))  # 2 of 4
    assert not ranges_agree(box((0, 4), (0, 1), (0, 1)), box((3, 7), (0, 1), (0, 1)))  # 1 of 4
    assert not ranges_agree(box((0, 2), (0, 1), (0, 1)), box((0, 6), (0, 1), (0, 1)))  # 2 of 6


def test_gates_without_a_reference():
    assert doubt("2d", 0.85) == ""
    assert "half of the time" in doubt("1b", 0.85)
    assert "not sure" in doubt("2d", 0.3)


@pytest.mark.parametrize(
    ("confidence", "words"), [(0.95, "sure"), (0.8, "sure"), (0.7, "fairly sure"), (0.2, "not sure")]
)
def test_confidence_is_told_in_words_not_as_a_probability(confidence, words):
    assert how_sure(confidence) == words
