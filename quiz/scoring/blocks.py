"""Diffuse findings are judged by blocks of about a centimetre: painted or not, rather than to the millimetre.

The blocks lie around the middle of the truth's box and have an odd number of voxels along each axis, so that the truth
alone says where they are (paint cannot move them), and mirroring the scan moves them with it.
"""

from dataclasses import dataclass

import numpy as np

from cases.imaging.geometry import Grid
from cases.imaging.masks import Ints, SparseMask
from quiz.scoring.rules import BLOCK_FILLED, BLOCK_MM


@dataclass(frozen=True)
class Judged:
    """Shares of blocks: recall of the truth's, precision of the painted, and their harmonic mean. marked: blocks painted."""

    recall: float
    precision: float
    f1: float
    marked: int


def judge(truth: SparseMask, painted: SparseMask, grid: Grid, *, whole: bool) -> Judged | None:
    """Compare two masks block by block; unless ``whole`` slice by slice, on the painted slices only.

    None if the truth is too thin to fill a single block: it is then judged like a focal finding.
    """
    blocks = Blocks(truth, grid, flat=not whole)
    wanted = blocks.filled(truth)
    if not len(wanted):
        return None
    if not whole:
        wanted = blocks.filled(truth.on_slices(painted.slices()))
    marked = blocks.filled(painted)
    both = len(np.intersect1d(wanted, marked, assume_unique=True))
    recall = both / len(wanted) if len(wanted) else 0.0
    precision = both / len(marked) if len(marked) else 0.0
    f1 = 2 * recall * precision / (recall + precision) if both else 0.0
    return Judged(recall, precision, f1, marked=len(marked))


class Blocks:
    """Blocks around the middle of a truth's box, through the whole volume. flat: each is one slice thick."""

    def __init__(self, truth: SparseMask, grid: Grid, *, flat: bool) -> None:
        self.steps = [_odd(BLOCK_MM / mm) for mm in grid.spacing_mm]
        if flat:
            self.steps[0] = 1
        self.edges = [
            _edges(box.start, box.stop, step, size)
            for box, step, size in zip(truth.box, self.steps, grid.size, strict=True)
        ]
        self.shape = [len(edges) - 1 for edges in self.edges]
        self.block_at = [np.repeat(np.arange(n), np.diff(e)) for n, e in zip(self.shape, self.edges, strict=True)]

    def filled(self, mask: SparseMask) -> Ints:
        """Numbers of the blocks of which a mask fills BLOCK_FILLED or more, ascending."""
        blocks, voxels = self.counted(mask)
        return blocks[voxels >= BLOCK_FILLED * self._sizes(blocks)]

    def counted(self, mask: SparseMask) -> tuple[Ints, Ints]:
        """Numbers of the blocks that hold any of a mask, and how many of its voxels each holds."""
        pieces = self.cut(mask)
        blocks = self.of(pieces)
        if not len(blocks):
            return blocks, blocks
        # Counted over the range of numbers there is: sorting the runs by block takes several times as long.
        first = blocks.min()
        voxels = np.bincount(blocks - first, weights=pieces.lengths)
        held = np.flatnonzero(voxels)
        return held + first, voxels[held].astype(np.int64)

    def of(self, pieces: SparseMask) -> Ints:
        """The block of each run of a mask that was ``cut``."""
        k, j, i = (block_at[place] for block_at, place in zip(self.block_at, pieces.kji, strict=True))
        numbers: Ints = (k * self.shape[1] + j) * self.shape[2] + i
        return numbers

    def cut(self, mask: SparseMask) -> SparseMask:
        """The same voxels, runs cut where blocks end."""
        edges, start = self.edges[2], mask.kji[2]
        first, last = self.block_at[2][start], self.block_at[2][start + mask.lengths - 1]
        pieces = last - first + 1
        run = np.repeat(np.arange(len(start)), pieces)
        block = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        begin = np.maximum(start[run], edges[block])
        stop = np.minimum((start + mask.lengths)[run], edges[block + 1])
        return SparseMask(mask.size, mask.starts[run] + begin - start[run], stop - begin, mask.values[run])

    def _sizes(self, blocks: Ints) -> Ints:
        """Voxels of blocks; those at the border of the volume are smaller."""
        k, j, i = np.unravel_index(blocks, self.shape)
        deep, tall, wide = (np.diff(edges) for edges in self.edges)
        sizes: Ints = deep[k] * tall[j] * wide[i]
        return sizes


def _odd(number: float) -> int:
    """The odd whole number nearest to one of 1 or more."""
    return max(1, 2 * int(number // 2) + 1)


def _edges(start: int, stop: int, step: int, size: int) -> Ints:
    """Where blocks begin along an axis of ``size`` voxels, and its end. A box of an even number of voxels has an edge
    in its middle, one of an odd number the middle of a block: no voxel lies across an edge, and a mirrored box has
    mirrored edges."""
    length = stop - start
    middle = start + length // 2 if length % 2 == 0 else start + (length - step) // 2
    first = middle % step
    inner = np.arange(first if first else step, size, step, dtype=np.int64)
    return np.concatenate([[0], inner, [size]])
