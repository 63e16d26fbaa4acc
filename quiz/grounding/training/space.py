"""Places in millimetres, and noise that is the same wherever it is looked at: what phantoms are drawn with.

x grows towards the patient's left, y towards the back, z towards the head; 0 is the middle of the chest. A phantom is a
set of formulas, so that one chest can be drawn coarsely as a whole and finely around a nodule.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Point = tuple[float, float, float]
"""(z, y, x) in mm, the order of the arrays."""


@dataclass(frozen=True)
class Frame:
    """A regular grid of points. z, y, x: float32 in mm, shaped to broadcast to [k, j, i]. step: mm between them."""

    z: Array
    y: Array
    x: Array
    step: float

    @classmethod
    def around(cls, middle: Point, size: tuple[int, int, int], step: float) -> "Frame":
        axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * step + c for n, c in zip(size, middle, strict=True)]
        return cls(axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :], step)

    @property
    def size(self) -> tuple[int, int, int]:
        return self.z.size, self.y.size, self.x.size

    def box(self, middle: Point, reach: float) -> tuple[slice, slice, slice]:
        """The part within ``reach`` mm of a point along every axis; empty if there is none."""
        parts = []
        for axis, centre in zip((self.z, self.y, self.x), middle, strict=True):
            flat = axis.ravel()
            parts.append(slice(*np.searchsorted(flat, [centre - reach, centre + reach]).tolist()))
        return parts[0], parts[1], parts[2]

    def part(self, box: tuple[slice, slice, slice]) -> "Frame":
        return Frame(self.z[box[0]], self.y[:, box[1]], self.x[:, :, box[2]], self.step)

    def away(self, middle: Point) -> Array:
        """Distance in mm of every point from one."""
        square = (self.z - middle[0]) ** 2 + (self.y - middle[1]) ** 2 + (self.x - middle[2]) ** 2
        return np.asarray(np.sqrt(square), dtype=np.float32)

    def soft(self, inside_mm: Array) -> Array:
        """Share of each voxel that lies inside a surface, from the distance to it (positive inside)."""
        return np.asarray(np.clip(inside_mm / self.step + 0.5, 0, 1), dtype=np.float32)


@dataclass(frozen=True)
class Lattice:
    """Smooth noise of about unit size: random numbers every ``step`` mm, linear in between."""

    low: Point
    step: float
    values: Array

    @classmethod
    def make(cls, rng: np.random.Generator, step: float, middle: Point, reach: float) -> "Lattice":
        n = int(np.ceil(2 * reach / step)) + 2
        low = (middle[0] - reach, middle[1] - reach, middle[2] - reach)
        # Linear interpolation flattens the noise: the middle of a cell has a third of the variance of its corners.
        return cls(low, step, 1.4 * rng.standard_normal((n, n, n), dtype=np.float32))

    def at(self, frame: Frame) -> Array:
        out = self.values
        for axis, points in enumerate((frame.z, frame.y, frame.x)):
            where = np.clip((points.ravel() - self.low[axis]) / self.step, 0, self.values.shape[axis] - 1.001)
            first = where.astype(np.int64)
            share = (where - first).astype(np.float32)
            weights = np.zeros((where.size, self.values.shape[axis]), dtype=np.float32)
            rows = np.arange(where.size)
            weights[rows, first] = 1 - share
            weights[rows, first + 1] = share
            out = np.moveaxis(np.tensordot(weights, out, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(out, dtype=np.float32)
