"""Masks in house order, kept as runs: what the code works with, what travels, and what is stored are the same thing.

- ``SparseMask``: runs of voxels along i, with the value of each run.
- wire: the JSON of design section 4, ``{"size": [K, J, I], "runs": {"<k>": [start, length, ...]}}``.
- packed: bytes on disk, instance values kept.

A lung holds three million voxels and a hundred million surround it; a painted lung is a hundred thousand runs. Counting,
comparing and joining runs costs what is painted, never what is not.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from cases.imaging.gzipped import IsalError

Box = tuple[slice, slice, slice]
Size = tuple[int, int, int]
Ints = NDArray[np.int64]

MAX_RUN_NUMBERS = 2_000_000
"""Numbers accepted in one wire mask. A hand-painted whole lung needs about 100,000; this only stops abuse."""

_MAGIC = b"SLM2"
_HEADER = struct.Struct("<4s4I")
_BOXED_MAGIC, _BOXED = b"SLM1", struct.Struct("<4s9I")
_LEVEL = 6


class MaskError(ValueError):
    """A mask that cannot be read. The message is a sentence that says what and where."""


@dataclass(frozen=True, eq=False)
class SparseMask:
    """A mask of a volume of ``size`` (K, J, I), zero everywhere but in its runs.

    starts: first voxel of each run as k * J * I + j * I + i, ascending. lengths: in voxels; a run never leaves its row.
    values: uint8, never 0: the number of an instance (painted masks hold only 1). Two runs of one value never touch.
    """

    size: Size
    starts: Ints
    lengths: Ints
    values: NDArray[np.uint8]

    @property
    def is_empty(self) -> bool:
        return self.starts.size == 0

    @property
    def stops(self) -> Ints:
        """The voxel after the last of each run."""
        return self.starts + self.lengths

    @cached_property
    def kji(self) -> tuple[Ints, Ints, Ints]:
        """Where each run starts."""
        rows, i = np.divmod(self.starts, self.size[2])
        k, j = np.divmod(rows, self.size[1])
        return k, j, i

    @cached_property
    def box(self) -> Box:
        """The smallest box that holds the mask, as slices of the full array; of no extent if it is empty."""
        if self.is_empty:
            return slice(0, 0), slice(0, 0), slice(0, 0)
        k, j, i = self.kji
        return (
            slice(int(k[0]), int(k[-1]) + 1),
            slice(int(j.min()), int(j.max()) + 1),
            slice(int(i.min()), int((i + self.lengths).max())),
        )

    @property
    def origin(self) -> Size:
        """First voxel of the box."""
        return self.box[0].start, self.box[1].start, self.box[2].start

    def voxels(self) -> int:
        """Number of voxels that are not background."""
        return int(self.lengths.sum())

    def sizes(self) -> dict[int, int]:
        """Voxels of each instance, by its value, ascending."""
        counts = np.bincount(self.values, weights=self.lengths) if not self.is_empty else np.zeros(0)
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}

    def instance_values(self) -> list[int]:
        """The distinct values in use, ascending; they need not be 1..n."""
        return list(self.sizes())

    def areas(self) -> Ints:
        """Voxels of every slice, K numbers."""
        counted: Ints = np.bincount(self.kji[0], weights=self.lengths, minlength=self.size[0]).astype(np.int64)
        return counted

    def slices(self) -> Ints:
        """The slices that hold any of the mask, ascending."""
        return np.unique(self.kji[0])

    def centroid(self) -> tuple[float, float, float]:
        """(k, j, i) of the middle of all voxels."""
        k, j, i = self.kji
        k_mean, j_mean, i_mean = (
            float(np.average(axis, weights=self.lengths)) for axis in (k, j, i + (self.lengths - 1) / 2)
        )
        return k_mean, j_mean, i_mean

    def pick(self, chosen: NDArray[np.bool_]) -> "SparseMask":
        """Only some of the runs."""
        return SparseMask(self.size, self.starts[chosen], self.lengths[chosen], self.values[chosen])

    def only(self, *values: int) -> "SparseMask":
        """Only these instances."""
        return self.pick(np.isin(self.values, values))

    def on_slices(self, ks: Iterable[int]) -> "SparseMask":
        """Only these slices."""
        wanted = np.zeros(self.size[0], dtype=bool)
        wanted[np.asarray(list(ks), dtype=np.int64)] = True
        return self.pick(wanted[self.kji[0]])

    def union(self) -> "SparseMask":
        """The same voxels with the value 1: runs of instances that touch become one."""
        return _joined(self.size, self.starts, self.lengths, np.ones_like(self.values))

    def flat(self) -> Ints:
        """Every voxel as k * J * I + j * I + i, ascending."""
        return _spread(self.starts, self.lengths)

    def at(self, flat: Ints) -> NDArray[np.uint8]:
        """Values at voxels given as in ``flat``."""
        found = np.zeros(len(flat), dtype=np.uint8)
        if not self.is_empty:
            run = np.maximum(np.searchsorted(self.starts, flat, side="right") - 1, 0)
            inside = (flat >= self.starts[run]) & (flat < self.stops[run])
            found[inside] = self.values[run[inside]]
        return found

    def window(self, box: Box) -> NDArray[np.uint8]:
        """Values inside a box of the volume (slices with start and stop), as a new uint8 array."""
        shape = tuple(s.stop - s.start for s in box)
        out = np.zeros(shape, dtype=np.uint8)
        k, j, i = self.kji
        first, last = np.maximum(i, box[2].start), np.minimum(i + self.lengths, box[2].stop)
        inside = (k >= box[0].start) & (k < box[0].stop) & (j >= box[1].start) & (j < box[1].stop) & (first < last)
        rows = (k[inside] - box[0].start) * shape[1] + j[inside] - box[1].start
        lengths = last[inside] - first[inside]
        places = _spread(rows * shape[2] + first[inside] - box[2].start, lengths)
        out.reshape(-1)[places] = np.repeat(self.values[inside], lengths)
        return out

    def cropped(self) -> NDArray[np.uint8]:
        """Values inside the mask's own box."""
        return self.window(self.box)

    def dense(self) -> NDArray[np.uint8]:
        """The full (K, J, I) array. For tests and exports; scoring never needs it."""
        return self.window((slice(0, self.size[0]), slice(0, self.size[1]), slice(0, self.size[2])))


