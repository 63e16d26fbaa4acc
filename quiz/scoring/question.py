"""What is asked, and what became of an answer: the words that grade, feedback and pages share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask
from quiz.scoring.official import Official
from quiz.scoring.rules import (
    SCORER_VERSION,
    SHARP,
    SHARP_TOLERANCE_MM,
    SHARP_TOLERANCE_SPACINGS,
    SOFT_TOLERANCE_MM,
    SOFT_TOLERANCE_SPACINGS,
)
from quiz.scoring.where import Landmarks

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class OtherFinding:
    """Another finding of the same scan: paint on it is a mix-up with a name."""

    sentence: str
    mask: SparseMask


@dataclass(frozen=True)
class Question:
    """What was asked. truth: instance values. category: code such as "2d". exhaustive: every instance is annotated.

    completeness: how likely a partial truth holds all there is, 0 to 1 (``completeness.priors``).
    """

    truth: SparseMask
    grid: Grid
    category: str
    exhaustive: bool
    sentence: str
    others: tuple[OtherFinding, ...] = ()
    landmarks: Landmarks | None = None
    completeness: float = 0.0


@dataclass(frozen=True)
class InstanceOutcome:
    """centroid: (k, j, i). ks: first slice and the one after the last. outcome: found, near or missed.

    credit: what it earned of a find, 0 to 1. extent: how well its outline fits, None if it was not found.
    """

    value: int
    volume_ml: float
    centroid: Vector
    largest_k: int
    ks: tuple[int, int]
    outcome: str
    credit: float = 0.0
    extent: float | None = None


@dataclass(frozen=True)
class Extra:
    """A painted component that found nothing. outcome: near, too_wide, wrong or not_judged.

    reason: why it counts as wrong: "side", "outside", "many", the sentence of another finding, or empty.
    """

    centroid: Vector
    largest_k: int
    outcome: str
    reason: str = ""


@dataclass(frozen=True)
class Outline:
    """How paint fits one instance. beyond: share of the paint outside the tolerance. left_out: share of the instance
    that paint does not reach. beyond_mm, left_out_mm: where those lie, (k, j, i) mm from the instance's middle.

    ks: first painted slice and the one after the last. area: factor of slice mode, 1 on the slice where it is largest.
    fit: harmonic mean of what is not beyond and what is not left out, times area.
    """

    value: int
    fit: float
    area: float
    beyond: float
    left_out: float
    beyond_mm: Vector | None
    left_out_mm: Vector | None
    ks: tuple[int, int]


@dataclass(frozen=True)
class Grade:
    """Scores run from 0 to 100; score is None if nothing could be judged. find, extent, restraint: 0 to 1.

    asked: instances that were asked for. outlines: one per instance found. in_blocks: judged by blocks of lung,
    of which the paint fills marked_blocks. touches: paint lies on the truth, if only by one voxel.
    """

    score: float | None
    score_low: float
    score_high: float
    verdict: str
    find: float | None
    extent: float | None
    restraint: float | None
    judged_weight: float
    official: Official
    painted_ml: float
    truth_ml: float
    exhaustive: bool
    completeness: float
    asked: int
    tolerance_mm: float
    outcomes: tuple[InstanceOutcome, ...]
    extras: tuple[Extra, ...]
    outlines: tuple[Outline, ...]
    mode: str
    touches: bool
    in_blocks: bool = False
    marked_blocks: int = 0
    scorer_version: str = SCORER_VERSION

    def as_result(self, *, feedback: Sequence[str], truth_version: int) -> dict[str, Any]:
        """The ``result`` of the API. Precision and F1 are undefined against incomplete truth and given as None."""
        counts = self.official.instances
        return {
            "score": self.score,
            "score_low": self.score_low,
            "score_high": self.score_high,
            "verdict": self.verdict,
            "find": _rounded(self.find),
            "extent": _rounded(self.extent),
            "restraint": _rounded(self.restraint),
            "official": {
                "dice": round(self.official.dice, 6),
                "hit": self.official.hit,
                "instances": {
                    "tp": counts.tp,
                    "fp": counts.fp,
                    "fn": counts.fn,
                    "precision": round(counts.precision, 6) if self.exhaustive else None,
                    "recall": round(counts.recall, 6),
                    "f1": round(counts.f1, 6) if self.exhaustive else None,
                },
            },
            "volume_ml": {"painted": round(self.painted_ml, 3), "truth": round(self.truth_ml, 3)},
            "asked": self.asked,
            "tolerance_mm": round(self.tolerance_mm, 2),
            "completeness": round(self.completeness, 3),
            "scorer_version": self.scorer_version,
            "truth_version": truth_version,
            "feedback": list(feedback),
        }

    def as_reveal(self) -> dict[str, Any]:
        """Where each instance and each extra mark lies, and what became of it."""
        return {
            "touches": self.touches,
            "instances": [
                {
                    "value": one.value,
                    "volume_ml": round(one.volume_ml, 3),
                    "centroid": list(one.centroid),
                    "largest_k": one.largest_k,
                    "outcome": one.outcome,
                    "credit": round(one.credit, 3),
                    "extent": _rounded(one.extent),
                }
                for one in self.outcomes
            ],
            "extras": [
                {"centroid": list(one.centroid), "largest_k": one.largest_k, "outcome": one.outcome}
                for one in self.extras
            ],
        }


def outcome_of(
    part: SparseMask, value: int, grid: Grid, outcome: str, credit: float, extent: float | None = None
) -> InstanceOutcome:
    """Where one instance (its own mask) lies, and what became of it."""
    k, j, i = part.centroid()
    return InstanceOutcome(
        value=value,
        volume_ml=part.voxels() * grid.voxel_ml,
        centroid=(round(k, 2), round(j, 2), round(i, 2)),
        largest_k=int(np.argmax(part.areas())),
        ks=(part.box[0].start, part.box[0].stop),
        outcome=outcome,
        credit=credit,
        extent=extent,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def tolerance_mm(category: str, grid: Grid) -> float:
    """How far paint may lie from truth and still count as on it."""
    if category in SHARP:
        return max(SHARP_TOLERANCE_MM, SHARP_TOLERANCE_SPACINGS * max(grid.spacing_mm))
    return max(SOFT_TOLERANCE_MM, SOFT_TOLERANCE_SPACINGS * max(grid.spacing_mm))
