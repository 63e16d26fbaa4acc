"""Some neighbouring slices in one piece, for a viewer that fetches a whole volume: a request costs more than its slice.

Block n holds the slices from n * SLICES on, as they are stored: the length of each in bytes (little-endian uint32), then
the bytes. A slice that cannot be read has length 0; asked for by itself it says why.
"""

import struct
from collections.abc import Sequence

SLICES = 8


def within(n: int, count: int) -> range:
    """The slices of block n in a volume of ``count``; empty beyond its end."""
    return range(n * SLICES, min((n + 1) * SLICES, count))


def pack(stored: Sequence[bytes]) -> bytes:
    """The block of some stored slices; b"" stands for one that cannot be read."""
    return struct.pack(f"<{len(stored)}I", *map(len, stored)) + b"".join(stored)
