"""A small picture of part of one axial slice, with areas in colour: as PNG, as a radiologist looks at it."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cases.imaging.window import Window, to_uint8

Colour = tuple[int, int, int]

STRENGTH = 0.55
"""How much of a coloured pixel is colour; the rest is the CT."""


def picture(
    plane: NDArray[np.int16],
    areas: NDArray[np.uint8],
    colours: Mapping[int, Colour],
    *,
    window: Window,
    spacing_mm: tuple[float, float],
    width: int,
) -> bytes:
    """PNG of HU [j, i] with areas [j, i]: row 0 at the top is anterior, column 0 at the left is the patient's right.

    colours: by the areas' value; 0 is never coloured. spacing_mm: (dj, di), so that a millimetre is as long along both.
    width: of the picture, in pixels.
    """
    grey = to_uint8(plane, window)
    rgb = np.repeat(grey[:, :, None], 3, axis=2).astype(np.float32)
    for value, colour in colours.items():
        here = areas == value
        rgb[here] = (1 - STRENGTH) * rgb[here] + STRENGTH * np.array(colour, dtype=np.float32)
    height = max(1, round(width * plane.shape[0] * spacing_mm[0] / (plane.shape[1] * spacing_mm[1])))
    out = io.BytesIO()
    # Areas keep their voxel edges: a picture of what was counted must not smooth it.
    Image.fromarray(rgb.round().astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()
