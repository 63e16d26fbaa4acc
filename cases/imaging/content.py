"""Does a mask lie on what its sentence speaks of? Catches masks that are flipped against their CT.

Every category has a range of HU that most of its voxels fall in. If the mask as it is misses that range and a flipped
copy fits it well, the pair is not to be trusted: it is held back with the reason, never corrected silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.masks import SparseMask

EXPECTED_HU = {
    "1c": (-1024, -860),
    "2b": (-250, 200),
    "2c": (-850, -100),
    "2d": (-550, 400),
    "2e": (-80, 110),
    "2g": (-1024, -900),
}
"""Range of HU that most voxels of a category lie in; medians in the real data are +12 (2e), -37 (2b), -487 (2c),
-894 (1c), -990 (2g). Categories without a clear range are not judged."""

POOR_FIT = 0.30
CLEARLY_BETTER = 0.40
SAMPLE = 20_000

FLIPS = {"left-right": (2,), "front-back": (1,), "top-bottom": (0,), "turned by 180 degrees in the slice": (1, 2)}


@dataclass(frozen=True)
class Suspicion:
    """flip: the orientation that fits better. fit, better: mean share of voxels in the expected range, as is and flipped."""

    flip: str
    fit: float
    better: float

    def sentence(self) -> str:
        return (
            f"The masks do not lie on what the sentences say ({self.fit:.0%} of their voxels have the expected density), "
            f"but would if they were flipped {self.flip} ({self.better:.0%}); the pair is held back."
        )


def check(voxels: NDArray[np.int16], findings: Sequence[tuple[str, SparseMask]]) -> Suspicion | None:
    """Compare masks (category, mask) with their CT as they are and flipped. None if nothing is suspicious."""
    judged = [
        (EXPECTED_HU[code], _sample(mask)) for code, mask in findings if code in EXPECTED_HU and not mask.is_empty
    ]
    if not judged:
        return None
    fit = _fit(voxels, judged, ())
    if fit >= POOR_FIT:
        return None
    flipped = {name: _fit(voxels, judged, axes) for name, axes in FLIPS.items()}
    best = max(flipped, key=lambda name: flipped[name])
    return Suspicion(best, fit, flipped[best]) if flipped[best] - fit >= CLEARLY_BETTER else None


def _sample(mask: SparseMask) -> NDArray[np.int64]:
    """At most SAMPLE voxels of a mask, evenly spaced, as rows of (k, j, i)."""
    places = np.argwhere(mask.values)
    chosen: NDArray[np.int64] = places[:: max(1, len(places) // SAMPLE)] + np.array(mask.origin)
    return chosen


def _fit(
    voxels: NDArray[np.int16], judged: Sequence[tuple[tuple[int, int], NDArray[np.int64]]], axes: tuple[int, ...]
) -> float:
    shares = []
    for (low, high), places in judged:
        moved = places.copy()
        for axis in axes:
            moved[:, axis] = voxels.shape[axis] - 1 - moved[:, axis]
        hu = voxels[moved[:, 0], moved[:, 1], moved[:, 2]]
        shares.append(float(np.mean((hu >= low) & (hu <= high))))
    return float(np.mean(shares))
