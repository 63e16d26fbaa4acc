"""How VoxTell's server sends arrays: a small header, then the bytes in compressed chunks (blosc2).

Its own module for this brings torch and a web framework with it; this is all that a client needs.
"""

import math
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from quiz.grounding.base import EngineError

MAGIC = b"VXA2"


def unpack(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The masks in a reply: uint8 of the shape that was asked for. Raises EngineError if it is anything else.

    Layout, little-endian: magic, length of dtype (1 byte), dtype, number of axes (1), axes (8 each), bytes in all (8);
    then per chunk its bytes (8), its compressed bytes (8), and those.
    """
    blosc2 = import_module("blosc2")
    try:
        kind_end = 5 + data[4]
        kind, axes_at = data[5:kind_end].decode("ascii"), kind_end + 1
        axes = np.frombuffer(data, "<u8", data[kind_end], axes_at).tolist()
        if data[:4] != MAGIC or kind != "|u1" or tuple(axes) != shape:
            raise EngineError("VoxTell's server sent masks of another kind or size than were asked for.")
        at, out, filled = axes_at + 8 * len(axes) + 8, np.empty(math.prod(shape), np.uint8), 0
        while at < len(data):
            plain, packed = np.frombuffer(data, "<u8", 2, at).tolist()
            chunk = data[at + 16 : at + 16 + packed]
            if plain > out.size - filled or blosc2.get_cbuffer_sizes(chunk)[0] != plain:  # before memory is taken
                raise ValueError("a chunk says that it is larger than what is missing")
            out[filled : filled + plain] = np.frombuffer(blosc2.decompress(chunk), np.uint8)
            at, filled = at + 16 + packed, filled + plain
    except (ValueError, IndexError, RuntimeError, TypeError) as error:
        raise EngineError("VoxTell's server sent masks that cannot be read.") from error
    if filled != out.size:
        raise EngineError("VoxTell's server sent only a part of the masks.")
    return out.reshape(shape)
