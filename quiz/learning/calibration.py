"""How well stated confidence fits what was found."""

from collections.abc import Sequence
from dataclasses import dataclass

from quiz.learning.mastery import Point

STATED = {1: 0.30, 2: 0.55, 3: 0.80, 4: 0.95}
"""Chance of a hit that each confidence key stands for: guess, unsure, fairly sure, sure (grading proposal, 3.9)."""


@dataclass(frozen=True)
class Calibration:
    """answers: how many stated a confidence. stated, actual: mean stated chance, share of hits. brier: 0 is best."""

    answers: int
    stated: float
    actual: float
    brier: float

    @property
    def overconfidence(self) -> float:
        """Positive when more was claimed than found."""
        return self.stated - self.actual


def calibration(points: Sequence[Point]) -> Calibration | None:
    """None if no answer stated a confidence."""
    stated = [(STATED[p.confidence], float(p.hit)) for p in points if p.confidence is not None]
    if not stated:
        return None
    n = len(stated)
    return Calibration(
        answers=n,
        stated=sum(chance for chance, _ in stated) / n,
        actual=sum(hit for _, hit in stated) / n,
        brier=sum((chance - hit) ** 2 for chance, hit in stated) / n,
    )
