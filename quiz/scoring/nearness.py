"""How near two sets of voxels are, in millimetres, without distance maps: a k-d tree of one set's surface."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

SAMPLE = 40_000
"""Voxels asked of a set at most; a share of that many is known to half a per cent."""

_CROSS = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True)
class Points:
    """Voxels as rows of (k, j, i), in the coordinates of one box."""

    kji: NDArray[np.int64]

    @property
    def count(self) -> int:
        return len(self.kji)

    def sampled(self) -> "Points":
        """All voxels, or SAMPLE of them drawn with a fixed seed."""
        if self.count <= SAMPLE:
            return self
        chosen = np.random.default_rng(0).choice(self.count, SAMPLE, replace=False)
        return Points(self.kji[np.sort(chosen)])


def points(mask: NDArray[np.bool_]) -> Points:
    return Points(np.argwhere(mask))


def surface(mask: NDArray[np.bool_]) -> Points:
    """Voxels of a mask that have a neighbour outside it."""
    inner = ndimage.binary_erosion(mask, _CROSS) if mask.size else mask
    return Points(np.argwhere(mask & ~inner))


class Target:
    """A mask that is asked for distances; its tree is built once, when it is first needed."""

    def __init__(self, mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> None:
        self.mask = mask
        self.scale = np.array(spacing_mm)

    @cached_property
    def _tree(self) -> cKDTree | None:
        border = surface(self.mask)
        return cKDTree(border.kji * self.scale) if border.count else None

    def distances_mm(self, asked: Points, *, limit_mm: float) -> NDArray[np.float64]:
        """Distance of each asked voxel of the same box: 0 inside the mask, inf beyond ``limit_mm``."""
        result = np.full(asked.count, np.inf)
        inside = self.mask[tuple(asked.kji.T)]
        result[inside] = 0.0
        if not inside.all() and self._tree is not None:
            # The bound is open in scipy; the tolerance itself still counts.
            found, _ = self._tree.query(asked.kji[~inside] * self.scale, distance_upper_bound=limit_mm + 1e-6)
            result[~inside] = found
        return result

    def share_within(self, asked: Points, *, tolerance_mm: float) -> float:
        """Share of the asked voxels within a tolerance; 0.0 if nothing is asked."""
        if asked.count == 0:
            return 0.0
        return float(np.mean(np.isfinite(self.distances_mm(asked.sampled(), limit_mm=tolerance_mm))))
