"""The port to grounding models: a CT and sentences in, masks with a probability out. Engines live beside this file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid

Progress = Callable[[int, int], bool]
"""Called with (done, total); returning False cancels."""


class GroundingCancelled(Exception):
    """The caller's progress function asked to stop."""


@dataclass(frozen=True)
class Grounding:
    """Answer to one sentence, on the CT's own grid in house order.

    probability: float16 [k, j, i] in 0..1, or None if the engine knows masks only. mask: bool [k, j, i].
    confidence: 0..1, the engine's own. attributes: what the engine read from the sentence (side, lobe, size ...).
    """

    sentence: str
    mask: NDArray[np.bool_]
    probability: NDArray[np.float16] | None
    confidence: float
    attributes: dict[str, str]


class Grounder(Protocol):
    """One engine. ``name`` and ``version`` are stored with every hint it makes."""

    name: str
    version: str

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """One grounding per sentence, in order. voxels: HU [k, j, i]. Raises GroundingCancelled."""
        ...
