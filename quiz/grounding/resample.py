"""From a CT's voxels to cubes of equal edges and back. Axes one by one, [k, j, i] throughout; millimetres are counted from
the corner of the first voxel."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def cubes_along(n: int, spacing: float, edge: float) -> int:
    """How many cubes of an edge cover n voxels."""
    return max(1, int(np.ceil(n * spacing / edge - 1e-6)))


def weights(n: int, spacing: float, centres: NDArray[np.floating[Any]], width: float) -> Array:
    """[len(centres), n]: what each voxel gives to a mean over ``width`` mm around each centre; where voxels are wider than
    that, to a value between two of them. Beyond the end the last voxel counts."""
    if spacing >= width:
        where = np.clip(centres / spacing - 0.5, 0, n - 1)
        first = np.minimum(where.astype(np.int64), max(0, n - 2))
        out = np.zeros((len(centres), n), dtype=np.float32)
        rows = np.arange(len(centres))
        out[rows, first] = 1 - (where - first)
        out[rows, np.minimum(first + 1, n - 1)] += where - first
        return out
    low = np.clip(centres - width / 2, 0, n * spacing - spacing)[:, None]
    high = np.clip(centres + width / 2, spacing, n * spacing)[:, None]
    edges = np.arange(n) * spacing
    shared = np.clip(np.minimum(high, edges + spacing) - np.maximum(low, edges), 0, None)
    return np.asarray(shared / shared.sum(axis=1, keepdims=True), dtype=np.float32)


def averaged(voxels: NDArray[np.int16], by_axis: Sequence[Array]) -> Array:
    """A volume weighed along its three axes, slice by slice: beside the result it needs little memory."""
    along, rows, columns = by_axis
    used = np.flatnonzero(along.any(axis=0))
    j0, j1 = _span(rows)
    i0, i1 = _span(columns)
    planes = np.empty((len(used), len(rows), len(columns)), dtype=np.float32)
    for n, k in enumerate(used):
        planes[n] = rows[:, j0:j1] @ voxels[k, j0:j1, i0:i1].astype(np.float32) @ columns[:, i0:i1].T
    return np.tensordot(along[:, used], planes, axes=(1, 0)).astype(np.float32)


def _span(matrix: Array) -> tuple[int, int]:
    used = np.flatnonzero(matrix.any(axis=0))
    return int(used[0]), int(used[-1]) + 1


def to_cubes(voxels: NDArray[np.int16], spacing: tuple[float, float, float], edge: float) -> Array:
    """The whole volume in cubes, float32."""
    by_axis = []
    for n, mm in zip(voxels.shape, spacing, strict=True):
        centres = (np.arange(cubes_along(n, mm, edge)) + 0.5) * edge
        by_axis.append(weights(n, mm, centres, edge))
    return averaged(voxels, by_axis)


def planes_of(
    cubes: Array, low_mm: Sequence[float], edge: float, size: tuple[int, int, int], spacing: tuple[float, float, float]
) -> Iterator[tuple[int, slice, slice, Array]]:
    """Values of cubes at the voxels that lie within them: (k, rows, columns, plane) for every slice that has some.

    low_mm: corner of the first cube.
    """
    boxes, matrices = [], []
    for axis in range(3):
        n, mm, count = size[axis], spacing[axis], cubes.shape[axis]
        centres = (np.arange(n) + 0.5) * mm - low_mm[axis]
        inside = np.flatnonzero((centres >= 0) & (centres < count * edge))
        if inside.size == 0:
            return
        boxes.append(slice(int(inside[0]), int(inside[-1]) + 1))
        matrices.append(weights(count, edge, centres[inside], 0.0))
    for n, k in enumerate(range(boxes[0].start, boxes[0].stop)):
        plane = np.tensordot(matrices[0][n], cubes, axes=(0, 0))
        yield k, boxes[1], boxes[2], matrices[1] @ plane @ matrices[2].T
