"""How good a grounding model is on findings with a reference: the benchmark's numbers with intervals, and what its
answers would be worth as hints.

Intervals are bootstrapped by patient: findings of one patient are no independent evidence.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from quiz.scoring import benchmark
from quiz.scoring.benchmark import FindingScore

RESAMPLES = 2000
"""Bootstrap resamples. Source: usual; the ends of a 95 % interval then vary by less than a point."""
INTERVAL = (2.5, 97.5)
"""Percentiles of a 95 % interval."""
LEAST_PATIENTS = 5
"""With fewer patients an interval says nothing and none is given. Source: our choice."""
RUNGS = ("side", "zone", "slices", "heat", "outline")
"""What a hint read off the answer would say, each right or wrong against the reference."""
AGREEMENT = (0.0, 0.05, 0.3, 1.0)
"""Bounds of the bins of Dice between two engines. Source: the reference's own table."""
CONFIDENCE = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Bounds of the bins of an engine's confidence."""


@dataclass(frozen=True)
class Judged:
    """One finding, answered. recall: share of the reference that is marked, 0 to 1. rungs: name to right or wrong, those
    that cannot be told left out. pointing: whether the engine's own strongest cell lies on the reference or within 10 mm;
    the rung "heat" is the same of the picture that is shown. agreement: Dice with another engine's mask, None if none was
    asked."""

    score: FindingScore
    patient: str
    recall: float
    rungs: Mapping[str, bool]
    pointing: bool
    confidence: float
    agreement: float | None = None
    finding: int | None = None
    note: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def as_row(self) -> dict[str, Any]:
        return self.score.as_row() | {
            "id": self.finding,
            "recall": self.recall,
            "rungs": dict(self.rungs),
            "pointing": self.pointing,
            "confidence": self.confidence,
            "agreement": self.agreement,
            "note": self.note,
            **self.extra,
        }


def summary(rows: Sequence[Judged]) -> dict[str, Any]:
    """The benchmark's summary of some findings (its keys are a contract), and ours beside it."""
    return benchmark.summary([row.score for row in rows]) | {
        "patients": len({row.patient for row in rows}),
        "dice_interval": interval(rows, lambda row: row.score.numbers.dice),
        "hit_interval": interval(rows, lambda row: float(row.score.numbers.hit)),
        "recall": float(np.mean([row.recall for row in rows])) if rows else None,
        "rungs": {name: _passed([row.rungs[name] for row in rows if name in row.rungs]) for name in RUNGS},
        "pointing": _passed([row.pointing for row in rows]),
    }


def by_category(rows: Sequence[Judged]) -> dict[str, dict[str, Any]]:
    """The same per category code."""
    grouped: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        grouped[row.score.category].append(row)
    return {code: summary(grouped[code]) for code in sorted(grouped)}


def interval(rows: Sequence[Judged], value: Callable[[Judged], float]) -> list[float] | None:
    """95 % interval of the mean of a value over findings, patients drawn with replacement; None for too few patients.

    The same rows give the same interval: the draws are seeded.
    """
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        sums[row.patient][0] += value(row)
        sums[row.patient][1] += 1
    if len(sums) < LEAST_PATIENTS:
        return None
    totals = np.array([sums[patient] for patient in sorted(sums)])
    drawn = np.random.default_rng(0).multinomial(len(totals), np.full(len(totals), 1 / len(totals)), size=RESAMPLES)
    means = (drawn @ totals[:, 0]) / (drawn @ totals[:, 1])
    low, high = np.percentile(means, INTERVAL)
    return [float(low), float(high)]


def hits_by(
    rows: Sequence[Judged], value: Callable[[Judged], float | None], bounds: Sequence[float]
) -> list[dict[str, Any]]:
    """Hit rate in bins of a value; the lower bound belongs to a bin, the highest bound to the last one."""
    known = [(number, row.score.numbers.hit) for row in rows if (number := value(row)) is not None]
    table = []
    for low, high in itertools.pairwise(bounds):
        inside = [hit for number, hit in known if low <= number < high or number == high == bounds[-1]]
        table.append({"from": low, "to": high, "n": len(inside), "hit_rate": _mean(inside)})
    return table


def report(rows: Sequence[Judged], exhaustive: Callable[[Judged], bool]) -> dict[str, Any]:
    """All of it. The headline is of exhaustively annotated findings only: elsewhere what is marked beside the reference
    may be right, so partly annotated ones give Dice and recall apart from it."""
    full = [row for row in rows if exhaustive(row)]
    partial = [row for row in rows if not exhaustive(row)]
    return summary(full) | {
        "categories": by_category(full),
        "by_agreement": hits_by(full, lambda row: row.agreement, AGREEMENT),
        "by_confidence": hits_by(full, lambda row: row.confidence, CONFIDENCE),
        "partial": {
            "n": len(partial),
            "dice_per_finding": _mean([row.score.numbers.dice for row in partial]),
            "recall": _mean([row.recall for row in partial]),
        },
    }


def _passed(outcomes: Sequence[bool]) -> dict[str, Any]:
    return {"n": len(outcomes), "rate": _mean(outcomes)}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
