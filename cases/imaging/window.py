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
    """Grey values: black at level - width/2 and below, white at level + width/2 and above."""
    low = window.level - window.width / 2
    scaled = (hu.astype(np.float32) - low) * (255.0 / window.width)
    grey: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return grey
