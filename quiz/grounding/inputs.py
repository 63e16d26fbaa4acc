"""What the small network sees of a CT and of a sentence: plain arrays, made the same way for training and for answering.

Everything is in cubes of 3 mm, [k, j, i] in LPS: two windows of the HU, aerated lung, and how far up, back and out a cube
lies. A sentence is its attributes, its words, and the map of where they allow the finding to lie (``prior``).
"""

import re
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging.geometry import Grid
from quiz.grounding import lungs as places
from quiz.grounding.lungs import Lungs
from quiz.grounding.sentence import ATTRIBUTES

Array = NDArray[np.float32]

STEP_MM = 3.0
CHANNELS = 8
"""Lung window, soft window, aerated lung, three coordinates, coarse probability and a mark for the second pass (zero in
the first)."""
TRAITS = len(ATTRIBUTES)
TOKENS = 40
WORDS = 2048


def tokens(text: str) -> NDArray[np.int64]:
    """Numbers of the words, 0 where there is none. Figures are all the same word: their value is among the attributes."""
    words = re.findall(r"[a-z]+|[0-9]+", text.lower())[:TOKENS]
    numbers = [1 if word[0].isdigit() else 2 + zlib.crc32(word.encode()) % (WORDS - 2) for word in words]
    return np.array(numbers + [0] * (TOKENS - len(numbers)), dtype=np.int64)


def cube_grid(size: tuple[int, int, int]) -> Grid:
    """The grid of a volume of 3 mm cubes, for what needs to know their size only."""
    mm = STEP_MM
    affine = ((mm, 0.0, 0.0, 0.0), (0.0, mm, 0.0, 0.0), (0.0, 0.0, mm, 0.0), (0.0, 0.0, 0.0, 1.0))
    return Grid(size, (mm, mm, mm), affine)


def find_lungs(cubes: NDArray[np.int16]) -> Lungs | None:
    """The lungs of a volume of 3 mm cubes; None if there are none."""
    return places.find_lungs(cubes, cube_grid(cubes.shape))


def coordinates(lungs: Lungs) -> Array:
    """[3, k, j, i]: up and back from -1 to 1, and out: 0 between the lungs, -1 at the right chest wall, 1 at the left."""
    sign = np.where(lungs.left, 1, -1) if lungs.midline is not None else np.ones((1, 1, 1))
    return np.stack([2 * lungs.up - 1, 2 * lungs.back - 1, lungs.out * sign]).astype(np.float32)


def channels(lungs: Lungs) -> Array:
    """The network's input, float32 [8, k, j, i]."""
    out = np.zeros((CHANNELS, *lungs.hu.shape), dtype=np.float32)
    out[0], out[1] = windows(lungs.hu)
    out[2] = lungs.air
    out[3:6] = coordinates(lungs)
    return out


def windows(hu: NDArray[np.int16] | Array) -> tuple[Array, Array]:
    """Lung and soft tissue, each about -1 to 1.5."""
    wide = np.clip((hu.astype(np.float32) + 650) / 350, -1, 1.5)
    return wide.astype(np.float32), np.clip(hu.astype(np.float32) / 150, -1.5, 1.5).astype(np.float32)


# -- cutting out ------------------------------------------------------------------------------------------------------

MARGIN = 2
FINE_STEP = 0.5
"""Voxels of the second pass, as a share of a cube: 1.5 mm."""
FINE_SIZE = (32, 32, 32)


@dataclass(frozen=True)
class Window:
    """A block of a volume, which may reach beyond it. low: first voxel, may be negative. size: voxels along each axis."""

    low: tuple[int, int, int]
    size: tuple[int, int, int]

    def cut(self, volume: NDArray, fill: float = 0) -> NDArray:  # type: ignore[type-arg]
        """The block; ``fill`` beyond the volume. The last three axes are [k, j, i]."""
        out = np.full((*volume.shape[:-3], *self.size), fill, dtype=volume.dtype)
        theirs, ours = [], []
        for low, n, there in zip(self.low, self.size, volume.shape[-3:], strict=True):
            start, stop = max(low, 0), min(low + n, there)
            theirs.append(slice(start, max(stop, start)))
            ours.append(slice(start - low, max(stop, start) - low))
        k, j, i = ours
        z, y, x = theirs
        out[..., k, j, i] = volume[..., z, y, x]
        return out

    def put_back(self, block: NDArray, size: tuple[int, int, int], fill: float = 0) -> NDArray:  # type: ignore[type-arg]
        """A whole volume that holds the block, ``fill`` elsewhere."""
        low = (-self.low[0], -self.low[1], -self.low[2])
        return Window(low, size).cut(block, fill)


def around_lungs(lungs: Lungs, multiple: int) -> Window:
    """The lungs and a little around them, in sizes that the network can halve."""
    lows, sizes = [], []
    for axis in range(3):
        filled = np.flatnonzero(lungs.room.any(axis=tuple(a for a in range(3) if a != axis)))
        low, high = int(filled[0]), int(filled[-1]) + 1
        size = -(-(high - low + 2 * MARGIN) // multiple) * multiple
        lows.append((low + high - size) // 2)
        sizes.append(size)
    return Window((lows[0], lows[1], lows[2]), (sizes[0], sizes[1], sizes[2]))


def sample_fine(volume: NDArray, low: tuple[float, float, float]) -> Array:  # type: ignore[type-arg]
    """A volume of 3 mm cubes looked at in the small cube of the second pass. low: where its first voxel lies, in cubes."""
    return np.asarray(
        ndimage.affine_transform(volume.astype(np.float32), [FINE_STEP] * 3, low, FINE_SIZE, order=1, mode="nearest"),
        dtype=np.float32,
    )


def fine_channels(hu: NDArray[np.int16] | Array, lungs: Lungs, low: tuple[float, float, float], coarse: Array) -> Array:
    """Input of the second pass, float32 [8, k, j, i]. hu: at 1.5 mm. coarse: what the first pass thinks, 0..1, in cubes."""
    out = np.zeros((CHANNELS, *hu.shape), dtype=np.float32)
    out[0], out[1] = windows(hu)
    # Only the neighbourhood is resampled: the whole would cost more than the network.
    first = [max(0, int(np.floor(at)) - 1) for at in low]
    near = tuple(slice(f, f + int(n * FINE_STEP) + 4) for f, n in zip(first, hu.shape, strict=True))
    inner = tuple(at - f for at, f in zip(low, first, strict=True))
    out[2] = sample_fine(lungs.air[near], inner)  # type: ignore[arg-type]
    sign = np.broadcast_to(
        np.where(lungs.left, 1, -1) if lungs.midline is not None else np.ones((1, 1, 1)), lungs.hu.shape
    )
    out[3] = sample_fine(2 * lungs.up[near] - 1, inner)  # type: ignore[arg-type]
    out[4] = sample_fine(2 * lungs.back[near] - 1, inner)  # type: ignore[arg-type]
    out[5] = sample_fine((lungs.out * sign)[near], inner)  # type: ignore[arg-type]
    out[6] = sample_fine(coarse[near], inner)  # type: ignore[arg-type]
    out[7] = 1
    return out
