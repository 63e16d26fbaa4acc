"""How far an answer is to be trusted, 0 to 1: from what the engines agree on, and how clearly one proposal leads."""

from collections.abc import Sequence

import numpy as np

from cases.imaging.masks import SparseMask, overlaps

AGREEMENT = ((0.0, 0.2), (0.05, 0.33), (0.3, 0.85), (1.0, 0.95))
"""Dice between two engines, and the share of findings on which an answer then hit. Source: two engines on 130 findings of
synthetic chests and 23 of public CTs (below 0.05: 0.20-0.33 hit; 0.05-0.3: 0.75; from 0.3 on: 0.89-1.00), read on the
careful side; straight lines between. On generated chests, where tiny is at home, even answers that nobody shared hit in
0.81 (n 152; 0.86 of 71 in the middle, 0.95 of 108 above), which says nothing of patients. To be measured anew wherever
expert masks are at hand."""
ALONE = (0.15, 0.55)
"""One engine by itself, from many equal proposals to a single one. Source: our choice, below what an agreement is worth."""
CUT_OFF = 0.9
"""Times this if apex or base lies outside the scan: the height is then an estimate, or not known. Source: on 140 generated
chests tiny hit 0.75 of 92 findings in cut scans, 0.83 of 470 in whole ones."""


def alone(scores: Sequence[float], *, whole: bool, joined: bool = False) -> float:
    """Confidence of one engine from the scores of its proposals, best first: near the upper end of ALONE if the best one
    leads clearly, near the lower if the next is as good; half-way if pieces were ``joined`` into one proposal, since it
    then has no rival that it could lead."""
    if not scores or scores[0] <= 0:
        return 0.0
    lead = 0.5 if joined else 1 - (scores[1] / scores[0] if len(scores) > 1 else 0.0)
    value = ALONE[0] + (ALONE[1] - ALONE[0]) * min(1.0, lead)
    return whole_or_cut(value, whole=whole)


def whole_or_cut(value: float, *, whole: bool) -> float:
    """A confidence, lowered if not all of the lungs is in the scan."""
    return float(value if whole else value * CUT_OFF)


def agreement(a: SparseMask, b: SparseMask) -> float:
    """Dice of two masks; 0 if either is empty: two engines that see nothing agree on nothing that could be shown."""
    if a.is_empty or b.is_empty:
        return 0.0
    _, _, shared = overlaps(a.union(), b.union())
    return float(2 * shared.sum() / (a.voxels() + b.voxels()))


def agreed(dice: float) -> float:
    """Confidence of an answer on which another engine agrees so far."""
    points = np.array(AGREEMENT)
    return float(np.interp(dice, points[:, 0], points[:, 1]))


RELIABILITY: dict[str, dict[str, float]] = {
    "classical": {
        "1a": 0.83, "1b": 0.65, "1c": 1.0, "1d": 0.62, "1e": 0.0, "1f": 0.06, "2a": 0.23, "2b": 0.53, "2c": 0.76,
        "2d": 0.37, "2e": 0.48, "2f": 0.92, "2g": 0.36, "2h": 0.44,
    },
    "tiny": {
        "1a": 0.92, "1b": 0.71, "1c": 1.0, "1d": 1.0, "1e": 0.36, "1f": 0.94, "2a": 1.0, "2b": 0.97, "2c": 0.95,
        "2d": 0.70, "2e": 1.0, "2f": 0.92, "2g": 1.0, "2h": 0.69,
    },
}  # fmt: skip
"""Engine and category to the share of findings hit on the 80 generated chests that tiny's thresholds were chosen on (12 to
63 findings a category). It only says which of two engines is believed where they differ; it is no statement about
patients, and is shown to nobody."""
OUTLINES = {"2d": "classical"}
"""Whose outline is taken where two engines agree, if not that of the one that is believed. Source: the same chests; of
nodules on which both agreed (16) classical's outlines had Dice 0.64, tiny's 0.52; in every other category tiny's were
better."""
UNMEASURED = 0.5


def trust(engine: str, category: str) -> float:
    """How likely an engine is to hit a finding of that category, to weigh two engines against each other."""
    return RELIABILITY.get(engine, {}).get(category, UNMEASURED)
