"""Findings with instances: each painted component found something, came near, is known to be wrong, or is not judged."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cases.imaging.masks import Ints, SparseMask
from quiz.scoring import nearness
from quiz.scoring.components import label
from quiz.scoring.question import Extra, InstanceOutcome, Outline, Question, Vector, outcome_of, tolerance_mm
from quiz.scoring.rules import (
    AREA_FLOOR,
    FALSE_MARK_WEIGHT,
    INSIDE_FULL,
    INSIDE_NONE,
    MOST_ASKED,
    MOST_MARKS,
    MOST_UNJUDGED,
    NEAR_CREDIT,
    NEAR_MAX_TIMES,
    NEAR_MM,
    OUTSIDE_MARGIN_MM,
    PAINT_SPECK_VOXELS,
    PLEURAL,
    SIDE_MARGIN_MM,
    TOUCH_MM,
)
from quiz.scoring.where import outside_mm, side_of_point, side_of_sentence


@dataclass(frozen=True)
class Judgement:
    """What the grade of a focal finding is made of; scores 0 to 100, shares 0 to 1. earned: sum of finding credits.

    blind: there is paint, and none of it could be judged. near: something was nearly found.
    """

    score: float
    low: float
    high: float
    find: float
    extent: float
    restraint: float
    earned: float
    blind: bool
    near: bool
    judged_weight: float
    outcomes: tuple[InstanceOutcome, ...]
    extras: tuple[Extra, ...]
    outlines: tuple[Outline, ...]


@dataclass
class _Mark:
    """One painted component. credit: 0 to 1, grows with the share of it that lies on truth. touches: instances it comes
    close to. near: distance in mm to instances of which it may be a near miss."""

    mask: SparseMask
    credit: float
    on_truth: bool
    touches: tuple[int, ...]
    near: dict[int, float] = field(default_factory=dict)
    outcome: str = ""
    reason: str = ""

    @property
    def voxels(self) -> int:
        return self.mask.voxels()


@dataclass(frozen=True)
class _Instance:
    """What one truth instance earned: credit if a mark touches it, or near for a near miss; never both.

    fit: of its outline, 0 to 1.
    """

    value: int
    credit: float
    near: float
    fit: float = 0.0
    outline: Outline | None = None

    @property
    def find(self) -> float:
        return self.credit + self.near

    @property
    def outlined(self) -> float:
        """Credit times fit; a near miss has no outline."""
        return self.credit * self.fit

    @property
    def worth(self) -> float:
        return 0.5 * self.find + 0.5 * self.outlined


def judge(question: Question, truth: SparseMask, paint: SparseMask, mode: str) -> Judgement:
    """Judge joined paint against the instances that are asked for."""
    tau = tolerance_mm(question.category, question.grid)
    parts = {value: truth.only(value) for value in truth.instance_values()}
    marks, near = _marks(question, parts, paint, tau)
    instances = [_instance(value, parts, marks, near, question, tau, mode) for value in parts]

    asked = min(len(parts), MOST_ASKED)
    best = sorted(instances, key=lambda one: -one.worth)[:asked]
    found, outlined = sum(one.find for one in best), sum(one.outlined for one in best)
    earned = sum(one.credit for one in instances)
    false = sum(mark.outcome in ("wrong", "too_wide") for mark in marks)
    unjudged = sum(mark.outcome == "not_judged" for mark in marks)
    # Nobody knows whether the marks that were not judged are right: low takes all as wrong, high all as right.
    judged_only = _score(found, outlined, asked, earned, false)
    low = _score(found, outlined, asked, earned, false + unjudged)
    free = min(unjudged, max(0.0, asked - found))
    high = max(judged_only, _score(found + free, outlined + free, asked, earned + unjudged, false))
    believed = question.completeness if unjudged else 0.0
    return Judgement(
        score=believed * low + (1 - believed) * judged_only,
        low=low,
        high=high,
        find=found / asked,
        extent=outlined / found if found else 0.0,
        restraint=_restraint(earned, false),
        earned=earned,
        blind=unjudged > 0 and unjudged == len(marks),
        near=bool(near),
        judged_weight=(len(marks) - unjudged) / len(marks),
        outcomes=tuple(_became(one, parts[one.value], question) for one in instances),
        extras=tuple(_extra(mark) for mark in marks if mark.outcome not in ("hit", "slip")),
        outlines=tuple(one.outline for one in instances if one.outline),
    )


def _score(found: float, outlined: float, asked: int, earned: float, false: float) -> float:
    """100 * find * (1/2 + 1/2 extent) * restraint, with find = found / asked and extent = outlined / found."""
    return 100.0 * (0.5 * found + 0.5 * outlined) / asked * _restraint(earned, false)


def _restraint(earned: float, false: float) -> float:
    if false == 0:
        return 1.0
    return earned / (earned + FALSE_MARK_WEIGHT * false) if earned else 0.0


# -- marks ------------------------------------------------------------------------------------------------------------


def outcomes_of_paint(question: Question, truth: SparseMask, paint: SparseMask) -> list[tuple[str, SparseMask]]:
    """What became of each painted component: (hit, near, too_wide, wrong, not_judged or slip, its voxels)."""
    parts = {value: truth.only(value) for value in truth.instance_values()}
    marks, _ = _marks(question, parts, paint, tolerance_mm(question.category, question.grid))
    return [(mark.outcome, mark.mask) for mark in marks]


def _marks(
    question: Question, parts: dict[int, SparseMask], paint: SparseMask, tau: float
) -> tuple[list[_Mark], dict[int, float]]:
    """Every painted component with its outcome, and the near-miss credit of instances by value."""
    marks = [_mark(component, question, parts, tau) for component in _components(paint)]
    near = _near_credits(marks, parts)
    for mark in marks:
        mark.outcome, mark.reason = _outcome(mark, question)
    _forgive_slips(marks)
    _judge_surplus(marks)
    return marks, near


def _components(paint: SparseMask) -> list[SparseMask]:
    """The largest, the largest first."""
    if paint.is_empty:
        return []
    numbers, count = label(paint, connectivity=26)
    voxels = np.bincount(numbers, weights=paint.lengths, minlength=count)
    largest = np.argsort(-voxels, kind="stable")[:MOST_MARKS]
    rank = np.full(count, len(largest))
    rank[largest] = np.arange(len(largest))
    # Only the runs of those that are judged are taken apart: of dust there may be a million.
    ranks = rank[numbers]
    order = np.argsort(ranks, kind="stable")
    ends = np.searchsorted(ranks[order], np.arange(len(largest)), side="right")
    runs = np.split(order[: ends[-1]], ends[:-1])
    return [SparseMask(paint.size, paint.starts[r], paint.lengths[r], paint.values[r]) for r in runs]


def _mark(component: SparseMask, question: Question, parts: dict[int, SparseMask], tau: float) -> _Mark:
    spacing = question.grid.spacing_mm
    near_ones = [value for value, part in parts.items() if nearness.gap_mm(component, part, spacing) <= NEAR_MM]
    if nearness.gap_mm(component, question.truth, spacing) > NEAR_MM:
        return _Mark(component, 0.0, on_truth=False, touches=())
    voxels = nearness.sample(component)
    inside = float(np.mean(nearness.within(question.truth, voxels, tau, spacing, flat=False)))
    credit = float(np.clip((inside - INSIDE_NONE) / (INSIDE_FULL - INSIDE_NONE), 0.0, 1.0))
    touch = min(tau, TOUCH_MM)
    touches = tuple(
        value for value in near_ones if nearness.within(parts[value], voxels, touch, spacing, flat=False).any()
    )
    on_truth = bool(touches) or bool(nearness.within(question.truth, voxels, touch, spacing, flat=False).any())
    mark = _Mark(component, credit, on_truth, touches)
    if not on_truth:
        for value in near_ones:
            if mark.voxels <= NEAR_MAX_TIMES * parts[value].voxels():
                away = nearness.distance_mm(parts[value], component, spacing)
                if away <= NEAR_MM:
                    mark.near[value] = away
    return mark


def _near_credits(marks: list[_Mark], parts: dict[int, SparseMask]) -> dict[int, float]:
    """Credit for strays close to instances that no mark touches: for each the nearest one, which alone is excused."""
    touched = {value for mark in marks for value in mark.touches}
    nearest = {
        value: min((mark.near[value] for mark in marks if value in mark.near), default=NEAR_MM)
        for value in parts
        if value not in touched
    }
    for mark in marks:
        mark.near = {value: mm for value, mm in mark.near.items() if mm == nearest.get(value)}
    near = {value: NEAR_CREDIT * (1.0 - mm / NEAR_MM) for value, mm in nearest.items()}
    return {value: credit for value, credit in near.items() if credit > 0}


def _outcome(mark: _Mark, question: Question) -> tuple[str, str]:
    if mark.touches and mark.credit:
        return "hit", ""
    if mark.on_truth:
        # Paint on a crumb of the annotation that is not asked for is neither found nor wrong.
        return ("slip", "") if mark.credit else ("too_wide", "too wide to tell")
    for other in question.others:
        if float(np.mean(other.mask.at(nearness.sample(mark.mask)) != 0)) >= 0.5:
            return "wrong", other.sentence
    if mark.near:
        return "near", ""
    side = side_of_sentence(question.sentence)
    if question.landmarks is not None and side:
        i = mark.mask.centroid()[2]
        beyond_mm = abs(i - question.landmarks.midline_i) * question.grid.spacing_mm[2]
        if side_of_point(i, question.landmarks) != side and beyond_mm >= SIDE_MARGIN_MM:
            return "wrong", "side"
    beyond_mm = outside_mm(mark.mask.centroid(), question.landmarks, question.grid)
    if beyond_mm >= OUTSIDE_MARGIN_MM and question.category not in PLEURAL:
        return "wrong", "outside"
    return ("wrong", "") if question.exhaustive else ("not_judged", "")


def _forgive_slips(marks: list[_Mark]) -> None:
    """Specks that found nothing are not held against anybody who also made a real mark."""
    if all(mark.voxels < PAINT_SPECK_VOXELS for mark in marks):
        return
    for mark in marks:
        if mark.voxels < PAINT_SPECK_VOXELS and mark.outcome in ("wrong", "too_wide", "not_judged"):
            mark.outcome = "slip"


def _judge_surplus(marks: list[_Mark]) -> None:
    """Marks all over the lungs hit something: the smallest of too many unjudged ones are not left so."""
    if any(mark.outcome == "hit" for mark in marks):
        for mark in [mark for mark in marks if mark.outcome == "not_judged"][MOST_UNJUDGED:]:
            mark.outcome, mark.reason = "wrong", "many"


def _extra(mark: _Mark) -> Extra:
    k, j, i = mark.mask.centroid()
    where = (round(k, 2), round(j, 2), round(i, 2))
    return Extra(where, int(np.argmax(mark.mask.areas())), mark.outcome, mark.reason)


# -- instances --------------------------------------------------------------------------------------------------------


def _instance(
    value: int,
    parts: dict[int, SparseMask],
    marks: list[_Mark],
    near: dict[int, float],
    question: Question,
    tau: float,
    mode: str,
) -> _Instance:
    mine = [mark for mark in marks if value in mark.touches]
    credit = max((mark.credit for mark in mine), default=0.0)
    if not credit:
        return _Instance(value, 0.0, near.get(value, 0.0))
    outline = _outline(value, parts[value], _together([mark.mask for mark in mine]), question, tau, mode)
    return _Instance(value, credit, 0.0, 1.0 if mode == "locate" else outline.fit, outline)


def _together(masks: list[SparseMask]) -> SparseMask:
    """One mask of several that share no voxel."""
    if len(masks) == 1:
        return masks[0]
    starts = np.concatenate([mask.starts for mask in masks])
    order = np.argsort(starts)
    lengths, values = (np.concatenate([getattr(mask, name) for mask in masks])[order] for name in ("lengths", "values"))
    return SparseMask(masks[0].size, starts[order], lengths, values)


def _outline(value: int, part: SparseMask, painted: SparseMask, question: Question, tau: float, mode: str) -> Outline:
    """Harmonic mean of paint near truth and truth near paint. In slice mode only the painted slices are judged, each in
    its own plane, and a slice on which the finding is small counts a little less."""
    spacing, flat, area = question.grid.spacing_mm, mode == "slice", 1.0
    ks = (painted.box[0].start, painted.box[0].stop)
    middle = np.array(part.centroid())
    if flat:
        areas = part.areas()
        area = AREA_FLOOR + (1 - AREA_FLOOR) * float(areas[painted.slices()].max() / areas.max())
        part = part.on_slices(painted.slices())
    paint_voxels, part_voxels = nearness.sample(painted), nearness.sample(part)
    on_truth = nearness.within(question.truth, paint_voxels, tau, spacing, flat=flat)
    covered = nearness.within(painted, part_voxels, tau, spacing, flat=flat)
    precise, complete = _mean(on_truth), _mean(covered)
    together = precise + complete
    return Outline(
        value,
        fit=(2 * precise * complete / together if together else 0.0) * area,
        area=area,
        beyond=1 - precise,
        left_out=1 - complete,
        beyond_mm=_offset(paint_voxels[~on_truth], middle, question),
        left_out_mm=_offset(part_voxels[~covered], middle, question),
        ks=ks,
    )


def _mean(hits: NDArray[np.bool_]) -> float:
    return float(np.mean(hits)) if hits.size else 0.0


def _offset(voxels: Ints, middle: NDArray[np.float64], question: Question) -> Vector | None:
    """Where voxels lie on average, (k, j, i) mm from a middle given in voxels."""
    if not voxels.size:
        return None
    kji = np.stack(np.unravel_index(voxels, question.grid.size), axis=1).mean(axis=0)
    k, j, i = (kji - middle) * np.array(question.grid.spacing_mm)
    return float(k), float(j), float(i)


def _became(one: _Instance, part: SparseMask, question: Question) -> InstanceOutcome:
    outcome = "found" if one.credit else "near" if one.near else "missed"
    return outcome_of(part, one.value, question.grid, outcome, one.credit, one.fit if one.credit else None)
