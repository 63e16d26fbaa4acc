"""Window level and width: which HU are black and which are white."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Window:
    """level: HU of mid-grey. width: HU from black to white."""

    name: str
    level: int
    width: int


LUNG = Window("Lung", -600, 1500)
MEDIASTINUM = Window("Mediastinum", 40, 400)
BONE = Window("Bone", 400, 1800)
NARROW_LUNG = Window("Narrow lung", -700, 700)
PRESETS = (LUNG, MEDIASTINUM, BONE, NARROW_LUNG)


def to_uint8(hu: NDArray[np.int16], window: Window) -> NDArray[np.uint8]:
    """Grey values: black at level - width/2 and below, white at level + width/2 and above, halves rounded up.

    In whole numbers, as static/viewer/window.js and its shader do it, so that all three give the same grey.
    """
    scaled = ((2 * (hu.astype(np.int32) - window.level) + window.width) * 255 + window.width) // (2 * window.width)
    grey: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return grey
