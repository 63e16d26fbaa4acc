"""How well stated confidence fits what was found."""

from collections.abc import Sequence
from dataclasses import dataclass

from quiz.learning.mastery import Point

STATED = {1: 0.30, 2: 0.55, 3: 0.80, 4: 0.95}
"""Chance of having found it that each confidence key stands for: guess, unsure, fairly sure, sure (grading proposal, 3.9)."""

LEAST_STATED = 5
"""With fewer answers a share says nothing about a person."""


@dataclass(frozen=True)
class Calibration:
    """answers: how many stated a confidence. stated, actual: mean stated chance, share found. brier: 0 is best."""

    answers: int
    stated: float
    actual: float
    brier: float

    @property
    def overconfidence(self) -> float:
        """Positive when more was claimed than found."""
        return self.stated - self.actual


def calibration(points: Sequence[Point]) -> Calibration | None:
    """None while fewer than LEAST_STATED answers stated a confidence."""
    stated = [(STATED[p.confidence], float(p.found)) for p in points if p.confidence is not None]
    if len(stated) < LEAST_STATED:
        return None
    n = len(stated)
    return Calibration(
        answers=n,
        stated=sum(chance for chance, _ in stated) / n,
        actual=sum(found for _, found in stated) / n,
        brier=sum((chance - found) ** 2 for chance, found in stated) / n,
    )
