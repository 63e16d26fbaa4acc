"""The grade: our own score of an answer, 0-100, that rewards finding first, outlining second, restraint third.

    score = 100 * find * (1/2 + 1/2 extent) * restraint

The one scorer; its numbers are in ``rules``. The page "How you are scored" and decisions 0005 and 0007 explain it.
Only the presence of truth is certain where annotation is partial: paint elsewhere is then "not judged", never "wrong",
and the score is an interval.
"""

from typing import Any

import numpy as np

from cases.imaging.masks import SparseMask
from quiz.scoring import blocks, focal
from quiz.scoring.official import Official, official
from quiz.scoring.question import Grade, InstanceOutcome, Question, outcome_of, tolerance_mm
from quiz.scoring.rules import (
    DIFFUSE,
    FOUND_AT,
    INSIDE_FULL,
    INSIDE_NONE,
    MOST_ASKED,
    MOST_PAINT_ML,
    SPECK_VOXELS,
)


def grade(question: Question, answer: SparseMask, *, mode: str, absent: bool = False) -> Grade:
    """Grade paint against truth. mode: locate, slice or volume. ``absent``: the trainee answered "not present"."""
    truth, answer = asked_of(question.truth), answer.union()
    numbers = official(question.truth, answer)
    if answer.is_empty or absent or is_sweep(answer.voxels() * question.grid.voxel_ml):
        return _missed(question, truth, answer, numbers, mode)
    judged = _judged_in_blocks(question, answer, mode)
    if judged is not None:
        return _diffuse(question, truth, answer, numbers, judged, mode)
    judgement = focal.judge(question, truth, answer, mode)
    return Grade(
        score=None if judgement.blind else round(judgement.score, 1),
        score_low=round(judgement.low, 1),
        score_high=round(judgement.high, 1),
        verdict="not_judged" if judgement.blind else _verdict(judgement.find, judgement.earned, near=judgement.near),
        find=None if judgement.blind else judgement.find,
        extent=None if judgement.blind else judgement.extent,
        restraint=None if judgement.blind else judgement.restraint,
        judged_weight=judgement.judged_weight,
        outcomes=judgement.outcomes,
        extras=judgement.extras,
        outlines=judgement.outlines,
        **_common(question, truth, answer, numbers, mode),
    )


def in_blocks(question: Question, answer: SparseMask, mode: str) -> bool:
    """Whether joined paint is judged by blocks of lung."""
    return _judged_in_blocks(question, answer, mode) is not None


def _judged_in_blocks(question: Question, answer: SparseMask, mode: str) -> blocks.Judged | None:
    if question.category not in DIFFUSE or mode == "locate":
        return None
    return blocks.judge(question.truth, answer, question.grid, whole=mode == "volume")


def is_sweep(painted_ml: float) -> bool:
    """More paint than any answer could need."""
    return painted_ml > MOST_PAINT_ML


def asked_of(truth: SparseMask) -> SparseMask:
    """The instances that are asked for: crumbs are left out, unless there is nothing else."""
    large = [value for value, voxels in truth.sizes().items() if voxels >= SPECK_VOXELS]
    return truth.only(*large) if large else truth


def _common(question: Question, truth: SparseMask, answer: SparseMask, numbers: Official, mode: str) -> dict[str, Any]:
    return {
        "official": numbers,
        "painted_ml": answer.voxels() * question.grid.voxel_ml,
        "truth_ml": question.truth.voxels() * question.grid.voxel_ml,
        "exhaustive": question.exhaustive,
        "completeness": 1.0 if question.exhaustive else question.completeness,
        "asked": min(len(truth.instance_values()), MOST_ASKED),
        "tolerance_mm": tolerance_mm(question.category, question.grid),
        "mode": mode,
        "touches": numbers.shared > 0,
    }


def _verdict(find: float, earned: float, *, near: bool) -> str:
    if find >= FOUND_AT:
        return "found"
    if earned > 0:
        return "partly"
    return "near" if near else "missed"


def _diffuse(
    question: Question, truth: SparseMask, answer: SparseMask, numbers: Official, judged: blocks.Judged, mode: str
) -> Grade:
    """Blocks of lung instead of instances: find is their recall, extent their F1, restraint their precision."""
    low = 100.0 * judged.recall * (0.5 + 0.5 * judged.f1) * judged.precision
    # In a partly annotated scan blocks beside the reference may be right: their precision is then not judged.
    # Only what hardly lies on it is too wide to tell, as a mark on a focal finding is.
    told = float(np.clip((judged.precision - INSIDE_NONE) / (INSIDE_FULL - INSIDE_NONE), 0.0, 1.0))
    kind_f1 = 2 * judged.recall / (1 + judged.recall)
    kind = 100.0 * judged.recall * (0.5 + 0.5 * kind_f1) * told
    credit = judged.recall * (1.0 if question.exhaustive else told)
    low = low if question.exhaustive else min(low, kind)
    believed = 1.0 if question.exhaustive else question.completeness
    score = believed * low + (1 - believed) * kind
    blind = not question.exhaustive and judged.recall == 0
    return Grade(
        score=None if blind else round(score, 1),
        score_low=round(low, 1),
        score_high=100.0 if blind else round(score if question.exhaustive else kind, 1),
        verdict="not_judged" if blind else _verdict(credit, credit, near=False),
        find=None if blind else judged.recall,
        extent=None if blind else (judged.f1 if question.exhaustive else kind_f1),
        restraint=None if blind else (judged.precision if question.exhaustive else told),
        judged_weight=0.0 if blind else 1.0,
        outcomes=_outcomes(truth, question, "found" if judged.recall else "missed", judged.recall),
        extras=(),
        outlines=(),
        in_blocks=True,
        marked_blocks=judged.marked,
        **_common(question, truth, answer, numbers, mode),
    )


def _missed(question: Question, truth: SparseMask, answer: SparseMask, numbers: Official, mode: str) -> Grade:
    return Grade(
        score=0.0,
        score_low=0.0,
        score_high=0.0,
        verdict="missed",
        find=0.0,
        extent=0.0,
        restraint=1.0,
        judged_weight=1.0,
        outcomes=_outcomes(truth, question, "missed", 0.0),
        extras=(),
        outlines=(),
        **_common(question, truth, answer, numbers, mode),
    )


def _outcomes(truth: SparseMask, question: Question, outcome: str, credit: float) -> tuple[InstanceOutcome, ...]:
    """The same for every instance."""
    values = truth.instance_values()
    return tuple(outcome_of(truth.only(value), value, question.grid, outcome, credit) for value in values)
