"""When a category counts as mastered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Mastery = Literal["new", "learning", "mastered"]

MASTERY_WINDOW = 5
"""Latest answers that are looked at. Source: the grading proposal, section 3.10."""
MASTERY_NEEDED = 4
"""Credit that the good ones among them must add up to: that many answers without hints, or nearly so."""
MASTERY_SCORE = 70.0
"""A good answer scores at least this. It counts as much as the hints had left of it (``credit``)."""
MASTERY_SPREAD = timedelta(days=7)
"""Two of the good answers lie at least this far apart: known today and still known next week."""


@dataclass(frozen=True)
class Point:
    """One judged answer. score: 0-100. hint_bits: location given away by hints. confidence: 1-4 or None.

    found: all of it or part. credit: share of the answer that the hints had not given away.
    """

    score: float
    found: bool
    hint_bits: float
    confidence: int | None
    submitted_at: datetime
    credit: float = 1.0


def credit(hint_bits: float, answer_bits: float) -> float:
    """Share of an answer that hints had not given away: 1 without hints, 0 once they had said all of it.

    answer_bits: what knowing the place of the whole finding is worth; at least 1, or a hint would cost everything.
    """
    return min(1.0, max(0.0, 1.0 - hint_bits / max(1.0, answer_bits)))


def mastery(points: Sequence[Point]) -> Mastery:
    """State of a category from its answers, oldest first."""
    if not points:
        return "new"
    good = [p for p in points[-MASTERY_WINDOW:] if p.score >= MASTERY_SCORE]
    if sum(p.credit for p in good) < MASTERY_NEEDED:
        return "learning"
    spread = good[-1].submitted_at - good[0].submitted_at
    return "mastered" if spread >= MASTERY_SPREAD else "learning"