def _spread(starts: Ints, lengths: Ints) -> Ints:
    """Every number of the runs, in their order."""
    total = int(lengths.sum())
    before = np.repeat(np.cumsum(lengths) - lengths, lengths)
    numbers: Ints = np.repeat(starts, lengths) + (np.arange(total) - before)
    return numbers


def _joined(size: Size, starts: Ints, lengths: Ints, values: NDArray[np.uint8]) -> SparseMask:
    """A mask of runs in ascending order, those of one row and value that touch made one."""
    if starts.size == 0:
        return empty(size)
    apart = np.ones(len(starts), dtype=bool)
    apart[1:] = (starts[1:] != starts[:-1] + lengths[:-1]) | (values[1:] != values[:-1]) | (starts[1:] % size[2] == 0)
    first = np.flatnonzero(apart)
    return SparseMask(size, starts[first], np.add.reduceat(lengths, first), values[first])


def empty(size: Size) -> SparseMask:
    none = np.empty(0, dtype=np.int64)
    return SparseMask(size, none, none, np.empty(0, dtype=np.uint8))


def from_flat(flat: Ints, values: NDArray[np.uint8], size: Size) -> SparseMask:
    """A mask of voxels given as k * J * I + j * I + i, in any order, each once, with their values (not 0)."""
    if flat.size and (flat[1:] < flat[:-1]).any():
        order = np.argsort(flat, kind="stable")
        flat, values = flat[order], values[order]
    return _joined(size, flat, np.ones_like(flat), values)


def from_dense(array: NDArray[Any], *, origin: Size = (0, 0, 0), size: Size | None = None) -> SparseMask:
    """A mask of an array of values (bool or 0..255). ``origin`` and ``size`` place a window in a larger volume."""
    size = size or (array.shape[0], array.shape[1], array.shape[2])
    k, j, i = np.nonzero(array)
    flat = ((k + origin[0]) * size[1] + j + origin[1]) * size[2] + i + origin[2]
    return from_flat(flat, array[k, j, i].astype(np.uint8), size)


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


def overlaps(a: SparseMask, b: SparseMask) -> tuple[Ints, Ints, Ints]:
    """Every pair of a run of a and a run of b that share voxels: number of the run in a, in b, voxels shared."""
    if len(a.starts) > len(b.starts):
        in_b, in_a, shared = overlaps(b, a)
        return in_a, in_b, shared
    low = np.searchsorted(b.stops, a.starts, side="right")
    high = np.searchsorted(b.starts, a.stops, side="left")
    count = np.maximum(high - low, 0)
    in_a, in_b = np.repeat(np.arange(len(a.starts)), count), _spread(low, count)
    shared = np.minimum(a.stops[in_a], b.stops[in_b]) - np.maximum(a.starts[in_a], b.starts[in_b])
    return in_a, in_b, shared


# -- wire -------------------------------------------------------------------------------------------------------------


