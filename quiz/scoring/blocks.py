"""Diffuse findings are judged by blocks of about a centimetre: painted or not, rather than to the millimetre."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.masks import Box, Ints, SparseMask, union_box
from quiz.scoring.rules import BLOCK_FILLED, BLOCK_MM

_Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Shares of blocks: recall of the truth's, precision of the painted, and their harmonic mean."""

    recall: float
    precision: float
    f1: float


def judge(truth: SparseMask, painted: SparseMask, grid: Grid, *, whole: bool) -> Judged | None:
    """Compare two masks block by block, on the painted slices only unless ``whole``.

    None if the truth is too thin to fill a single block: it is then judged like a focal finding.
    """
    box = union_box(truth, painted)
    if box is None:
        return None
    blocks = _Blocks(box, grid)
    if not blocks.filled(truth, np.arange(grid.size[0])).any():
        return None
    slices = np.arange(grid.size[0]) if whole else painted.slices()
    wanted, marked = blocks.filled(truth, slices), blocks.filled(painted, slices)
    both = int(np.count_nonzero(wanted & marked))
    recall = both / int(wanted.sum()) if wanted.any() else 0.0
    precision = both / int(marked.sum()) if marked.any() else 0.0
    return Judged(recall, precision, 2 * recall * precision / (recall + precision) if both else 0.0)


class _Blocks:
    """A grid of blocks over a box."""

    def __init__(self, box: Box, grid: Grid) -> None:
        self.box = box
        self.steps = [max(1, math.ceil(BLOCK_MM / mm)) for mm in grid.spacing_mm]
        self.shape = [math.ceil((s.stop - s.start) / step) for s, step in zip(box, self.steps, strict=True)]

    def filled(self, mask: SparseMask, slices: Ints) -> NDArray[np.bool_]:
        """Which blocks a mask fills on the given slices. A block's size counts only those slices, and the box."""
        voxels = self._voxels(mask.on_slices(slices))
        filled: NDArray[np.bool_] = (voxels > 0) & (voxels >= BLOCK_FILLED * self._sizes(slices))
        return filled

    def _sizes(self, slices: Ints) -> _Counts:
        inside = slices[(slices >= self.box[0].start) & (slices < self.box[0].stop)] - self.box[0].start
        deep = np.bincount(inside // self.steps[0], minlength=self.shape[0])
        tall, wide = (
            np.bincount(np.arange(s.stop - s.start) // step)
            for s, step in zip(self.box[1:], self.steps[1:], strict=True)
        )
        sizes: _Counts = (deep[:, None, None] * tall[None, :, None] * wide[None, None, :]).astype(float)
        return sizes

    def _voxels(self, mask: SparseMask) -> _Counts:
        """Voxels of a mask in each block: its runs are cut where blocks end."""
        k, j, i = mask.kji
        start = i - self.box[2].start
        step = self.steps[2]
        pieces = (start + mask.lengths - 1) // step - start // step + 1
        run = np.repeat(np.arange(len(i)), pieces)
        column = start[run] // step + np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        length = np.minimum((start + mask.lengths)[run], (column + 1) * step) - np.maximum(start[run], column * step)
        row = (k[run] - self.box[0].start) // self.steps[0] * self.shape[1] + (
            (j[run] - self.box[1].start) // self.steps[1]
        )
        counted = np.bincount(row * self.shape[2] + column, weights=length, minlength=math.prod(self.shape))
        return counted.reshape(self.shape)
