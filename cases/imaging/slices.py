"""The form in which slices are stored and sent: left differences, zigzag, byte planes, gzip.

Per slice of int16 HU ``v[j, i]``: d[j, i] = v[j, i] - v[j, i-1]; in column 0 d = v[j, 0] - v[j-1, 0], with v[-1, 0] = 0.
z = (d << 1) ^ (d >> 15) as uint16; first all low bytes, then all high bytes; then gzip, sent as Content-Encoding.
On real chest CTs this is 27 % smaller than gzip of the raw slice and both directions are a few array operations. The
filter leaves so little to find that ISA-L's fastest level comes within 2 % of zlib's sixth at eleven times its speed.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from isal import igzip
from numpy.typing import NDArray

from cases.imaging.gzipped import IsalError

FILTER = "delta-zigzag-planes"
GZIP_LEVEL = 1


class SliceError(ValueError):
    """Stored bytes that are not a slice of the expected size."""


@dataclass(frozen=True)
class Encoded:
    """The stored bytes of one slice and their checksum (``checksum``)."""

    data: bytes
    checksum: str

    @property
    def content(self) -> str:
        """What gzip's own trailer says of the unpacked bytes, CRC-32 and length: the same however they were packed."""
        return self.data[-8:].hex()


class Encoder:
    """Encodes the slices of a volume beside the thread that reads it: both halves of the work let go of the GIL."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._jobs: dict[int, Future[Encoded]] = {}

    def __enter__(self) -> "Encoder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, voxels: NDArray[np.int16], ks: Iterable[int]) -> None:
        """Take the slices ks of a volume [k, j, i]; they must not change any more."""
        for k in ks:
            self._jobs[k] = self._pool.submit(_encoded, voxels[k])

    def result(self) -> list[Encoded]:
        """Every slice, k = 0 first; waits for them."""
        return [self._jobs[k].result() for k in sorted(self._jobs)]


def _encoded(plane: NDArray[np.int16]) -> Encoded:
    data = encode(plane)
    return Encoded(data, checksum(data))


def checksum(data: bytes) -> str:
    """BLAKE2b, 16 bytes, in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def encode(plane: NDArray[np.int16]) -> bytes:
    """The stored bytes of one slice [j, i]."""
    difference = np.empty_like(plane)
    difference[:, 1:] = plane[:, 1:] - plane[:, :-1]
    difference[1:, 0] = plane[1:, 0] - plane[:-1, 0]
    difference[0, 0] = plane[0, 0]
    zigzag = ((difference << 1) ^ (difference >> 15)).view(np.uint16).ravel()
    pairs = zigzag.astype("<u2", copy=False).view(np.uint8).reshape(-1, 2)
    return igzip.compress(np.ascontiguousarray(pairs.T), GZIP_LEVEL, mtime=0)


def decode(stored: bytes, *, rows: int, columns: int) -> NDArray[np.int16]:
    """The slice [j, i] of stored bytes. Raises SliceError if they are damaged."""
    planes = np.frombuffer(gunzip(stored), dtype=np.uint8)
    if planes.size != 2 * rows * columns:
        raise SliceError(f"the slice holds {planes.size} bytes, not {2 * rows * columns}")
    low, high = planes[: rows * columns], planes[rows * columns :]
    zigzag = low.astype(np.uint16) | (high.astype(np.uint16) << 8)
    difference = (
        ((zigzag >> 1) ^ (-(zigzag & 1).astype(np.int16)).view(np.uint16)).view(np.int16).reshape(rows, columns)
    )
    plane = difference.copy()
    plane[:, 0] = np.cumsum(difference[:, 0], dtype=np.int16)
    return np.cumsum(plane, axis=1, dtype=np.int16)


def gunzip(stored: bytes) -> bytes:
    try:
        raw: bytes = igzip.decompress(stored)
        return raw
    except (OSError, EOFError, IsalError) as error:
        raise SliceError(f"the stored slice is damaged ({error})") from error


PREVIEW_STEP = 4


def to_preview(stored: bytes, *, rows: int, columns: int) -> bytes:
    """A coarse picture of a slice, encoded alike: means of blocks of 4 x 4 voxels, smaller ones at the far edges."""
    plane = decode(stored, rows=rows, columns=columns).astype(np.int32)
    firsts = [np.arange(0, length, PREVIEW_STEP) for length in plane.shape]
    sums = np.add.reduceat(np.add.reduceat(plane, firsts[0], axis=0), firsts[1], axis=1)
    counts = [np.diff(np.append(first, length)) for first, length in zip(firsts, plane.shape, strict=True)]
    return encode(np.floor(sums / np.outer(*counts) + 0.5).astype(np.int16))


def to_raw(stored: bytes, *, rows: int, columns: int) -> bytes:
    """Little-endian int16 HU, row-major."""
    return decode(stored, rows=rows, columns=columns).astype("<i2").tobytes()
