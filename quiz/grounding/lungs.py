"""The chest as places: where the lungs are on a coarse grid, and how far up, back and out every point of them lies.

Words of reports ("left", "lower zone", "posterior", "peripheral") are words in these coordinates. A lung that is partly
filled (mass, consolidation, effusion) has lost its air, so the room it should take is its convex hull, or the mirrored
other lung where hardly any of it is left.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from cases.imaging.anatomy import AIR_HU, air_of_lungs, midline_of
from cases.imaging.geometry import Grid
from quiz.grounding.height import Height, height_of

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

STEP_MM = 3.0
"""Cells are as near to cubes of this size as whole voxels allow."""
CLOSING_MM = 9.0
"""Vessels and nodules up to twice this are closed into the lung. Source: our choice; the largest hilar vessels."""
LEAST_ML_PER_MM = 3.0
"""Less air than this for each millimetre of the field's height is no pair of lungs. Source: our choice; adult lungs hold
about 4 l over 250 mm, and a scan in expiration or with an effusion half of that."""
MOST_ML = 12_000.0
"""More is not a pair of lungs but air outside the patient, or a scale of HU that is wrong."""
GONE = 0.25
"""A lung with less than this share of the other's air is replaced by the other's mirror image."""
CUT = 0.02
"""The field cuts the patient if more than this share of its left and right border is tissue."""


@dataclass(frozen=True)
class Lungs:
    """All arrays are [k, j, i] on the coarse grid, of which a cell holds ``step`` voxels along each axis.

    hu: mean HU. air: aerated lung, vessels closed in. room: what both lungs would fill. midline: coarse column between
    the lungs, None if it cannot be told. up, back, out: 0 at base, front and midline to 1 at apex, back and chest wall.
    height: how much of the lungs lies outside the field. air_ml: of both.
    """

    grid: Grid
    step: tuple[int, int, int]
    hu: Floats
    air: Bools
    room: Bools
    midline: float | None
    up: Floats
    back: Floats
    out: Floats
    height: Height
    air_ml: float

    @property
    def cell_mm(self) -> tuple[float, float, float]:
        k, j, i = (s * mm for s, mm in zip(self.step, self.grid.spacing_mm, strict=True))
        return k, j, i

    @property
    def whole(self) -> bool:
        """Apex and base are in the field."""
        return self.height.told and not self.height.below_mm and not self.height.above_mm

    @property
    def left(self) -> Bools:
        """Cells on the patient's left, broadcast along k and j. Raises ValueError if the midline is not known."""
        if self.midline is None:
            raise ValueError("the midline is not known")
        return (np.arange(self.hu.shape[2]) > self.midline)[None, None, :]


def coarse_steps(grid: Grid, step_mm: float = STEP_MM) -> tuple[int, int, int]:
    """Voxels per cell along each axis, so that cells are about ``step_mm``."""
    k, j, i = (max(1, round(step_mm / mm)) for mm in grid.spacing_mm)
    return k, j, i


def block_mean(voxels: NDArray[np.int16], step: tuple[int, int, int]) -> Floats:
    """Means of blocks of voxels, those at the far border smaller. Works slab by slab: memory is that of the result."""
    K, J, I = voxels.shape
    starts = [np.arange(0, n, s) for n, s in zip((K, J, I), step, strict=True)]
    wide = np.diff(np.append(starts[2], I))[None, :]
    tall = np.diff(np.append(starts[1], J))[:, None]
    means = np.empty([len(s) for s in starts], dtype=np.float32)
    for n, k in enumerate(starts[0]):
        slab = voxels[k : k + step[0]]
        plane = slab.sum(axis=0, dtype=np.int32)
        rows = np.add.reduceat(np.add.reduceat(plane, starts[1], axis=0), starts[2], axis=1)
        means[n] = rows / (tall * wide * len(slab))
    return means


def find_lungs(voxels: NDArray[np.int16], grid: Grid) -> Lungs | None:
    """Find both lungs; None if what is found cannot be a pair of lungs, so that words for places mean nothing."""
    step = coarse_steps(grid)
    hu = block_mean(voxels, step)
    cell_mm = np.array([s * mm for s, mm in zip(step, grid.spacing_mm, strict=True)])
    cell_ml = float(np.prod(cell_mm)) / 1000
    air = air_of_lungs(hu, cell_ml)
    air_ml = float(air.sum()) * cell_ml
    height_mm = hu.shape[0] * float(cell_mm[0])
    if not LEAST_ML_PER_MM * min(height_mm, 250.0) <= air_ml <= MOST_ML:
        return None
    midline = midline_of(air)
    if midline is None:
        midline = _middle_of_body(hu)
    sides = [air] if midline is None else list(_halves(air, midline))
    rooms = _rooms(sides, midline)
    closed = _closed(air, cell_mm)
    room = np.logical_or.reduce([*rooms, closed])
    low, high = _span(room, 0)
    height = height_of(air.sum(axis=(1, 2)), (high - low) * float(cell_mm[0]))
    beyond = (height.below_mm / float(cell_mm[0]), height.above_mm / float(cell_mm[0]))
    up, back, out = (np.zeros(hu.shape, dtype=np.float32) for _ in range(3))
    for part in rooms:
        _place(part, midline, beyond, up, back, out)
    return Lungs(grid, step, hu, closed, room, midline, up, back, out, height, air_ml)


def _middle_of_body(hu: Floats) -> float | None:
    """Middle column of the patient, where one lung holds too little air to tell; None if the field cuts the patient."""
    tissue = hu > AIR_HU
    if tissue[:, :, [0, -1]].mean() > CUT:
        return None
    profile = tissue.sum(axis=(0, 1))
    filled = np.flatnonzero(profile > 0.1 * profile.max())
    return float(filled[0] + filled[-1]) / 2 if filled.size else None


