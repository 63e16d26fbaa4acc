"""The content check on phantoms and, where they are, on real chests: no alarm as they are, every turn is caught."""

from pathlib import Path

import numpy as np
import pytest

from cases.imaging import content, masks, nifti, nifti_masks, rexgrounding
from cases.imaging.phantom.cases import build, demo_cases, tiny

REAL = Path(__file__).resolve().parents[3] / "shared" / "cases" / "rexlike"
REAL_NAMES = ("train_9001_a_1", "train_9002_a_1", "train_9003_a_1", "train_9004_a_1")
FLIPS = {"left-right": (2,), "front-back": (1,), "top-bottom": (0,), "half a turn": (1, 2)}


def from_phantom(case):
    return case.voxels, case.grid.spacing_mm, [(f.category, masks.from_dense(f.truth)) for f in case.findings]


def from_files(name):
    entry = next(one for one in rexgrounding.read_entries(REAL) if one.stem == name)
    located = rexgrounding.locate_ct(REAL, [], entry)
    ct = nifti.read_ct(located[0])
    truth = nifti_masks.read_masks(rexgrounding.locate_mask(REAL, entry), ct.frame, findings=len(entry.sentences))
    return ct.voxels, ct.grid.spacing_mm, [(s.category, m) for s, m in zip(entry.sentences, truth, strict=True)]


def check_all(voxels, spacing, pairs):
    assert content.check(voxels, spacing, pairs) is None
    for name, axes in FLIPS.items():
        flipped = np.ascontiguousarray(np.flip(voxels, axes))
        assert content.check(flipped, spacing, pairs), name
    if voxels.shape[1] == voxels.shape[2]:
        assert content.check(np.ascontiguousarray(np.rot90(voxels, axes=(1, 2))), spacing, pairs), "quarter turn"


def test_tiny():
    check_all(*from_phantom(tiny()))


# The two whose advantage over the next best turn is smallest; docs/content-check.md holds the measured rates of all.
@pytest.mark.parametrize("number", [1, 4])
def test_phantoms(number):
    check_all(*from_phantom(build(demo_cases()[number])))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real cases are not here")
@pytest.mark.parametrize("name", REAL_NAMES)
def test_real_chests(name):
    check_all(*from_files(name))


def test_the_turn_is_named():
    voxels, spacing, pairs = from_phantom(tiny())
    suspicion = content.check(np.ascontiguousarray(voxels[:, ::-1, ::-1]), spacing, pairs)
    assert suspicion.turn == "by half a turn in the slice"
    assert "held back" in suspicion.sentence()


def test_categories_that_may_look_like_anything_are_not_judged():
    voxels, spacing, pairs = from_phantom(tiny())
    others = [("2h", mask) for _, mask in pairs]
    assert content.check(np.ascontiguousarray(voxels[:, :, ::-1]), spacing, others) is None


def test_values_that_are_no_hu_are_noticed():
    voxels = tiny().voxels
    assert content.is_hu(voxels)
    assert not content.is_hu(voxels + np.int16(1024))  # stored values of the old generation
