"""Diffuse findings are judged by blocks of about a centimetre: painted or not, rather than to the millimetre."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask, union_box

BLOCK_MM = 10.0
"""Edge of a block: about the size of a secondary lobule, the unit in which diffuse disease is described."""
BLOCK_FILLED = 0.10
"""A block counts as marked when at least this share of its judged voxels is."""


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
    steps = [max(1, math.ceil(BLOCK_MM / mm)) for mm in grid.spacing_mm]
    true, paint = truth.window(box) != 0, painted.window(box) != 0
    if not _filled(true, steps, np.ones(true.shape[0], dtype=bool)).any():
        return None
    slices = np.ones(true.shape[0], dtype=bool) if whole else paint.any(axis=(1, 2))
    wanted, marked = _filled(true, steps, slices), _filled(paint, steps, slices)
    both = int(np.count_nonzero(wanted & marked))
    recall = both / int(wanted.sum()) if wanted.any() else 0.0
    precision = both / int(marked.sum()) if marked.any() else 0.0
    return Judged(recall, precision, 2 * recall * precision / (recall + precision) if both else 0.0)


def _filled(mask: NDArray[np.bool_], steps: list[int], slices: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which blocks are marked on the given slices. A block's size counts only those slices."""
    padding = [(0, -n % step) for n, step in zip(mask.shape, steps, strict=True)]
    judged = np.pad(mask & slices[:, None, None], padding)
    counted = np.pad(np.broadcast_to(slices[:, None, None], mask.shape), padding)
    shape = [n for size, step in zip(judged.shape, steps, strict=True) for n in (size // step, step)]
    marked = judged.reshape(shape).sum(axis=(1, 3, 5))
    voxels = counted.reshape(shape).sum(axis=(1, 3, 5))
    filled: NDArray[np.bool_] = (marked > 0) & (marked >= BLOCK_FILLED * voxels)
    return filled
