"""Masks in house order, kept sparse: a bounding box and the values inside it.

Three forms of the same thing:
- ``SparseMask``: what the code works with.
- wire: the JSON of design section 4, ``{"size": [K, J, I], "runs": {"<k>": [start, length, ...]}}``.
- packed: bytes on disk, instance values kept.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from cases.imaging.gzipped import IsalError

Box = tuple[slice, slice, slice]
Size = tuple[int, int, int]

MAX_RUN_NUMBERS = 2_000_000
"""Numbers accepted in one wire mask. A hand-painted whole lung needs about 100,000; this only stops abuse."""

_MAGIC = b"SLM1"
_HEADER = struct.Struct("<4s9I")
_LEVEL = 1


class MaskError(ValueError):
    """A mask that cannot be read. The message is a sentence that says what and where."""


@dataclass(frozen=True)
class SparseMask:
    """A mask of a volume of ``size`` (K, J, I): zero everywhere but in a box.

    origin: (k, j, i) of the box's first voxel. values: uint8 array of the box; 0 is background, any other value is the
    number of an instance (painted masks hold only 1). An empty mask has a box of shape (0, 0, 0).
    """

    size: Size
    origin: Size
    values: NDArray[np.uint8]

    @property
    def is_empty(self) -> bool:
        return self.values.size == 0

    @property
    def box(self) -> Box:
        """The box as slices of the full array."""
        k, j, i = (slice(o, o + n) for o, n in zip(self.origin, self.values.shape, strict=True))
        return k, j, i

    def voxels(self) -> int:
        """Number of voxels that are not background."""
        return int(np.count_nonzero(self.values))

    def instance_values(self) -> list[int]:
        """The distinct values in use, ascending; they need not be 1..n."""
        return [int(value) for value in np.flatnonzero(np.bincount(self.values.ravel(), minlength=2)) if value]

    def window(self, box: Box) -> NDArray[np.uint8]:
        """Values inside another box of the same volume (slices with start and stop), as a new uint8 array."""
        shape = tuple(s.stop - s.start for s in box)
        out = np.zeros(shape, dtype=np.uint8)
        if self.is_empty:
            return out
        inner, outer = [], []
        for mine, asked in zip(self.box, box, strict=True):
            lo, hi = max(mine.start, asked.start), min(mine.stop, asked.stop)
            if lo >= hi:
                return out
            inner.append(slice(lo - mine.start, hi - mine.start))
            outer.append(slice(lo - asked.start, hi - asked.start))
        out[tuple(outer)] = self.values[tuple(inner)]
        return out

    def dense(self) -> NDArray[np.uint8]:
        """The full (K, J, I) array. For tests and exports; scoring never needs it."""
        return self.window((slice(0, self.size[0]), slice(0, self.size[1]), slice(0, self.size[2])))


def union_box(*masks: SparseMask, margin: Size = (0, 0, 0)) -> Box | None:
    """Smallest box holding every mask, grown by ``margin`` voxels and cut at the volume. None if all are empty."""
    filled = [mask for mask in masks if not mask.is_empty]
    if not filled:
        return None
    size = filled[0].size
    axes = zip(*(mask.box for mask in filled), strict=True)
    grown = [
        slice(max(0, min(s.start for s in axis) - m), min(n, max(s.stop for s in axis) + m))
        for axis, m, n in zip(axes, margin, size, strict=True)
    ]
    return grown[0], grown[1], grown[2]


def empty(size: Size) -> SparseMask:
    return SparseMask(size, (0, 0, 0), np.zeros((0, 0, 0), dtype=np.uint8))


def from_dense(array: NDArray[Any], *, origin: Size = (0, 0, 0), size: Size | None = None) -> SparseMask:
    """Crop an array of values (bool or 0..255) to its box. ``origin`` and ``size`` place a window in a larger volume."""
    size = size or (array.shape[0], array.shape[1], array.shape[2])
    values = array.view(np.uint8) if array.dtype == np.bool_ else array.astype(np.uint8, copy=False)
    bounds = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(values.any(axis=others))
        if filled.size == 0:
            return empty(size)
        bounds.append((int(filled[0]), int(filled[-1]) + 1))
    (k0, k1), (j0, j1), (i0, i1) = bounds
    start = (origin[0] + k0, origin[1] + j0, origin[2] + i0)
    return SparseMask(size, start, np.ascontiguousarray(values[k0:k1, j0:j1, i0:i1]))


# -- wire -------------------------------------------------------------------------------------------------------------


def from_wire(payload: object, size: Size) -> SparseMask:
    """Read a wire mask painted on a volume of ``size``. Raises MaskError with a sentence that says what and where."""
    if not isinstance(payload, Mapping):
        raise MaskError('The mask must be an object {"size": [K, J, I], "runs": {...}}.')
    unknown = sorted(str(key) for key in set(payload) - {"size", "runs"})
    if unknown:
        raise MaskError(f"The mask has the unknown key {unknown[0][:40]!r}; it has only size and runs.")
    given = payload.get("size")
    if not isinstance(given, list) or len(given) != 3 or not all(_is_whole(n) for n in given):
        raise MaskError('The mask\'s "size" must be three whole numbers [K, J, I].')
    if tuple(given) != tuple(size):
        raise MaskError(
            f"The mask is {_by(given)} voxels, but this volume is {_by(size)}: it was painted on another one."
        )
    runs = payload.get("runs")
    if not isinstance(runs, Mapping):
        raise MaskError('The mask\'s "runs" must be an object with one list per painted slice.')
    slices = [(_slice_key(key, size[0]), flat) for key, flat in runs.items()]
    if sum(len(flat) for _, flat in slices if isinstance(flat, list)) > MAX_RUN_NUMBERS:
        raise MaskError(f"The mask has more than {MAX_RUN_NUMBERS // 2:,} runs; nothing painted by hand has that many.")
    return _from_slices([(k, *_slice_runs(k, flat, size)) for k, flat in sorted(slices)], size)


def to_wire(mask: SparseMask) -> dict[str, Any]:
    """The wire form of a mask, instances joined."""
    _, rows, row = mask.size
    runs: dict[str, list[int]] = {}
    if not mask.is_empty:
        (k0, j0, i0) = mask.origin
        for dk, plane in enumerate(mask.values != 0):
            if not plane.any():
                continue
            # Runs that touch across a row end are one run on the wire only if the box spans whole rows; cutting at
            # every row keeps each run inside its row, which every reader accepts.
            padded = np.zeros((plane.shape[0], plane.shape[1] + 2), dtype=np.int8)
            padded[:, 1:-1] = plane
            steps = np.diff(padded, axis=1)
            js, starts = np.nonzero(steps == 1)
            _, stops = np.nonzero(steps == -1)
            flat = np.empty(2 * len(starts), dtype=np.int64)
            flat[0::2] = (js + j0) * row + starts + i0
            flat[1::2] = stops - starts
            runs[str(k0 + dk)] = flat.tolist()
    return {"size": [mask.size[0], rows, row], "runs": runs}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _by(size: Any) -> str:
    return " x ".join(str(n) for n in size)


def _slice_key(key: object, count: int) -> int:
    text = str(key)
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and text == str(int(text))):
        raise MaskError(f"{text[:40]!r} is not a slice number; use decimal keys from 0 to {count - 1}.")
    if int(text) >= count:
        raise MaskError(f"Slice {text} is outside the volume, which has slices 0 to {count - 1}.")
    return int(text)


def _slice_runs(k: int, flat: object, size: Size) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths of the runs of slice k, checked."""
    if not isinstance(flat, list) or len(flat) % 2:
        raise MaskError(f"Slice {k}: the runs must be a flat list of start, length pairs.")
    if not all(_is_whole(n) for n in flat):
        raise MaskError(f"Slice {k}: every start and length must be a whole number.")
    plane = size[1] * size[2]
    if any(n < 0 or n > plane for n in flat):
        raise MaskError(f"Slice {k}: a run reaches outside the slice, which has {plane} voxels.")
    numbers = np.array(flat, dtype=np.int64)
    starts, lengths = numbers[0::2], numbers[1::2]
    if (lengths < 1).any():
        raise MaskError(f"Slice {k}: run {int(np.argmax(lengths < 1)) + 1} has no length.")
    if (starts + lengths > plane).any():
        where = int(np.argmax(starts + lengths > plane)) + 1
        raise MaskError(f"Slice {k}: run {where} ends outside the slice, which has {plane} voxels.")
    if (starts[1:] < starts[:-1] + lengths[:-1]).any():
        where = int(np.argmax(starts[1:] < starts[:-1] + lengths[:-1])) + 2
        raise MaskError(f"Slice {k}: run {where} overlaps the one before it or is out of order.")
    return starts, lengths


