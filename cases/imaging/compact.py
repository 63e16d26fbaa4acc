"""The compact form of a painted mask: runs in volume order as varints, deflated. 92 bytes for a nodule, 43 KB for a
large effusion, where the JSON form takes 0.3 MB.

Inflated it is a row of unsigned LEB128 varints, each in its shortest form: 1 (the version), K, J, I, then for every run
the gap since the end of the run before and the length of the run. Voxels are numbered k * J * I + j * I + i; a run may
go on into the next row and slice. Gaps after the first are at least 1, so that a mask has exactly one compact form.
Deflated: raw deflate (RFC 1951), no wrapper. ``static/viewer/compact.js`` is its twin.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases.imaging import masks
from cases.imaging.masks import MAX_RUN_NUMBERS, Ints, MaskError, Size, SparseMask

CONTENT_TYPE = "application/vnd.sightline.mask"
VERSION = 1

MAX_INFLATED = 4 * 2**20
"""Bytes that one mask may inflate to: two million numbers of two bytes. A large effusion takes 0.1 MB."""

_LONGEST = 5
"""Bytes of the longest varint: 35 bits number every voxel of the largest volume many times over."""


def encode(mask: SparseMask) -> bytes:
    """The compact form of a mask, instances joined."""
    return _deflate(to_varints(mask))


def to_varints(mask: SparseMask) -> bytes:
    """The inflated form: what the twin in the browser is compared with."""
    joined = mask.union()
    starts, stops = joined.starts, joined.stops
    if len(starts):  # what touches across a row's end is one run here
        apart = np.concatenate([[True], starts[1:] != stops[:-1]])
        starts, stops = starts[apart], stops[np.concatenate([apart[1:], [True]])]
    numbers = np.empty(4 + 2 * len(starts), dtype=np.int64)
    numbers[:4] = (VERSION, *mask.size)
    numbers[4::2] = starts - np.concatenate([[0], stops[:-1]])[: len(starts)]
    numbers[5::2] = stops - starts
    return _varints(numbers)


def decode(data: bytes, size: Size) -> SparseMask:
    """Read the compact form of a mask painted on a volume of ``size``. Raises MaskError, and nothing else."""
    numbers = _numbers(_inflate(data))
    if len(numbers) < 4 or numbers[0] != VERSION:
        raise MaskError("This is not a compact mask of version 1.")
    given = tuple(int(n) for n in numbers[1:4])
    if given != tuple(size):
        raise MaskError(
            f"The mask is {_by(given)} voxels, but this volume is {_by(size)}: it was painted on another one."
        )
    if len(numbers) % 2:
        raise MaskError("The compact mask ends within a run.")
    if len(numbers) - 4 > MAX_RUN_NUMBERS:
        raise MaskError(f"The mask has more than {MAX_RUN_NUMBERS // 2:,} runs; nothing painted by hand has that many.")
    gaps, lengths = numbers[4::2], numbers[5::2]
    if (lengths < 1).any():
        raise MaskError(f"Run {int(np.argmax(lengths < 1)) + 1} of the compact mask has no length.")
    if (gaps[1:] < 1).any():
        raise MaskError(f"Run {int(np.argmax(gaps[1:] < 1)) + 2} of the compact mask touches the one before it.")
    # A million numbers of 35 bits add up to 55 bits: no overflow before the end is compared.
    stops = np.cumsum(gaps + lengths)
    if len(stops) and stops[-1] > size[0] * size[1] * size[2]:
        raise MaskError("A run of the compact mask ends outside the volume.")
    return masks.from_runs(stops - lengths, lengths, size)


def _by(size: Any) -> str:
    return " x ".join(str(n) for n in size)


def _deflate(data: bytes) -> bytes:
    press = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return press.compress(data) + press.flush()


def _inflate(data: bytes) -> bytes:
    """At most MAX_INFLATED bytes are ever made of what was sent."""
    press = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated: bytes = press.decompress(data, MAX_INFLATED + 1)
    except zlib.error as error:
        raise MaskError("The compact mask cannot be inflated; it is damaged or not deflated.") from error
    if len(inflated) > MAX_INFLATED:
        raise MaskError(f"The compact mask inflates to more than {MAX_INFLATED // 2**20} MB; no painted mask does.")
    if not press.eof:
        raise MaskError("The compact mask is cut short.")
    if press.unused_data:
        raise MaskError("There are bytes after the end of the compact mask.")
    return inflated


def _varints(numbers: Ints) -> bytes:
    groups = (numbers[:, None] >> np.arange(0, 7 * _LONGEST, 7)) & 0x7F
    used = np.maximum(1, _LONGEST - np.argmax((groups != 0)[:, ::-1], axis=1))
    used[numbers == 0] = 1
    place = np.arange(_LONGEST)
    groups |= np.where(place < used[:, None] - 1, 0x80, 0)
    data: NDArray[np.uint8] = groups[place < used[:, None]].astype(np.uint8)
    return data.tobytes()


def _numbers(data: bytes) -> Ints:
    raw: NDArray[np.uint8] = np.frombuffer(data, dtype=np.uint8)
    last = np.flatnonzero(raw < 0x80)
    if not len(raw) or not len(last) or last[-1] != len(raw) - 1:
        raise MaskError("The compact mask ends within a number.")
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > _LONGEST:
        raise MaskError(f"A number of the compact mask is longer than {_LONGEST} bytes.")
    if ((raw[last] == 0) & (lengths > 1)).any():
        raise MaskError("A number of the compact mask is not in its shortest form.")
    shifts = 7 * (np.arange(len(raw)) - np.repeat(first, lengths))
    numbers: Ints = np.add.reduceat((raw & 0x7F).astype(np.int64) << shifts, first)
    return numbers