def _halves(air: Bools, midline: float) -> Iterable[Bools]:
    """Right, then left."""
    left = (np.arange(air.shape[2]) > midline)[None, None, :]
    yield air & ~left
    yield air & left


def _closed(air: Bools, cell_mm: NDArray[np.float64]) -> Bools:
    far: NDArray[np.float64] = ndimage.distance_transform_edt(~air, sampling=cell_mm)
    grown = far <= CLOSING_MM
    # The border counts as lung while shrinking: a lung that is cut by the field stays whole there.
    inner: NDArray[np.float64] = ndimage.distance_transform_edt(grown, sampling=cell_mm)
    return air | (inner > CLOSING_MM)


def _rooms(sides: list[Bools], midline: float | None) -> list[Bools]:
    """The convex hull of each lung; a lung that is nearly gone gets the other's mirror image."""
    counts = [int(side.sum()) for side in sides]
    hulls = [_hull(side) if count else side for side, count in zip(sides, counts, strict=True)]
    if midline is not None and len(hulls) == 2:
        for one, other in ((0, 1), (1, 0)):
            if counts[one] < GONE * counts[other]:
                hulls[one] = hulls[one] | _mirrored(hulls[other], midline)
        left = (np.arange(hulls[0].shape[2]) > midline)[None, None, :]
        hulls = [hulls[0] & ~left, hulls[1] & left]
    return hulls


def widened(lungs: Lungs) -> Lungs:
    """The same with more room, for what fills lung or pleura: each side is taken to be as wide as the other one, and at
    the back no narrower than above."""
    room = lungs.room.copy()
    if lungs.midline is not None:
        room |= _mirrored(room, lungs.midline)
    above = np.logical_or.accumulate(room[::-1], axis=0)[::-1]
    return replace(lungs, room=room | (above & (lungs.back > 0.55) & (lungs.hu > -200) & (lungs.hu < 130)))


def _mirrored(mask: Bools, midline: float) -> Bools:
    columns = np.round(2 * midline - np.arange(mask.shape[2])).astype(int)
    seen = (columns >= 0) & (columns < mask.shape[2])
    out = np.zeros_like(mask)
    out[:, :, seen] = mask[:, :, columns[seen]]
    return out


def _hull(mask: Bools) -> Bools:
    """Cells within the convex hull of a mask's largest piece."""
    labels, count = ndimage.label(mask)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        mask = sizes[labels] > 0.02 * sizes.max()
    surface = mask & ~ndimage.binary_erosion(mask)
    points = np.argwhere(surface)
    if len(points) < 8:
        return mask
    try:
        hull = ConvexHull(points.astype(np.float64))
    except QhullError:  # all in one plane
        return mask
    planes, offsets = hull.equations[:, :3].astype(np.float32), hull.equations[:, 3:].astype(np.float32)
    low, high = points.min(axis=0), points.max(axis=0) + 1
    out = mask.copy()
    # Asked of every second cell along each axis: the room is no finer than that, and there are eight times fewer.
    j, i = (np.arange(low[axis], high[axis], 2, dtype=np.float32) for axis in (1, 2))
    flat = planes[:, 1:2, None] * j[:, None] + planes[:, 2:3, None] * i[None, :] + offsets[:, :, None]
    for k in range(low[0], high[0], 2):
        inside = (flat + planes[:, 0:1, None] * np.float32(k)).max(axis=0) <= 0.01
        fine = inside.repeat(2, axis=0).repeat(2, axis=1)[: high[1] - low[1], : high[2] - low[2]]
        out[k : min(k + 2, high[0]), low[1] : high[1], low[2] : high[2]] |= fine
    return out


def _place(
    room: Bools, midline: float | None, beyond: tuple[float, float], up: Floats, back: Floats, out: Floats
) -> None:
    """Write the coordinates of one lung's half of the field (of all of it, if there are no halves). beyond: cells of lung
    below and above the field."""
    if not room.any():
        return
    K, _, I = room.shape
    half = np.ones((1, 1, I), dtype=bool)
    if midline is not None:
        left = (np.arange(I) > midline)[None, None, :]
        half = left if (room & left).any() else ~left
    k0, k1 = (at + more for at, more in zip(_span(room, 0), (-beyond[0], beyond[1]), strict=True))
    j0, j1 = _span(room, 1)
    i0, i1 = _span(room, 2)
    z = np.clip((np.arange(K, dtype=np.float32) + 0.5 - k0) / max(1, k1 - k0), 0, 1)[:, None, None]
    y = np.clip((np.arange(room.shape[1], dtype=np.float32) + 0.5 - j0) / max(1, j1 - j0), 0, 1)[None, :, None]
    if midline is None:
        x = np.full(I, 0.5, dtype=np.float32)
    else:
        reach = max(1.0, (i1 - 1 - midline) if (room[:, :, int(midline) + 1 :]).any() else midline - i0)
        x = np.clip(np.abs(np.arange(I, dtype=np.float32) - midline) / reach, 0, 1).astype(np.float32)
    for target, values in ((up, z), (back, y), (out, x[None, None, :])):
        np.copyto(target, np.broadcast_to(values, target.shape), where=np.broadcast_to(half, target.shape))


def _span(mask: Bools, axis: int) -> tuple[int, int]:
    """First and one past the last filled index, stray cells aside."""
    profile = mask.sum(axis=tuple(a for a in range(3) if a != axis))
    filled = np.flatnonzero(profile > 0.002 * profile.sum())
    return (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, mask.shape[axis])
