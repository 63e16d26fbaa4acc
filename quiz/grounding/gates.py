"""What may be shown of an answer, rung by rung: pure comparisons of a mask with a reference, and what to say without one."""

import numpy as np

from cases.imaging.anatomy import LungField, Side, Zone, side_of, zone_of
from cases.imaging.masks import SparseMask

RANGE_SHARE = 0.5
"""Slice ranges agree if what they share is at least half of either. Source: our choice."""
SURE = 0.5
"""An answer that nothing can be held against is called unsure below this; with two engines it is a Dice of about 0.12 between
their masks. Source: our choice, on ``confidence.AGREEMENT``."""
VERY_SURE = 0.8
"""And sure without more from here on. Source: our choice."""
WEAK = frozenset({"1a", "1b", "1c", "1d", "1f", "2f"})
"""Categories in which even the best published models hit half of the findings or fewer (bronchiectasis, septal thickening,
emphysema: hit 0.00-0.50, Dice 0.03-0.16; too few honeycombs and mosaics to say). Source: the challenge's board of 100
test cases, July 2026."""


def placed(truth: SparseMask, mask: SparseMask, lungs: LungField | None) -> dict[str, bool]:
    """Which of the rungs that name a place would be right if they were read off ``mask``: side, zone, slices.

    A rung that cannot be told of the truth (no lungs, apex or base out of the field) is left out: it is neither right nor
    wrong. An empty mask names no place, so wherever the truth has one it is wrong.
    """
    if truth.is_empty:
        return {}
    out = {"slices": ranges_agree(truth, mask)}
    (side, zone), (side_said, zone_said) = place_of(truth, lungs), place_of(mask, lungs)
    if side:
        out["side"] = side_said == side
    if zone:
        out["zone"] = zone_said == zone
    return out


def place_of(mask: SparseMask, lungs: LungField | None) -> tuple[Side, Zone]:
    """Side and zone of a mask, each "" if it cannot be told."""
    rows, i = np.divmod(mask.flat(), mask.size[2])
    return side_of(i, lungs), zone_of(rows // mask.size[1], lungs)


def ranges_agree(a: SparseMask, b: SparseMask) -> bool:
    """Whether two masks span the same slices, by half of the longer span."""
    (a0, a1), (b0, b1) = ((mask.box[0].start, mask.box[0].stop) for mask in (a, b))
    shared = min(a1, b1) - max(a0, b0)
    return bool(shared >= RANGE_SHARE * max(a1 - a0, b1 - b0))


def how_sure(confidence: float) -> str:
    """An engine's own confidence in words: it puts answers in order and is no probability, so no figure is shown."""
    return "sure" if confidence >= VERY_SURE else "fairly sure" if confidence >= SURE else "not sure"


def doubt(category: str, confidence: float) -> str:
    """What to say beside an answer that no reference can be held against; "" if nothing speaks against it."""
    if category in WEAK:
        return "On this kind of finding even the best models are wrong half of the time or more."
    return "The model is not sure of this." if confidence < SURE else ""
