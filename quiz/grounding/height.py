"""How high the lungs are where the scan ends before they do: told from the end that is seen, never from the part that is.

"Upper" measured on what a scan shows means a wrong place in every scan that is cut. An end that is seen, or nearly, fixes
the height from there; the other end is then where it lies in most adults, and the borders between places grow softer
towards it. Where neither end is seen, nothing is told.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SEEN = 0.2
"""The apex or base is in the field if the end slice shows less lung than this share of the fullest slice."""
NEAR = 0.5
"""It lies just outside if the end slice shows less than this: lungs taper at both ends, so the share tells how far."""
TAPER = 1 / 3
"""Share of the height that is missing beyond an end slice, for each share of the fullest slice that it shows. Source: the
mean profile of 51 generated chests: half of the fullest slice is reached at 0.11 of the height from the base, 0.16 from
the apex; a third at 0.07 and 0.11."""
TYPICAL_MM = 235.0
"""Source: 51 generated chests 235 (standard deviation 27), two whole chests of patients 235 and 180."""
LEAST_BEYOND = 1.08
"""Lungs that are cut where they are wide are at least this much higher than what is seen of them."""
UNSURE = 0.1
"""Half-width by which borders grow softer, for each height of the lungs away from the end that is seen. Source: 51 generated
chests cut by 10 to 50 per cent: the height was told with a standard deviation of 7 to 11 per cent."""


@dataclass(frozen=True)
class Height:
    """below_mm, above_mm: how much of the lungs lies outside the field. from_base, from_apex: which end it was told from;
    both if both are seen or nearly, neither if it cannot be told."""

    below_mm: float = 0.0
    above_mm: float = 0.0
    from_base: bool = False
    from_apex: bool = False

    @property
    def told(self) -> bool:
        return self.from_base or self.from_apex

    def doubt(self, up: Floats) -> Floats:
        """How unsure a height is, in heights of the lungs; up: 0 at the base to 1 at the apex."""
        if not self.below_mm and not self.above_mm:
            return np.zeros_like(up)
        if self.from_base and self.from_apex:
            return np.full_like(up, UNSURE / 2)
        return np.float32(UNSURE) * (1 - up if self.from_apex else up)


def height_of(profile: NDArray[np.int64], seen_mm: float) -> Height:
    """From the area of lung in each slice, feet first, and how high the part is that is seen."""
    below, above = (_beyond(float(area) / float(profile.max())) for area in (profile[0], profile[-1]))
    if below is None and above is None:
        return Height()
    if below is None or above is None:
        near = (below or 0.0) + (above or 0.0)
        whole_mm = max(TYPICAL_MM, LEAST_BEYOND * seen_mm / (1 - near))
    else:
        whole_mm = seen_mm / (1 - below - above)
    # What is missing at an end that is not seen is what the other one and the scan leave over.
    below_mm = whole_mm * (1 - (above or 0.0)) - seen_mm if below is None else whole_mm * below
    above_mm = whole_mm * (1 - (below or 0.0)) - seen_mm if above is None else whole_mm * above
    return Height(below_mm, above_mm, from_base=below is not None, from_apex=above is not None)


def _beyond(share: float) -> float | None:
    """Share of the height that lies beyond an end slice with this share of the fullest one's lung; None if untold."""
    if share < SEEN:
        return 0.0
    return TAPER * share if share < NEAR else None
