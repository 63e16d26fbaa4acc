"""The port to grounding models: a CT and sentences in, masks with a probability out. Engines live beside this file.

An engine is anything with a name, a version and ``ground``. It knows no Django, no database and no clock; it gets arrays
in house order and gives masks in house order, whatever order it works in itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask

Progress = Callable[[int, int], bool]
"""Called with (done, total) now and then; returning False cancels."""


class EngineError(Exception):
    """An engine that cannot answer. The message is a sentence for people: what is wrong and what would help."""


class EngineUnavailable(EngineError):
    """It cannot work on this machine at all: no torch, no GPU, no weights, weights that fail their checksum."""


class GroundingCancelled(EngineError):
    """The caller's progress function asked to stop."""


@dataclass(frozen=True)
class Heat:
    """Where an engine thinks it is, coarsely: uint8 [k, j, i], 255 = certain. Cell (a, b, c) covers the voxels from
    (a, b, c) * step on, ``step`` voxels along each axis (fewer at the far border)."""

    values: NDArray[np.uint8]
    step: tuple[int, int, int]


@dataclass(frozen=True)
class Grounding:
    """Answer to one sentence.

    mask: on the CT's own grid, instances joined; empty if the engine marks nothing. heat: None if it has none to give.
    confidence: 0..1, the engine's own. attributes: what was read from the sentence (category, side, zone, size_mm ...).
    note: a sentence for people when something kept the engine from a full answer, else "". asked: False if the engine has
    not looked for it at all, though it could if it were set up for it; then nothing is known of how it would answer.
    """

    sentence: str
    mask: SparseMask
    heat: Heat | None
    confidence: float
    attributes: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    asked: bool = True


class Grounder(Protocol):
    """One engine. ``name`` and ``version`` are stored with every hint it makes."""

    name: str
    version: str

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """One grounding per sentence, in order. voxels: HU [k, j, i]. Raises EngineError, GroundingCancelled among it.

        A sentence that cannot be answered (too long, not understood) gets an empty mask and a note, not an exception.
        """
        ...