def from_wire(payload: object, size: Size) -> SparseMask:
    """Read a wire mask painted on a volume of ``size``. Raises MaskError with a sentence that says what and where."""
    if not isinstance(payload, Mapping):
        raise MaskError('The mask must be an object {"size": [K, J, I], "runs": {...}}.')
    unknown = sorted(str(key) for key in set(payload) - {"size", "runs"})
    if unknown:
        raise MaskError(f"The mask has the unknown key {unknown[0][:40]!r}; it has only size and runs.")
    given = payload.get("size")
    if not isinstance(given, list) or len(given) != 3 or not set(map(type, given)) <= {int}:
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
    joined = mask.union()
    k = joined.kji[0]
    pairs = np.stack([joined.starts - k * mask.size[1] * mask.size[2], joined.lengths], axis=1)
    cuts = np.flatnonzero(np.diff(k)) + 1
    parts = zip(joined.slices().tolist(), np.split(pairs, cuts), strict=False)
    return {"size": list(mask.size), "runs": {str(k): part.ravel().tolist() for k, part in parts}}


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
    if not set(map(type, flat)) <= {int}:  # a bool is no number here
        raise MaskError(f"Slice {k}: every start and length must be a whole number.")
    plane = size[1] * size[2]
    if flat and (min(flat) < 0 or max(flat) > plane):  # before numpy, which has no place for very large numbers
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


def _from_slices(slices: list[tuple[int, Ints, Ints]], size: Size) -> SparseMask:
    if not slices:
        return empty(size)
    plane = size[1] * size[2]
    starts = np.concatenate([starts + k * plane for k, starts, _ in slices])
    return from_runs(starts, np.concatenate([lengths for *_, lengths in slices]), size)


def from_runs(starts: Ints, lengths: Ints, size: Size) -> SparseMask:
    """A mask of runs that do not overlap, ascending, which may go on in the next row or slice."""
    if not len(starts):
        return empty(size)
    row = size[2]
    # Here a run is cut at the end of each row.
    rows = (starts + lengths - 1) // row - starts // row + 1
    run = np.repeat(np.arange(len(starts)), rows)
    nth = np.arange(len(run)) - np.repeat(np.cumsum(rows) - rows, rows)
    first = np.maximum(starts[run], (starts[run] // row + nth) * row)
    stop = np.minimum((starts + lengths)[run], (starts[run] // row + nth + 1) * row)
    return _joined(size, first, stop - first, np.ones(len(first), dtype=np.uint8))


# -- packed -----------------------------------------------------------------------------------------------------------


def pack(mask: SparseMask) -> bytes:
    """Bytes for the store: a header, and the gaps between runs, their lengths and their values, deflated.

    By zlib, because equal masks must give equal bytes: what ISA-L makes of a short input depends on the memory it gets.
    """
    stops_before = np.concatenate([[0], mask.stops[:-1]])[: len(mask.starts)]
    gaps = (mask.starts - stops_before).astype("<u4")
    content = gaps.tobytes() + mask.lengths.astype("<u2").tobytes() + mask.values.tobytes()
    return _header(mask) + zlib.compress(content, _LEVEL)


def unpack(data: bytes) -> SparseMask:
    """Read what ``pack`` wrote. Raises MaskError if the bytes are damaged."""
    try:
        if data[:4] == _BOXED_MAGIC:
            return _unpack_boxed(data)
        magic, *numbers = _HEADER.unpack_from(data)
        raw = isal_zlib.decompress(data[_HEADER.size :])
    except (struct.error, IsalError, ValueError) as error:
        raise MaskError("The stored mask is damaged.") from error
    size, count = (numbers[0], numbers[1], numbers[2]), numbers[3]
    if magic != _MAGIC or len(raw) != 7 * count:
        raise MaskError("The stored mask is damaged.")
    gaps = np.frombuffer(raw, dtype="<u4", count=count).astype(np.int64)
    lengths = np.frombuffer(raw, dtype="<u2", count=count, offset=4 * count).astype(np.int64)
    values = np.frombuffer(raw, dtype=np.uint8, count=count, offset=6 * count)
    return SparseMask(size, np.cumsum(gaps + lengths) - lengths, lengths, values)


def _unpack_boxed(data: bytes) -> SparseMask:
    """What version 0.1 wrote: a box of values. Drafts and answers of that time are still there."""
    _, *numbers = _BOXED.unpack_from(data)
    size, origin, shape = tuple(numbers[:3]), tuple(numbers[3:6]), tuple(numbers[6:])
    raw = isal_zlib.decompress(data[_BOXED.size :])
    return from_dense(np.frombuffer(raw, dtype=np.uint8).reshape(shape), origin=origin, size=size)


def digest(mask: SparseMask) -> str:
    """SHA-256 of a mask's content, in hexadecimal; how it is compressed does not matter."""
    content = hashlib.sha256(_header(mask))
    for part in (mask.starts.astype("<i8"), mask.lengths.astype("<i8"), mask.values):
        content.update(part.tobytes())
    return content.hexdigest()


def _header(mask: SparseMask) -> bytes:
    return _HEADER.pack(_MAGIC, *mask.size, len(mask.starts))


def wire_bytes(mask: SparseMask) -> bytes:
    """Canonical JSON of a mask: equal masks give equal bytes."""
    return json.dumps(to_wire(mask), separators=(",", ":"), sort_keys=True).encode()
