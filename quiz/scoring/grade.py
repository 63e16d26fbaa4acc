"""The grade: our own score of an answer, 0-100, that rewards finding first, outlining second, restraint third.

    score = 100 * find * (1/2 + 1/2 extent) * restraint

The one scorer; every threshold is a named constant here. Pages "How you are scored" and decision 0005 explain it.
Only the presence of truth is certain where annotation is partial: paint elsewhere is then "not judged", never "wrong",
and the score is an interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.masks import Box, SparseMask, union_box
from quiz.scoring import blocks
from quiz.scoring.components import label
from quiz.scoring.nearness import Points, Target, points
from quiz.scoring.official import Official, official
from quiz.scoring.where import Landmarks, side_of_point, side_of_sentence

SCORER_VERSION = "1"

SHARP = frozenset({"2d", "2e", "2f", "2g"})
"""Categories with a border one can see to the voxel: nodules, effusion, cysts, pneumothorax."""
DIFFUSE = frozenset({"1a", "1b", "1c", "1d", "1e", "1f"})
"""Categories judged by blocks of lung, because their instances mean little."""

SHARP_TOLERANCE_MM, SHARP_TOLERANCE_SPACINGS = 2.0, 1.5
SOFT_TOLERANCE_MM, SOFT_TOLERANCE_SPACINGS = 4.0, 2.0
"""Tolerance: so many mm, at least so many times the largest spacing. Radiologists differ by 0.5-1.25 mm on nodules; the
challenge's own distance rule is twice the largest spacing."""

INSIDE_NONE, INSIDE_FULL = 0.10, 0.25
"""Credit for a mark grows from none to full as the share of it that lies on truth grows between these."""
TOUCH_MM = 2.0
"""A mark must come this close to an instance (or within the tolerance, if smaller) to be credited with it."""
NEAR_MM, NEAR_CREDIT = 15.0, 0.25
"""A stray mark within this distance of an instance that was not found earns at most this credit, less with distance."""
NEAR_MAX_TIMES = 8.0
"""A stray mark larger than so many times the instance is no near miss but a sweep."""
MOST_ASKED = 3
"""Never more marks are asked than this: train truth holds about three instances, exhaustive cases up to 36."""
AREA_FLOOR = 0.8
"""Slice mode: the outline counts fully on the slice of largest area and this much on a very small one."""
FALSE_MARK_WEIGHT = 0.5
"""Weight of a mark known to be wrong against a found instance."""
SPECK_VOXELS = 10
"""Truth instances smaller than this are left out when a larger one is there: annotation crumbs."""
PAINT_SPECK_VOXELS = 4
"""A painted component smaller than this costs nothing beside a larger one: a slip of the pen."""
MOST_MARKS = 100
"""Only so many painted components are judged, the largest: nobody marks more, and a mask of dust must not be dear."""
MOST_PAINT_ML = 8000.0
"""More paint than this is a sweep, not an answer: both lungs hold about 6 litres. It scores 0 without a closer look."""
SIDE_MARGIN_MM = 20.0
"""Paint this far beyond the midline is on the wrong side when the sentence names the other one."""
FOUND_AT = 0.75
"""Share of what is asked from which the verdict reads "found"."""


@dataclass(frozen=True)
class OtherFinding:
    """Another finding of the same scan: paint on it is a mix-up with a name."""

    sentence: str
    mask: SparseMask


@dataclass(frozen=True)
class Question:
    """What was asked. truth: instance values. category: code such as "2d". exhaustive: every instance is annotated."""

    truth: SparseMask
    grid: Grid
    category: str
    exhaustive: bool
    sentence: str
    others: tuple[OtherFinding, ...] = ()
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class InstanceOutcome:
    """centroid: (k, j, i). outcome: found, near or missed."""

    value: int
    volume_ml: float
    centroid: tuple[float, float, float]
    largest_k: int
    outcome: str


