"""READS: how somebody stands, computed from the attempts each time; nothing is stored, so nothing can drift."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Avg, Count, F, Max, Q, Sum

from cases.models import Category
from quiz import access
from quiz.grounding.shown import location_bits
from quiz.learning.calibration import Calibration, calibration
from quiz.learning.mastery import Mastery, Point, credit, mastery
from quiz.models import FOUND, AttemptQuerySet, Mode, User

TREND_LENGTH = 20
"""Latest scores drawn in the picture of a category."""

JUDGED = Q(score__isnull=False)
WHOLE = Q(mode=Mode.VOLUME)


@dataclass(frozen=True)
class Whole:
    """Official numbers of the answers that outline the whole volume, which they are made for."""

    answers: int
    hit_rate: float | None
    mean_dice: float | None


@dataclass(frozen=True)
class CategoryProgress:
    """Means are None where nothing was judged. mean_grade is weighted by the share of each answer that was judged.

    hits, hit_rate, mean_dice: official, of all answers. Only ``whole`` may be read as they are meant.
    """

    code: str
    name: str
    focal: bool
    attempts: int
    found: int
    found_rate: float | None
    hits: int
    hit_rate: float | None
    mean_grade: float | None
    mean_dice: float | None
    whole: Whole
    mastery: Mastery
    trend: list[float]
    calibration: Calibration | None


@dataclass(frozen=True)
class Totals:
    attempts: int
    found: int
    found_rate: float | None
    hits: int
    hit_rate: float | None
    mean_grade: float | None
    mean_dice: float | None
    whole: Whole
    last_at: datetime | None


def category_progress(user: User) -> list[CategoryProgress]:
    """One row per annotated category, untouched ones included, in the order of their codes."""
    counted = access.attempts_of(user).counted()
    grouped = counted.values("finding__category").annotate(**_AGGREGATES).order_by()
    rows: dict[str, dict[str, Any]] = {row["finding__category"]: dict(row) for row in grouped}
    points = _points(counted)
    return [
        _category_row(category, rows.get(category.code), points.get(category.code, []))
        for category in Category.objects.filter(annotated=True).order_by("code")
    ]


def totals(user: User) -> Totals:
    row = access.attempts_of(user).counted().aggregate(**_AGGREGATES, last_at=Max("submitted_at"))
    return Totals(**_numbers(row), last_at=row["last_at"])


_AGGREGATES: dict[str, Any] = {
    "n": Count("id"),
    "n_judged": Count("id", filter=JUDGED),
    "n_found": Count("id", filter=Q(verdict__in=FOUND)),
    "n_hits": Count("id", filter=Q(hit=True)),
    "grade_sum": Sum(F("score") * F("judged_weight"), filter=JUDGED),
    "weight_sum": Sum("judged_weight", filter=JUDGED),
    "dice_mean": Avg("dice"),
    "n_whole": Count("id", filter=WHOLE),
    "n_whole_hits": Count("id", filter=WHOLE & Q(hit=True)),
    "whole_dice": Avg("dice", filter=WHOLE),
}


_NO_ANSWERS: dict[str, Any] = {name: 0 if name.startswith("n") else None for name in _AGGREGATES}


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """What a category and the total have in common, from the aggregates of its answers."""
    return {
        "attempts": row["n"],
        "found": row["n_found"],
        "found_rate": _ratio(row["n_found"], row["n_judged"]),
        "hits": row["n_hits"],
        "hit_rate": _ratio(row["n_hits"], row["n"]),
        "mean_grade": _ratio(row["grade_sum"], row["weight_sum"]),
        "mean_dice": row["dice_mean"],
        "whole": Whole(row["n_whole"], _ratio(row["n_whole_hits"], row["n_whole"]), row["whole_dice"]),
    }


def _points(counted: AttemptQuerySet) -> dict[str, list[Point]]:
    columns = ("finding__category", "finding__volume_ml", "score", "verdict", "hint_bits", "confidence", "submitted_at")
    points: dict[str, list[Point]] = defaultdict(list)
    for code, ml, score, verdict, bits, sure, when in (
        counted.filter(JUDGED).order_by("submitted_at", "id").values_list(*columns)
    ):
        points[code].append(Point(score, verdict in FOUND, bits, sure, when, credit(bits, location_bits(ml))))
    return points


def _category_row(category: Category, row: dict | None, points: list[Point]) -> CategoryProgress:
    return CategoryProgress(
        code=category.code,
        name=category.name,
        focal=category.focal,
        **_numbers(row or _NO_ANSWERS),
        mastery=mastery(points),
        trend=[point.score for point in points[-TREND_LENGTH:]],
        calibration=calibration(points),
    )


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
