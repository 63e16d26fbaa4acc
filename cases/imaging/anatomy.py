"""Where the lungs are, and the words for a place in them: side and zone."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging.geometry import Grid

Side = Literal["right", "left", "both", ""]
Zone = Literal["upper", "middle", "lower", "several", ""]

AIR_HU = -400
"""Darker than this is lung or air."""
OUTSIDE_HU = -930
"""Air that touches the border of the field and is darker than this on average lies outside the patient."""
MIN_LUNGS_ML = 800.0
"""Less air than this is no pair of lungs; the words for places are then not used."""
SHARED = 0.15
"""A mask counts as on both sides, or in a zone, if at least this share of it lies there."""
COARSE_MM = 3.0


@dataclass(frozen=True)
class LungField:
    """box: ((k0, k1), (j0, j1), (i0, i1)), stops excluded. midline_i: column between the lungs.

    whole: apex and base are both in the field, so that thirds of the box are zones.
    """

    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    midline_i: float
    whole: bool


def lung_field(voxels: NDArray[np.int16], grid: Grid) -> LungField | None:
    """Find both lungs on a coarse copy of the CT; None if there is too little air, or it lies on one side only."""
    steps = [max(1, round(COARSE_MM / mm)) for mm in grid.spacing_mm]
    coarse = voxels[:: steps[0], :: steps[1], :: steps[2]]
    cell_ml = grid.voxel_ml * steps[0] * steps[1] * steps[2]
    lungs = air_of_lungs(coarse, cell_ml)
    if lungs.sum() * cell_ml < MIN_LUNGS_ML:
        return None
    spans = []
    for axis in range(3):
        profile = lungs.sum(axis=tuple(a for a in range(3) if a != axis))
        filled = np.flatnonzero(profile > 0.002 * lungs.sum())
        if filled.size == 0:
            return None
        spans.append((int(filled[0]) * steps[axis], min(grid.size[axis], (int(filled[-1]) + 1) * steps[axis])))
    midline = midline_of(lungs)
    if midline is None:
        return None
    whole = spans[0][0] > 0 and spans[0][1] < grid.size[0]
    return LungField((spans[0], spans[1], spans[2]), midline * steps[2], whole)


def air_of_lungs(coarse: NDArray[Any], cell_ml: float) -> NDArray[np.bool_]:
    """Cells of a coarse CT (HU) that are air within the patient: lungs, and the airways that join them."""
    labels, count = ndimage.label(coarse < AIR_HU)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    means = np.bincount(labels.ravel(), weights=coarse.ravel(), minlength=count + 1) / np.maximum(sizes, 1)
    edges = np.concatenate([labels[:, [0, -1], :].ravel(), labels[:, :, [0, -1]].ravel()])
    at_edge = np.zeros(count + 1, dtype=bool)
    at_edge[np.unique(edges)] = True
    keep = (sizes * cell_ml > 50.0) & ~(at_edge & (means < OUTSIDE_HU))
    keep[0] = False
    return np.asarray(keep[labels], dtype=bool)


def midline_of(lungs: NDArray[np.bool_]) -> float | None:
    """Column with the least lung between the two columns that halve each side's share; None if there is no valley."""
    profile = ndimage.gaussian_filter1d(lungs.sum(axis=(0, 1)).astype(float), 2.0)
    share = np.cumsum(profile) / profile.sum()
    first, last = int(np.searchsorted(share, 0.25)), int(np.searchsorted(share, 0.75))
    if last - first < 4:
        return None
    valley = first + int(np.argmin(profile[first : last + 1]))
    peak = min(profile[first : valley + 1].max(), profile[valley : last + 1].max())
    return float(valley) if profile[valley] < 0.7 * peak else None


def side_of(i: NDArray[np.int64], field: LungField | None) -> Side:
    """Side of a mask from the columns of its voxels; empty if unknown."""
    if field is None or i.size == 0:
        return ""
    left = float(np.mean(i > field.midline_i))
    if left >= 1 - SHARED:
        return "left"
    return "right" if left <= SHARED else "both"


def zone_of(k: NDArray[np.int64], field: LungField | None) -> Zone:
    """Zone (third of the height of the lungs) of a mask from the slices of its voxels; empty if unknown."""
    if field is None or not field.whole or k.size == 0:
        return ""
    k0, k1 = field.box[0]
    third = np.clip((k - k0) * 3 // max(1, k1 - k0), 0, 2)
    shares = np.bincount(third, minlength=3) / k.size
    inside = [name for name, share in zip(("lower", "middle", "upper"), shares, strict=True) if share >= SHARED]
    return inside[0] if len(inside) == 1 else "several"  # type: ignore[return-value]
