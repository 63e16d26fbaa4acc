"""What people are shown of a model's answer: its heat blurred until it names a region and not a place, and its price."""

import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask
from quiz.grounding.base import EngineError, Grounding, Heat

CELL_MM = 10.0
"""Cells of the heat that is shown are about this large."""
LEAST_MM = 20.0
"""No region shown is smaller than a ball of this radius: the half-height of the blur of a single point."""
LEAST_ML = 4 / 3 * math.pi * LEAST_MM**3 / 1000
"""33.5 ml: what is charged for is never smaller, whatever the cells make of it."""
FAINT = 32
"""Values below this (of 255) are not shown."""
LUNGS_ML = 5000.0
"""Where a finding can be before anything is known. One number for everybody, so that a price says nothing of the scan."""

MOST_VALUES = 4_000_000

_HEADER = struct.Struct("<4s6I")
_MAGIC = b"SLH1"


def shown_heat(mask: SparseMask, heat: Heat | None, grid: Grid) -> Heat | None:
    """The heat as it is shown, 255 at its peak. From the mask where the engine gave no heat; None if both are empty."""
    if heat is None:
        return neighbourhood(mask, (0.0, 0.0, 0.0), grid)
    k, j, i = (max(one, theirs) for one, theirs in zip(_steps(grid), heat.step, strict=True))
    cells = _no_heat((k, j, i), grid)
    places = np.nonzero(heat.values)
    middles = [(a * s + s // 2) // t for a, s, t in zip(places, heat.step, (k, j, i), strict=True)]
    capped = [np.minimum(middle, n - 1) for middle, n in zip(middles, cells.shape, strict=True)]
    np.maximum.at(cells, tuple(capped), heat.values[places].astype(np.float32))
    return _blurred(cells, (k, j, i), grid)


def neighbourhood(mask: SparseMask, offset_mm: tuple[float, float, float], grid: Grid) -> Heat | None:
    """A region around a mask as it is shown, moved along k, j, i where its middle is not to give the mask away. None if the
    mask is empty."""
    k, j, i = _steps(grid)
    cells = _no_heat((k, j, i), grid)
    moved = [
        np.clip(at + round(mm / spacing), 0, n - 1)
        for at, mm, spacing, n in zip(
            np.unravel_index(mask.flat(), mask.size), offset_mm, grid.spacing_mm, grid.size, strict=True
        )
    ]
    cells[moved[0] // k, moved[1] // j, moved[2] // i] = 255.0
    return _blurred(cells, (k, j, i), grid)


def _steps(grid: Grid) -> tuple[int, int, int]:
    """Voxels of a cell along each axis."""
    k, j, i = (max(1, round(CELL_MM / mm)) for mm in grid.spacing_mm)
    return k, j, i


def _no_heat(step: tuple[int, int, int], grid: Grid) -> NDArray[np.float32]:
    return np.zeros([math.ceil(n / s) for n, s in zip(grid.size, step, strict=True)], dtype=np.float32)


def _blurred(cells: NDArray[np.float32], step: tuple[int, int, int], grid: Grid) -> Heat | None:
    if not cells.any():
        return None
    # A point is at half its height this far away: sigma = r / sqrt(2 ln 2).
    sigma = [LEAST_MM / math.sqrt(2 * math.log(2)) / (s * mm) for s, mm in zip(step, grid.spacing_mm, strict=True)]
    blurred = ndimage.gaussian_filter(cells, sigma, mode="constant", truncate=3.0)
    values = np.rint(255.0 * blurred / blurred.max()).astype(np.uint8)
    values[values < FAINT] = 0
    return Heat(values, step)


def heat_ml(heat: Heat, grid: Grid) -> float:
    """Volume of the region that a shown heat names: where it is at least half as strong as at its peak."""
    cell_ml = grid.voxel_ml * math.prod(heat.step)
    return max(LEAST_ML, float((heat.values >= 128).sum()) * cell_ml)


def location_bits(region_ml: float) -> float:
    """What knowing that it lies in a region of that volume is worth, in bits."""
    return max(0.0, math.log2(LUNGS_ML / max(region_ml, 1e-3)))


def peak(heat: Heat) -> tuple[int, int, int]:
    """The voxel (k, j, i) at the middle of the strongest cell; of equally strong cells, of the one deepest among them, since
    the first of a large region lies at its lower border."""
    strongest = heat.values == heat.values.max()
    box = ndimage.find_objects(strongest.astype(np.uint8))[0]
    depth = ndimage.distance_transform_edt(np.pad(strongest[box], 1))[1:-1, 1:-1, 1:-1]
    cell = np.unravel_index(int(np.argmax(depth)), depth.shape)
    a, b, c = ((int(n) + part.start) * s + s // 2 for n, part, s in zip(cell, box, heat.step, strict=True))
    return a, b, c


def checked(answer: Grounding, grid: Grid) -> Grounding:
    """The answer, if it fits the scan. Raises EngineError: an engine is not trusted more than any other input."""
    if not isinstance(answer, Grounding) or answer.mask.size != grid.size:
        raise EngineError("The engine's answer does not fit this scan.")
    if not math.isfinite(answer.confidence):
        raise EngineError("The engine's answer is not a number; its weights may be damaged.")
    heat = answer.heat
    if heat is not None:
        fits = all(
            n * s >= size > (n - 1) * s for n, s, size in zip(heat.values.shape, heat.step, grid.size, strict=True)
        )
        if heat.values.dtype != np.uint8 or not fits:
            raise EngineError("The engine's heat does not fit this scan.")
    return answer


# -- in the store -----------------------------------------------------------------------------------------------------


def pack_heat(heat: Heat) -> bytes:
    return _HEADER.pack(_MAGIC, *heat.values.shape, *heat.step) + zlib.compress(heat.values.tobytes(), 6)


def unpack_heat(data: bytes) -> Heat:
    """Read what ``pack_heat`` wrote. Raises ValueError if the bytes are damaged."""
    try:
        magic, *numbers = _HEADER.unpack_from(data)
        count = math.prod(numbers[:3])
        if magic != _MAGIC or count > MOST_VALUES:
            raise ValueError("The stored heat is damaged.")
        stream = zlib.decompressobj()
        raw = stream.decompress(data[_HEADER.size :], count + 1)
        if not stream.eof:
            raise ValueError("The stored heat is damaged.")
        values: NDArray[np.uint8] = np.frombuffer(raw, dtype=np.uint8).reshape(numbers[:3])
    except (struct.error, zlib.error, ValueError) as error:
        raise ValueError("The stored heat is damaged.") from error
    return Heat(values, (numbers[3], numbers[4], numbers[5]))
