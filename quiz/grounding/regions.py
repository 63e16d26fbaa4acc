"""Places that an engine proposes, in cells of any size, and how they become a mask on the CT's own grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging import masks
from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask
from quiz.grounding.base import Heat
from quiz.grounding.lungs import Lungs
from quiz.grounding.scene import Bools, Voxel

MOST_VOXELS = 40_000_000
"""A mask larger than this (about twenty litres of a thin-sliced CT) is no finding."""


@dataclass(frozen=True)
class Region:
    """cells: what is marked, in cells of ``step`` voxels from voxel ``origin`` on. score: how well it fits the sentence;
    only compared with others of the same sentence. band: HU that a voxel must have to belong, low and high included."""

    cells: Bools
    origin: Voxel
    step: Voxel
    score: float
    band: tuple[float, float] = (-2000.0, 4000.0)

    def trimmed(self) -> "Region":
        """The same without empty cells around it."""
        box = ndimage.find_objects(self.cells.astype(np.uint8))
        if not box or box[0] is None:
            return self
        k, j, i = (o + s.start * step for o, s, step in zip(self.origin, box[0], self.step, strict=True))
        return Region(self.cells[box[0]], (k, j, i), self.step, self.score, self.band)


def paint(regions: Sequence[Region], voxels: NDArray[np.int16], grid: Grid) -> SparseMask:
    """The regions together on the CT's grid. Works slice by slice; a voxel's HU is the mean of 3 x 3 in its slice, so that
    noise does not riddle the mask."""
    flats: list[NDArray[np.int64]] = []
    for region in regions:
        if region.cells.any():
            flats.extend(_painted(region.trimmed(), voxels, grid))
    if not flats:
        return masks.empty(grid.size)
    flat = np.unique(np.concatenate(flats)) if len(regions) > 1 else np.concatenate(flats)
    if flat.size > MOST_VOXELS:
        return masks.empty(grid.size)
    return masks.from_flat(flat, np.ones(flat.size, dtype=np.uint8), grid.size)


def _painted(region: Region, voxels: NDArray[np.int16], grid: Grid) -> list[NDArray[np.int64]]:
    _, J, I = grid.size
    stops = [
        min(n, o + c * s) for n, o, c, s in zip(grid.size, region.origin, region.cells.shape, region.step, strict=True)
    ]
    k0, j0, i0 = region.origin
    rows = (np.arange(j0, stops[1]) - j0) // region.step[1]
    columns = (np.arange(i0, stops[2]) - i0) // region.step[2]
    out = []
    for k in range(k0, stops[0]):
        cells = region.cells[(k - k0) // region.step[0]]
        if not cells.any():
            continue
        inside = cells[rows][:, columns]
        if region.band != (-2000.0, 4000.0):
            plane = ndimage.uniform_filter(
                voxels[k, j0 : stops[1], i0 : stops[2]].astype(np.float32), 3, mode="nearest"
            )
            inside = inside & (plane >= region.band[0]) & (plane <= region.band[1])
        j, i = np.nonzero(inside)
        out.append((k * J + j + j0).astype(np.int64) * I + i + i0)
    return out


def heat_of(regions: Sequence[Region], lungs: Lungs) -> Heat | None:
    """Where the proposals are, the best one at 255, in the coarse cells of the lungs."""
    best = max((region.score for region in regions), default=0.0)
    if best <= 0:
        return None
    values = np.zeros(lungs.hu.shape, dtype=np.uint8)
    for region in regions:
        level = np.uint8(round(255 * max(region.score, 0.0) / best))
        cells = np.nonzero(region.cells)
        places = tuple(
            np.minimum((o + c * s + s // 2) // step, n - 1)
            for c, o, s, step, n in zip(cells, region.origin, region.step, lungs.step, lungs.hu.shape, strict=True)
        )
        np.maximum.at(values, places, level)
    return Heat(values, lungs.step) if values.any() else None
