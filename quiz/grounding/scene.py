"""A CT with its lungs, looked at as closely as a question needs: coarse cells of 3 mm, or a finer cut of a part of it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from quiz.grounding.lungs import Lungs, block_mean, coarse_steps

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Voxel = tuple[int, int, int]

FINE_MM = 1.5
"""Cells of a fine cut. A nodule of 6 mm is four of them wide; both lungs are about six million."""


@dataclass(frozen=True)
class Cut:
    """Part of a CT in cells of ``step`` voxels. hu: mean HU [k, j, i]. origin: first voxel of the first cell."""

    hu: Floats
    origin: Voxel
    step: Voxel
    cell_mm: tuple[float, float, float]

    def middle(self, cell: tuple[int, int, int]) -> Voxel:
        """The voxel in the middle of a cell."""
        k, j, i = (o + c * s + s // 2 for o, c, s in zip(self.origin, cell, self.step, strict=True))
        return k, j, i


@dataclass(frozen=True)
class Scene:
    """voxels: int16 HU [k, j, i]."""

    voxels: NDArray[np.int16]
    grid: Grid
    lungs: Lungs

    @cached_property
    def typical(self) -> float:
        """HU of this patient's normal lung: the median of what holds air."""
        inside = self.lungs.hu[self.lungs.air & (self.lungs.hu < -500)]
        return float(np.median(inside)) if inside.size else -850.0

    def coarse(self, where: Bools, margin_mm: float) -> Cut | None:
        """The box around coarse cells and a margin, in the coarse cells of the lungs. None if there are none."""
        if not where.any():
            return None
        box = self._box(where, margin_mm)
        k, j, i = (span.start * s for span, s in zip(box, self.lungs.step, strict=True))
        return Cut(self.lungs.hu[box], (k, j, i), self.lungs.step, self.lungs.cell_mm)

    def _box(self, where: Bools, margin_mm: float) -> tuple[slice, ...]:
        spans = []
        for axis in range(3):
            filled = np.flatnonzero(where.any(axis=tuple(a for a in range(3) if a != axis)))
            more = int(np.ceil(margin_mm / self.lungs.cell_mm[axis]))
            spans.append(slice(max(0, int(filled[0]) - more), min(where.shape[axis], int(filled[-1]) + 1 + more)))
        return tuple(spans)

    def cut(self, where: Bools, margin_mm: float = 9.0) -> Cut | None:
        """The same, finely."""
        if not where.any():
            return None
        spans = [
            slice(span.start * s, min(n, span.stop * s))
            for span, s, n in zip(self._box(where, margin_mm), self.lungs.step, self.grid.size, strict=True)
        ]
        step = coarse_steps(self.grid, FINE_MM)
        cell_mm = [s * mm for s, mm in zip(step, self.grid.spacing_mm, strict=True)]
        hu = block_mean(self.voxels[spans[0], spans[1], spans[2]], step)
        return Cut(hu, (spans[0].start, spans[1].start, spans[2].start), step, (cell_mm[0], cell_mm[1], cell_mm[2]))

    def coarse_index(self, cut: Cut) -> tuple[NDArray[np.intp], ...]:
        """Which coarse cell holds the middle of each cell of a cut: an open mesh, to index coarse maps with."""
        lines = []
        for axis in range(3):
            middles = cut.origin[axis] + np.arange(cut.hu.shape[axis]) * cut.step[axis] + cut.step[axis] // 2
            lines.append(np.minimum(middles // self.lungs.step[axis], self.lungs.hu.shape[axis] - 1))
        return np.ix_(*lines)
