"""What is known of a mask once and for all: size, place and density, per instance and for the whole finding."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging.anatomy import LungField, side_of, zone_of
from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask, union_box

RIM_MM = 5.0
"""Width of the rim that contrast is measured against."""
RIM_MAX_VOXELS = 8_000_000
"""Boxes larger than this get no rim contrast: the number means little for half a lung and would cost seconds."""


@dataclass(frozen=True)
class Measure:
    """box: ((k0, k1), (j0, j1), (i0, i1)), stops excluded. centroid: (k, j, i). diameter_mm: of the sphere of the same
    volume. value: the instance's number, 0 for the whole finding."""

    value: int
    voxels: int
    volume_ml: float
    diameter_mm: float
    box: tuple[tuple[int, int], ...]
    centroid: tuple[float, ...]
    largest_k: int
    side: str
    zone: str
    mean_hu: float | None
    rim_contrast_hu: float | None


def measure(mask: SparseMask, voxels: NDArray[np.int16], grid: Grid, field: LungField | None) -> list[Measure]:
    """The whole finding first, then its instances in ascending order of their value. Empty for an empty mask."""
    if mask.is_empty:
        return []
    instances = [_one(mask, value, voxels, grid, field) for value in mask.instance_values()]
    whole = instances[0] if len(instances) == 1 else _one(mask, 0, voxels, grid, field)
    largest = max(instance.diameter_mm for instance in instances)
    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__} | {"value": 0, "diameter_mm": largest}
    return [Measure(**fields), *instances]


def _one(mask: SparseMask, value: int, voxels: NDArray[np.int16], grid: Grid, field: LungField | None) -> Measure:
    inside = mask.values != 0 if value == 0 else mask.values == value
    k, j, i = (axis + start for axis, start in zip(np.nonzero(inside), mask.origin, strict=True))
    volume_ml = k.size * grid.voxel_ml
    per_slice = np.bincount(k)
    hu = voxels[k, j, i]
    return Measure(
        value=value,
        voxels=int(k.size),
        volume_ml=volume_ml,
        diameter_mm=2.0 * (3.0 * volume_ml * 1000.0 / (4.0 * math.pi)) ** (1.0 / 3.0),
        box=tuple((int(axis.min()), int(axis.max()) + 1) for axis in (k, j, i)),
        centroid=tuple(round(float(axis.mean()), 2) for axis in (k, j, i)),
        largest_k=int(np.argmax(per_slice)),
        side=side_of(i, field),
        zone=zone_of(k, field),
        mean_hu=float(hu.mean()),
        rim_contrast_hu=_rim_contrast(mask, inside, voxels, grid, float(hu.mean())),
    )


def _rim_contrast(
    mask: SparseMask, inside: NDArray[np.bool_], voxels: NDArray[np.int16], grid: Grid, mean_hu: float
) -> float | None:
    dk, dj, di = (math.ceil(RIM_MM / mm) for mm in grid.spacing_mm)
    box = union_box(mask, margin=(dk, dj, di))
    if box is None or math.prod(s.stop - s.start for s in box) > RIM_MAX_VOXELS:
        return None
    filled = np.zeros(tuple(s.stop - s.start for s in box), dtype=bool)
    place = tuple(slice(m.start - b.start, m.stop - b.start) for m, b in zip(mask.box, box, strict=True))
    filled[place] = inside
    distance = ndimage.distance_transform_edt(~filled, sampling=grid.spacing_mm)
    rim = (distance > 0) & (distance <= RIM_MM)
    return mean_hu - float(voxels[box][rim].mean()) if rim.any() else None
