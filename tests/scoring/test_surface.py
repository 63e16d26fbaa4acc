"""Against MONAI, on random masks with spacing that differs along every axis."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cases.imaging import masks
from quiz.scoring.surface import surface, surface_measures
from tests.optional import needed

SIZE, SPACING = (5, 6, 7), (2.5, 0.7, 1.1)
STEPS = np.meshgrid(*(np.arange(n) * mm for n, mm in zip(SIZE, SPACING, strict=True)))
DISTANCES = np.sqrt(sum(step**2 for step in STEPS)).ravel()
"""Every distance there can be between two voxels, mm."""
blobs = arrays(np.bool_, SIZE, elements=st.sampled_from([True, True, False])).filter(lambda a: a.any())


def measured(a, b, tolerance=2.0):
    return surface_measures(masks.from_dense(a), masks.from_dense(b), SPACING, tolerance_mm=tolerance)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # MONAI's own parts warn of each other
@settings(deadline=None, max_examples=60)
@given(blobs, blobs, st.floats(0.2, 5))
def test_agrees_with_monai(a, b, tolerance):
    # MONAI has distances in 32 bits: which side of a tolerance they fall on is chance where they are equal.
    assume(np.abs(DISTANCES - tolerance).min() > 1e-4)
    torch = needed("torch")
    metrics = needed("monai.metrics")
    true, painted = (torch.from_numpy(x[None, None]).float() for x in (a, b))
    how = {"include_background": True, "spacing": SPACING}
    got = measured(a, b, tolerance)
    assd = metrics.compute_average_surface_distance(painted, true, symmetric=True, **how).item()
    assert got.assd_mm == pytest.approx(assd, rel=1e-5, abs=1e-6)
    hausdorff = metrics.compute_hausdorff_distance(painted, true, percentile=95, **how).item()
    # MONAI interpolates the percentile in 32 bits: place 0.95 (n - 1) is off by up to 1e-5, times the gap to the next.
    assert got.hausdorff95_mm == pytest.approx(hausdorff, abs=1e-4)
    nsd = metrics.compute_surface_dice(painted, true, class_thresholds=[tolerance], **how).item()
    assert got.surface_dice == pytest.approx(nsd, abs=1e-6)


def test_empty_masks_have_deliberate_values():
    nothing, something = np.zeros(SIZE, bool), np.ones(SIZE, bool)
    assert (measured(nothing, nothing).assd_mm, measured(nothing, nothing).surface_dice) == (0.0, 1.0)
    for one in (measured(nothing, something), measured(something, nothing)):
        assert (one.assd_mm, one.hausdorff95_mm, one.surface_dice) == (np.inf, np.inf, 0.0)


def test_a_shift_of_one_voxel_is_one_spacing():
    a, b = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    a[2, 3, 2], b[2, 3, 3] = True, True
    got = measured(a, b, 1.1)
    assert (got.assd_mm, got.hausdorff95_mm, got.surface_dice) == (1.1, 1.1, 1.0)
    assert measured(a, b, 1.0).surface_dice == 0.0


@pytest.mark.parametrize(("axis", "spacing"), list(enumerate(SPACING)))
def test_a_distance_that_is_the_tolerance_is_within_it(axis, spacing):
    for steps in range(1, SIZE[axis]):
        a, b = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
        there = [0, 0, 0]
        a[tuple(there)] = True
        there[axis] = steps
        b[tuple(there)] = True
        assert measured(a, b, steps * spacing).surface_dice == 1.0
        assert measured(a, b, steps * spacing - 0.001).surface_dice == 0.0


def test_the_surface_of_a_block():
    block = np.zeros((5, 6, 7), bool)
    block[1:4, 1:4, 1:4] = True
    assert surface(masks.from_dense(block)).voxels() == 26  # 27 but the middle one
