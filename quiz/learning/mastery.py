"""When a category counts as mastered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Mastery = Literal["new", "learning", "mastered"]

MASTERY_WINDOW = 5
"""Latest answers that are looked at. Source: the grading proposal, section 3.10."""
MASTERY_NEEDED = 4
"""Answers of those that must be good."""
MASTERY_SCORE = 70.0
"""A good answer scores at least this, without hints that gave location away."""
MASTERY_SPREAD = timedelta(days=7)
"""Two of the good answers lie at least this far apart: known today and still known next week."""


@dataclass(frozen=True)
class Point:
    """One judged answer. score: 0-100. hint_bits: location given away by hints. confidence: 1-4 or None."""

    score: float
    hit: bool
    hint_bits: float
    confidence: int | None
    submitted_at: datetime


def mastery(points: Sequence[Point]) -> Mastery:
    """State of a category from its answers, oldest first."""
    if not points:
        return "new"
    good = [p for p in points[-MASTERY_WINDOW:] if p.score >= MASTERY_SCORE and p.hint_bits == 0]
    if len(good) < MASTERY_NEEDED:
        return "learning"
    spread = good[-1].submitted_at - good[0].submitted_at
    return "mastered" if spread >= MASTERY_SPREAD else "learning"
