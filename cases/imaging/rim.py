"""The shell around a mask: what a lesion is seen against."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging.masks import Size

RIM_MM = 5.0
"""Width of the shell."""

_FEW_VOXELS = 300_000
"""Larger boxes are looked at every second (third, ...) voxel: a mean over thousands of places is as good as over all."""

_SAMPLE = 8_000

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Surrounding:
    """inside, rim: rows of (k, j, i), at most a few thousand, evenly spread; rim voxels lie within RIM_MM of the mask."""

    inside: Places
    rim: Places


def surrounding(
    mask: NDArray[np.bool_], origin: Size, size: Size, spacing_mm: tuple[float, float, float]
) -> Surrounding:
    """Places in and around a mask given as a box of booleans at ``origin`` in a volume of ``size``."""
    margin = [math.ceil(RIM_MM / mm) for mm in spacing_mm]
    low = [max(0, o - m) for o, m in zip(origin, margin, strict=True)]
    high = [min(s, o + n + m) for s, o, n, m in zip(size, origin, mask.shape, margin, strict=True)]
    step = [1, 1, 1]
    while math.prod((b - a) // n for a, b, n in zip(low, high, step, strict=True)) > _FEW_VOXELS:
        finest = min(range(3), key=lambda axis: step[axis] * spacing_mm[axis])
        step[finest] += 1
    filled = np.zeros([b - a for a, b in zip(low, high, strict=True)], dtype=bool)
    k, j, i = (slice(o - a, o - a + n) for o, a, n in zip(origin, low, mask.shape, strict=True))
    filled[k, j, i] = mask
    dk, dj, di = step
    coarse = filled[::dk, ::dj, ::di]
    inside = np.argwhere(filled)[:: max(1, int(mask.sum()) // _SAMPLE)] + low
    if not coarse.any():
        return Surrounding(inside, np.empty((0, 3), dtype=np.int64))
    distance = ndimage.distance_transform_edt(
        ~coarse, sampling=[n * mm for n, mm in zip(step, spacing_mm, strict=True)]
    )
    rim = np.argwhere((distance > 0) & (distance <= RIM_MM)) * step + low
    # A rim voxel of the coarse grid may still belong to a thin part of the mask between its lines.
    rim = rim[~filled[tuple((rim - low).T)]]
    return Surrounding(inside, rim[:: max(1, len(rim) // _SAMPLE)])


def values_at(voxels: NDArray[np.int16], places: Places) -> NDArray[np.int16]:
    """HU at rows of (k, j, i)."""
    hu: NDArray[np.int16] = voxels[places[:, 0], places[:, 1], places[:, 2]]
    return hu
