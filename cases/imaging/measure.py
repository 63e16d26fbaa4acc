"""What is known of a mask once and for all: size, place and density, per instance and for the whole finding."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.anatomy import LungField, side_of, zone_of
from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask
from cases.imaging.rim import surrounding, values_at


@dataclass(frozen=True)
class Measure:
    """box: ((k0, k1), (j0, j1), (i0, i1)), stops excluded. centroid: (k, j, i). diameter_mm: of the sphere of the same
    volume. rim_contrast_hu: mean inside minus mean of the rim, None if there is no rim. value: the instance's number,
    0 for the whole finding, whose diameter is that of its largest instance."""

    value: int
    voxels: int
    volume_ml: float
    diameter_mm: float
    box: tuple[tuple[int, int], ...]
    centroid: tuple[float, ...]
    largest_k: int
    side: str
    zone: str
    mean_hu: float
    rim_contrast_hu: float | None


def measure(mask: SparseMask, voxels: NDArray[np.int16], grid: Grid, field: LungField | None) -> list[Measure]:
    """The whole finding first, then its instances in ascending order of their value. Empty for an empty mask."""
    if mask.is_empty:
        return []
    values = mask.instance_values()
    instances = [_one(value, mask.only(value), voxels, grid, field) for value in values]
    whole = instances[0] if len(instances) == 1 else _one(0, mask, voxels, grid, field)
    largest = max(instance.diameter_mm for instance in instances)
    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__} | {"value": 0, "diameter_mm": largest}
    return [Measure(**fields), *instances]


def _one(value: int, mask: SparseMask, voxels: NDArray[np.int16], grid: Grid, field: LungField | None) -> Measure:
    k, j, i = np.unravel_index(mask.flat(), mask.size)
    volume_ml = k.size * grid.voxel_ml
    mean_hu = float(voxels[k, j, i].mean())
    rim = values_at(voxels, surrounding(mask.cropped() != 0, mask.origin, grid.size, grid.spacing_mm).rim)
    return Measure(
        value=value,
        voxels=int(k.size),
        volume_ml=volume_ml,
        diameter_mm=2.0 * (3.0 * volume_ml * 1000.0 / (4.0 * math.pi)) ** (1.0 / 3.0),
        box=tuple((span.start, span.stop) for span in mask.box),
        centroid=tuple(round(axis, 2) for axis in mask.centroid()),
        largest_k=int(np.argmax(mask.areas())),
        side=side_of(i, field),
        zone=zone_of(k, field),
        mean_hu=mean_hu,
        rim_contrast_hu=mean_hu - float(rim.mean()) if rim.size else None,
    )