def _from_slices(slices: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]], size: Size) -> SparseMask:
    slices = [entry for entry in slices if len(entry[1])]
    if not slices:
        return empty(size)
    _, _, row = size
    j0 = min(int(starts[0]) // row for _, starts, _ in slices)
    j1 = max(int(starts[-1] + lengths[-1] - 1) // row for _, starts, lengths in slices) + 1
    k0, k1 = slices[0][0], slices[-1][0] + 1
    values = np.zeros((k1 - k0, j1 - j0, row), dtype=np.uint8)
    for k, starts, lengths in slices:
        edges = np.zeros((j1 - j0) * row + 1, dtype=np.int8)
        edges[starts - j0 * row] += 1
        np.add.at(edges, starts + lengths - j0 * row, -1)
        values[k - k0] = np.cumsum(edges[:-1], dtype=np.int8).reshape(j1 - j0, row)
    return from_dense(values, origin=(k0, j0, 0), size=size)


# -- packed -----------------------------------------------------------------------------------------------------------


def pack(mask: SparseMask) -> bytes:
    """Bytes for the store: a header and the deflated box, instance values kept."""
    return _header(mask) + isal_zlib.compress(np.ascontiguousarray(mask.values), _LEVEL)


def unpack(data: bytes) -> SparseMask:
    """Read what ``pack`` wrote. Raises MaskError if the bytes are damaged."""
    try:
        magic, *numbers = _HEADER.unpack_from(data)
        raw = isal_zlib.decompress(data[_HEADER.size :])
        shape = (numbers[6], numbers[7], numbers[8])
        values = np.frombuffer(raw, dtype=np.uint8).reshape(shape)
    except (struct.error, IsalError, ValueError) as error:
        raise MaskError("The stored mask is damaged.") from error
    if magic != _MAGIC:
        raise MaskError("The stored mask is damaged.")
    return SparseMask((numbers[0], numbers[1], numbers[2]), (numbers[3], numbers[4], numbers[5]), values)


def digest(mask: SparseMask) -> str:
    """SHA-256 of a mask's content, in hexadecimal; how it is compressed does not matter."""
    content = hashlib.sha256(_header(mask))
    content.update(np.ascontiguousarray(mask.values).data)
    return content.hexdigest()


def _header(mask: SparseMask) -> bytes:
    return _HEADER.pack(_MAGIC, *mask.size, *mask.origin, *mask.values.shape)


def wire_bytes(mask: SparseMask) -> bytes:
    """Canonical JSON of a mask: equal masks give equal bytes."""
    return json.dumps(to_wire(mask), separators=(",", ":"), sort_keys=True).encode()
