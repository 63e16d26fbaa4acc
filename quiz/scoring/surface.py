"""Distances between the surfaces of two masks, in millimetres, with real spacing.

A surface is the voxels of a mask that share a face with something outside it. Definitions are MONAI's: average
symmetric surface distance (ASSD), Hausdorff distance at the 95th percentile (the larger of both directions), and
surface Dice at a tolerance (NSD), counted on surface voxels.

Empty masks have deliberate values: two empty masks agree (distances 0, surface Dice 1); one empty mask is infinitely
far from the other (distances inf, surface Dice 0).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cases.imaging.masks import SparseMask, from_flat
from quiz.scoring.nearness import Spacing, millimetres

HAUSDORFF_PERCENTILE = 95.0
"""The usual one: a single stray voxel does not decide."""

ROUNDING_MM = 1e-6
"""Distances are sums of floating point numbers: one that is the tolerance to a nanometre is within it."""


@dataclass(frozen=True)
class SurfaceMeasures:
    """assd_mm, hausdorff95_mm: millimetres, inf if one mask is empty. surface_dice: 0 to 1."""

    assd_mm: float
    hausdorff95_mm: float
    surface_dice: float


def surface_measures(
    truth: SparseMask, painted: SparseMask, spacing_mm: Spacing, *, tolerance_mm: float
) -> SurfaceMeasures:
    """Compare two masks of one volume; instances are joined."""
    if truth.is_empty and painted.is_empty:
        return SurfaceMeasures(0.0, 0.0, 1.0)
    if truth.is_empty or painted.is_empty:
        return SurfaceMeasures(math.inf, math.inf, 0.0)
    a, b = (millimetres(surface(mask).flat(), mask.size, spacing_mm) for mask in (truth, painted))
    there, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    both = np.concatenate([there, back])
    return SurfaceMeasures(
        float(both.mean()),
        float(max(np.percentile(there, HAUSDORFF_PERCENTILE), np.percentile(back, HAUSDORFF_PERCENTILE))),
        float(np.mean(both <= tolerance_mm + ROUNDING_MM)),
    )


def surface(mask: SparseMask) -> SparseMask:
    """Voxels of a mask, instances joined, that share a face with something outside it, or with the volume's border."""
    K, J, I = mask.size
    flat = mask.flat()
    rows, i = np.divmod(flat, I)
    k, j = np.divmod(rows, J)
    inner: NDArray[np.bool_] = (k > 0) & (k < K - 1) & (j > 0) & (j < J - 1) & (i > 0) & (i < I - 1)
    for step in (1, -1, I, -I, I * J, -I * J):
        inner[inner] = mask.at(flat[inner] + step) != 0
    outer = flat[~inner]
    return from_flat(outer, np.ones(len(outer), dtype=np.uint8), mask.size)