@dataclass(frozen=True)
class Extra:
    """A painted component that found nothing. outcome: near, too_wide, wrong or not_judged. reason: why it is known."""

    centroid: tuple[float, float, float]
    largest_k: int
    outcome: str
    reason: str = ""


@dataclass(frozen=True)
class Grade:
    """Scores run from 0 to 100; score is None if nothing could be judged. find, extent, restraint: 0 to 1.

    too_wide: largest share of a found mark beyond the tolerance. too_narrow: largest share of a found instance left out.
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
    outcomes: tuple[InstanceOutcome, ...]
    extras: tuple[Extra, ...]
    too_wide: float
    too_narrow: float
    mode: str
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
            "scorer_version": self.scorer_version,
            "truth_version": truth_version,
            "feedback": list(feedback),
        }

    def as_reveal(self) -> dict[str, Any]:
        """Where each instance and each extra mark lies, and what became of it."""
        return {
            "instances": [
                {
                    "value": one.value,
                    "volume_ml": round(one.volume_ml, 3),
                    "centroid": list(one.centroid),
                    "largest_k": one.largest_k,
                    "outcome": one.outcome,
                }
                for one in self.outcomes
            ],
            "extras": [
                {"centroid": list(one.centroid), "largest_k": one.largest_k, "outcome": one.outcome}
                for one in self.extras
            ],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def tolerance_mm(category: str, grid: Grid) -> float:
    """How far paint may lie from truth and still count as on it."""
    if category in SHARP:
        return max(SHARP_TOLERANCE_MM, SHARP_TOLERANCE_SPACINGS * max(grid.spacing_mm))
    return max(SOFT_TOLERANCE_MM, SOFT_TOLERANCE_SPACINGS * max(grid.spacing_mm))


def grade(question: Question, answer: SparseMask, *, mode: str, absent: bool = False) -> Grade:
    """Grade paint against truth. mode: locate, slice or volume. ``absent``: the trainee answered "not present"."""
    numbers = official(question.truth, answer)
    if answer.is_empty or absent or answer.voxels() * question.grid.voxel_ml > MOST_PAINT_ML:
        return _missed(question, answer, numbers, mode)
    if question.category in DIFFUSE and mode != "locate":
        judged = blocks.judge(question.truth, answer, question.grid, whole=mode == "volume")
        if judged is not None:
            return _diffuse(question, answer, numbers, judged, mode)
    return _focal(question, answer, numbers, mode)


# -- focal ------------------------------------------------------------------------------------------------------------


@dataclass
class _Mark:
    """One painted component. inside: share within tolerance of truth. credit: per instance value."""

    points: Points
    credit: dict[int, float]
    touches: bool
    inside: float
    near: dict[int, float]
    outcome: str = ""
    reason: str = ""


def _focal(question: Question, answer: SparseMask, numbers: Official, mode: str) -> Grade:
    grid, tau = question.grid, tolerance_mm(question.category, question.grid)
    box = _box(question.truth, answer)
    truth, paint = question.truth.window(box), answer.window(box) != 0
    values = _teaching_values(question.truth)
    anywhere = Target(truth != 0, grid.spacing_mm)
    targets = {value: Target(truth == value, grid.spacing_mm) for value in values}
    marks = [_mark(component, anywhere, targets, tau) for component in _components(paint)]

    credit = {value: max(mark.credit.get(value, 0.0) for mark in marks) for value in values}
    near = _near_credits(marks, values, credit, truth)
    for mark in marks:
        mark.outcome, mark.reason = _outcome(mark, question, box)
    _forgive_slips(marks)
    asked = min(len(values), MOST_ASKED)
    earned, false = sum(credit.values()), sum(mark.outcome in ("wrong", "too_wide") for mark in marks)
    unjudged = sum(mark.outcome == "not_judged" for mark in marks)

    extents, wide, narrow = [], 0.0, 0.0
    for value in values:
        if credit[value] > 0:
            mine = [mark for mark in marks if mark.credit.get(value, 0.0) > 0]
            extent, wide_share, narrow_share = _extent(value, mine, truth, paint, grid, tau, mode)
            extents.append(extent)
            wide, narrow = max(wide, wide_share), max(narrow, narrow_share)
    extent = float(np.mean(extents)) if extents else 0.0
    if mode == "locate" and extents:
        extent = 1.0
    find = min(1.0, (earned + sum(near.values())) / asked)
    score = _formula(find, extent, earned, false)
    # Nobody knows whether the marks that were not judged are right: low takes all as wrong, high all as right.
    low = _formula(find, extent, earned, false + unjudged)
    high_find = min(1.0, (earned + sum(near.values()) + unjudged) / asked)
    high_extent = (extent * len(extents) + unjudged) / (len(extents) + unjudged) if unjudged else extent
    high = max(score, _formula(high_find, high_extent, earned + unjudged, false))
    blind = unjudged > 0 and unjudged == len(marks)
    verdict = "not_judged" if blind else _verdict(find, earned, near)
    outcomes = tuple(_instance_outcome(value, truth, box, grid, credit, near) for value in values)
    return Grade(
        score=None if blind else round(score, 1),
        score_low=round(low, 1),
        score_high=round(high, 1),
        verdict=verdict,
        find=None if blind else find,
        extent=None if blind else extent,
        restraint=None if blind else _restraint(earned, false),
        judged_weight=(len(marks) - unjudged) / len(marks),
        official=numbers,
        painted_ml=answer.voxels() * grid.voxel_ml,
        truth_ml=question.truth.voxels() * grid.voxel_ml,
        exhaustive=question.exhaustive,
        outcomes=outcomes,
        extras=tuple(_extra(mark, box) for mark in marks if mark.outcome not in ("hit", "slip")),
        too_wide=wide,
        too_narrow=narrow,
        mode=mode,
    )


def _box(truth: SparseMask, answer: SparseMask) -> Box:
    box = union_box(truth, answer)
    if box is None:
        raise ValueError("neither truth nor paint: a finding has a truth")
    return box


def _teaching_values(truth: SparseMask) -> list[int]:
    sizes = np.bincount(truth.values.ravel(), minlength=2)
    values = truth.instance_values()
    large = [value for value in values if sizes[value] >= SPECK_VOXELS]
    return large or values


def _components(paint: NDArray[np.bool_]) -> list[Points]:
    labels, count = label(paint, connectivity=26)
    where = points(paint)
    numbers = labels[tuple(where.kji.T)]
    order = np.argsort(numbers, kind="stable")
    cuts = np.searchsorted(numbers[order], np.arange(1, count + 1))
    parts = [Points(part) for part in np.split(where.kji[order], cuts[1:])]
    return sorted(parts, key=lambda part: -part.count)[:MOST_MARKS]


def _forgive_slips(marks: list[_Mark]) -> None:
    """Specks that found nothing are not held against anybody who also made a real mark."""
    if all(mark.points.count < PAINT_SPECK_VOXELS for mark in marks):
        return
    for mark in marks:
        if mark.points.count < PAINT_SPECK_VOXELS and mark.outcome in ("wrong", "too_wide", "not_judged"):
            mark.outcome = "slip"


def _mark(component: Points, anywhere: Target, targets: dict[int, Target], tau: float) -> _Mark:
    some = component.sampled()
    to_any = anywhere.distances_mm(some, limit_mm=max(NEAR_MM, tau))
    inside = float(np.mean(to_any <= tau))
    reached = float(to_any.min())
    touch = min(tau, TOUCH_MM)
    mark = _Mark(component, {}, touches=reached <= touch, inside=inside, near={})
    if reached > NEAR_MM:
        return mark
    share = float(np.clip((inside - INSIDE_NONE) / (INSIDE_FULL - INSIDE_NONE), 0.0, 1.0))
    for value, target in targets.items():
        nearest = float(target.distances_mm(some, limit_mm=NEAR_MM).min())
        if nearest <= touch and share > 0:
            mark.credit[value] = share
        elif nearest <= NEAR_MM:
            mark.near[value] = nearest
    return mark


def _near_credits(
    marks: list[_Mark], values: list[int], credit: dict[int, float], truth: NDArray[np.uint8]
) -> dict[int, float]:
    """Credit for stray marks close to instances that were not found; a mark is a near miss of one instance."""
    sizes = np.bincount(truth.ravel(), minlength=256)
    near: dict[int, float] = {}
    for mark in marks:
        if mark.credit or mark.touches:
            continue
        open_ones = {
            value: mm
            for value, mm in mark.near.items()
            if credit[value] == 0 and mark.points.count <= NEAR_MAX_TIMES * sizes[value]
        }
        mark.near = {}
        if open_ones:
            value, mm = min(open_ones.items(), key=lambda pair: (pair[1], pair[0]))
            near[value] = max(near.get(value, 0.0), NEAR_CREDIT * (1.0 - mm / NEAR_MM))
            mark.near = {value: mm}
    return near


def _outcome(mark: _Mark, question: Question, box: Box) -> tuple[str, str]:
    if mark.credit:
        return "hit", ""
    if mark.touches:
        # Paint on a crumb of the annotation that is not asked for is neither found nor wrong.
        return ("slip", "") if mark.inside > INSIDE_NONE else ("too_wide", "too wide to tell")
    for other in question.others:
        if _mostly_on(mark, other.mask, box):
            return "wrong", other.sentence
    if mark.near:
        return "near", ""
    side = side_of_sentence(question.sentence)
    if question.landmarks is not None and side:
        i = _centroid(mark.points, box)[2]
        beyond_mm = abs(i - question.landmarks.midline_i) * question.grid.spacing_mm[2]
        if side_of_point(i, question.landmarks) != side and beyond_mm >= SIDE_MARGIN_MM:
            return "wrong", "side"
    return ("wrong", "") if question.exhaustive else ("not_judged", "")


def _mostly_on(mark: _Mark, mask: SparseMask, box: Box) -> bool:
    if mask.is_empty:
        return False
    values = mask.window(box)
    return float(np.mean(values[tuple(mark.points.sampled().kji.T)] != 0)) >= 0.5


def _extent(
    value: int, mine: list[_Mark], truth: NDArray[np.uint8], paint: NDArray[np.bool_], grid: Grid, tau: float, mode: str
) -> tuple[float, float, float]:
    """Outline of one found instance: harmonic mean of paint near truth and truth near paint; and both shares missing."""
    one, painted = truth == value, np.zeros_like(paint)
    for mark in mine:
        painted[tuple(mark.points.kji.T)] = True
    spacing, area = grid.spacing_mm, 1.0
    if mode == "slice":
        # Judged in the plane, on the painted slices only: slices are put so far apart that they cannot see each other.
        slices = painted.any(axis=(1, 2))
        areas = one.sum(axis=(1, 2))
        area = AREA_FLOOR + (1 - AREA_FLOOR) * float(areas[slices].max() / areas.max())
        spacing = (1e6, spacing[1], spacing[2])
        one, painted, around = one[slices], painted[slices], truth[slices] != 0
    else:
        around = truth != 0
    on_truth = Target(around, spacing).share_within(points(painted), tolerance_mm=tau)
    covered = Target(painted, spacing).share_within(points(one), tolerance_mm=tau)
    together = on_truth + covered
    harmonic = 2 * on_truth * covered / together if together else 0.0
    return harmonic * area, 1 - on_truth, 1 - covered


def _formula(find: float, extent: float, earned: float, false: float) -> float:
    return 100.0 * find * (0.5 + 0.5 * extent) * _restraint(earned, false)


def _restraint(earned: float, false: float) -> float:
    if false == 0:
        return 1.0
    return earned / (earned + FALSE_MARK_WEIGHT * false) if earned else 0.0


def _verdict(find: float, earned: float, near: dict[int, float]) -> str:
    if find >= FOUND_AT:
        return "found"
    if earned > 0:
        return "partly"
    return "near" if near else "missed"


def _centroid(where: Points, box: Box) -> tuple[float, float, float]:
    k, j, i = where.kji.mean(axis=0)
    return round(float(k) + box[0].start, 2), round(float(j) + box[1].start, 2), round(float(i) + box[2].start, 2)


def _largest_k(where: Points, box: Box) -> int:
    return int(np.argmax(np.bincount(where.kji[:, 0]))) + int(box[0].start)


def _instance_outcome(
    value: int,
    truth: NDArray[np.uint8],
    box: Box,
    grid: Grid,
    credit: dict[int, float],
    near: dict[int, float],
) -> InstanceOutcome:
    where = points(truth == value)
    outcome = "found" if credit[value] > 0 else "near" if value in near else "missed"
    volume_ml = where.count * grid.voxel_ml
    return InstanceOutcome(value, volume_ml, _centroid(where, box), _largest_k(where, box), outcome)


def _extra(mark: _Mark, box: Box) -> Extra:
    return Extra(_centroid(mark.points, box), _largest_k(mark.points, box), mark.outcome, mark.reason)


# -- diffuse, and nothing painted --------------------------------------------------------------------------------------


def _diffuse(question: Question, answer: SparseMask, numbers: Official, judged: blocks.Judged, mode: str) -> Grade:
    """Blocks of lung instead of instances: find is their recall, extent their F1, restraint their precision."""
    low = 100.0 * judged.recall * (0.5 + 0.5 * judged.f1) * judged.precision
    # In a partly annotated scan blocks beside the reference may be right: only what it marks is judged.
    kind = 100.0 * judged.recall * (0.5 + 0.5 * judged.recall)
    score = low if question.exhaustive else kind
    box = _box(question.truth, answer)
    truth = question.truth.window(box)
    found = dict.fromkeys(_teaching_values(question.truth), judged.recall > 0)
    credit = {value: float(was) for value, was in found.items()}
    blind = not question.exhaustive and judged.recall == 0
    return Grade(
        score=None if blind else round(score, 1),
        score_low=round(low, 1),
        score_high=100.0 if blind else round(max(low, score), 1),
        verdict="not_judged" if blind else _verdict(judged.recall, judged.recall, {}),
        find=None if blind else judged.recall,
        extent=None if blind else (judged.f1 if question.exhaustive else judged.recall),
        restraint=None if blind else (judged.precision if question.exhaustive else 1.0),
        judged_weight=0.0 if blind else 1.0,
        official=numbers,
        painted_ml=answer.voxels() * question.grid.voxel_ml,
        truth_ml=question.truth.voxels() * question.grid.voxel_ml,
        exhaustive=question.exhaustive,
        outcomes=tuple(_instance_outcome(value, truth, box, question.grid, credit, {}) for value in credit),
        extras=(),
        too_wide=1 - judged.precision if judged.recall > 0 and question.exhaustive else 0.0,
        too_narrow=1 - judged.recall if judged.recall > 0 else 0.0,
        mode=mode,
    )


def _missed(question: Question, answer: SparseMask, numbers: Official, mode: str) -> Grade:
    box = _box(question.truth, answer)
    truth = question.truth.window(box)
    nothing = dict.fromkeys(_teaching_values(question.truth), 0.0)
    return Grade(
        score=0.0,
        score_low=0.0,
        score_high=0.0,
        verdict="missed",
        find=0.0,
        extent=0.0,
        restraint=1.0,
        judged_weight=1.0,
        official=numbers,
        painted_ml=answer.voxels() * question.grid.voxel_ml,
        truth_ml=question.truth.voxels() * question.grid.voxel_ml,
        exhaustive=question.exhaustive,
        outcomes=tuple(_instance_outcome(value, truth, box, question.grid, nothing, {}) for value in nothing),
        extras=(),
        too_wide=0.0,
        too_narrow=0.0,
        mode=mode,
    )
