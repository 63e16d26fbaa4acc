"""Does a mask lie on what its sentence speaks of? Catches masks that are turned against their CT.

Two things are known of most categories: the range of HU that their voxels lie in, and whether they are brighter or
darker than the rim around them. A mask that lies on its lesion agrees with both; laid over the CT in any other
orientation it falls on something else. If another orientation agrees clearly better, the pair is held back with the
reason, never corrected silently. Measured rates: docs/content-check.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.masks import SparseMask
from cases.imaging.rim import Surrounding, surrounding, values_at


@dataclass(frozen=True)
class Expectation:
    """hu: range that most voxels lie in, or None. brighter: +1 brighter than its rim, -1 darker, 0 either."""

    hu: tuple[int, int] | None
    brighter: int


EXPECTED = {
    "1a": Expectation(None, 1),
    "1c": Expectation((-1024, -860), -1),
    "1d": Expectation(None, 1),
    "1e": Expectation(None, 1),
    "2a": Expectation((-800, 200), 1),
    "2b": Expectation((-250, 200), 1),
    "2c": Expectation((-850, -100), 1),
    "2d": Expectation((-550, 400), 1),
    "2e": Expectation((-80, 110), 0),
    "2g": Expectation((-1024, -900), -1),
}
"""Medians in the real data are +12 HU (2e), -37 (2b), -487 (2c), -894 (1c), -990 (2g) (data set note, section 9).
Categories without an entry look too different from case to case to say anything."""

FULL_CONTRAST_HU = 300.0
"""A mean difference to the rim of this much or more counts as full agreement."""

CLEARLY_BETTER = 0.25
"""Another orientation must agree better by this much, of 1, before a pair is held back. Between the largest advantage
that a wrong orientation had over the right one and the smallest that the right one had over a wrong one; see docs."""

AGREES = 0.5
"""An orientation that agrees less than this explains nothing, however bad the one at hand is."""

MIN_LUNG_SHARE = 0.02
"""Share of voxels darker than -300 HU in any chest CT; with less, its values are not HU."""

Turn = tuple[tuple[int, int, int], tuple[int, int, int]]
"""Order of the axes, and +1 or -1 for each: voxel (k, j, i) of the mask is looked for at the turned place."""

_IN_PLANE = {
    "left-right": ((0, 1, 2), (1, 1, -1)),
    "front-back": ((0, 1, 2), (1, -1, 1)),
    "by half a turn in the slice": ((0, 1, 2), (1, -1, -1)),
    "top-bottom": ((0, 1, 2), (-1, 1, 1)),
    "top-bottom and left-right": ((0, 1, 2), (-1, 1, -1)),
    "top-bottom and front-back": ((0, 1, 2), (-1, -1, 1)),
    "along all three axes": ((0, 1, 2), (-1, -1, -1)),
}
_SQUARE = {
    "by a quarter turn in the slice": ((0, 2, 1), (1, 1, -1)),
    "by three quarters of a turn in the slice": ((0, 2, 1), (1, -1, 1)),
    "across the diagonal of the slice": ((0, 2, 1), (1, 1, 1)),
    "across the other diagonal of the slice": ((0, 2, 1), (1, -1, -1)),
}


def turns_of(shape: tuple[int, ...]) -> dict[str, Turn]:
    """Every other orientation that a mask of this shape (K, J, I) could be laid over the same CT in, within the slice
    or upside down; quarter turns only fit where the slice is square."""
    return {**_IN_PLANE, **(_SQUARE if shape[1] == shape[2] else {})}


@dataclass(frozen=True)
class Suspicion:
    """turn: the orientation that agrees better. as_is, turned: mean agreement of the findings, 0 to 1."""

    turn: str
    as_is: float
    turned: float

    def sentence(self) -> str:
        return (
            f"The masks do not lie on what the sentences say (agreement {self.as_is:.0%}), but would if they were "
            f"turned {self.turn} ({self.turned:.0%}); the pair is held back."
        )


def is_hu(voxels: NDArray[np.int16]) -> bool:
    """False if nothing in the volume is as dark as lung: the values are then not HU."""
    coarse = voxels[::4, ::4, ::4]
    return bool(np.mean(coarse < -300) >= MIN_LUNG_SHARE)


def check(
    voxels: NDArray[np.int16], spacing_mm: tuple[float, float, float], findings: Sequence[tuple[str, SparseMask]]
) -> Suspicion | None:
    """Compare masks (category, mask) with their CT as they are and turned. None if nothing is suspicious."""
    judged = [
        (EXPECTED[code], surrounding(mask.cropped() > 0, mask.origin, mask.size, spacing_mm))
        for code, mask in findings
        if code in EXPECTED and not mask.is_empty
    ]
    return compare(voxels, judged)


def compare(voxels: NDArray[np.int16], judged: Sequence[tuple[Expectation, Surrounding]]) -> Suspicion | None:
    """The same for places that were sampled before."""
    if not judged:
        return None
    as_is = agreement(voxels, judged, None)
    turned = {name: agreement(voxels, judged, turn) for name, turn in turns_of(voxels.shape).items()}
    best = max(turned, key=lambda name: turned[name])
    if turned[best] < AGREES or turned[best] - as_is < CLEARLY_BETTER:
        return None
    return Suspicion(best, as_is, turned[best])


def agreement(voxels: NDArray[np.int16], judged: Sequence[tuple[Expectation, Surrounding]], turn: Turn | None) -> float:
    """Mean over the findings of how well they agree with what is expected of them, 0 to 1."""
    return float(np.mean([_agrees(voxels, expected, places, turn) for expected, places in judged]))


def _agrees(voxels: NDArray[np.int16], expected: Expectation, places: Surrounding, turn: Turn | None) -> float:
    inside = values_at(voxels, _turned(places.inside, turn, voxels.shape)).astype(np.float32)
    parts = []
    if expected.hu is not None:
        parts.append(float(np.mean((inside >= expected.hu[0]) & (inside <= expected.hu[1]))))
    if expected.brighter and len(places.rim):
        rim = values_at(voxels, _turned(places.rim, turn, voxels.shape))
        contrast = expected.brighter * float(inside.mean() - rim.mean())
        parts.append(min(1.0, max(0.0, contrast / FULL_CONTRAST_HU)))
    return float(np.mean(parts)) if parts else 0.5


def _turned(places: NDArray[np.int64], turn: Turn | None, size: tuple[int, ...]) -> NDArray[np.int64]:
    if turn is None:
        return places
    order, signs = turn
    moved: NDArray[np.int64] = places[:, order].copy()
    for axis, sign in enumerate(signs):
        if sign < 0:
            moved[:, axis] = size[axis] - 1 - moved[:, axis]
    return moved
