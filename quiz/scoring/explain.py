"""How a score came about: what each part is made of, in sentences, and what became of every painted voxel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases.imaging.masks import Ints, SparseMask, from_flat
from quiz.scoring import focal, nearness
from quiz.scoring.blocks import Blocks
from quiz.scoring.grade import asked_of, in_blocks, is_sweep
from quiz.scoring.question import Grade, InstanceOutcome, Outline, Question, tolerance_mm
from quiz.scoring.rules import BLOCK_FILLED, BLOCK_MM, FALSE_MARK_WEIGHT, INSIDE_FULL, MOST_ASKED, NEAR_MM, SHARP

KINDS = ("hit", "missed", "too_wide", "wrong", "near", "not_judged", "slip")
"""What a voxel can be: paint on the finding, finding without paint, paint beyond its border, paint known to be wrong,
a near miss, paint that cannot be judged, a slip of the pen that is not counted. Value n + 1 in ``areas`` is KINDS[n]."""


@dataclass(frozen=True)
class Part:
    """One factor of the score. value: 0 to 1, None if it was not judged."""

    name: str
    value: float | None
    sentences: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        value = None if self.value is None else round(self.value, 4)
        return {"name": self.name, "value": value, "sentences": list(self.sentences)}


def parts(question: Question, grade: Grade) -> list[Part]:
    """Find, outline and restraint, and how they make the score, for one answer."""
    if grade.score is None:
        return [Part("score", None, (_NOTHING_JUDGED,))]
    if grade.painted_ml == 0:
        return [Part("score", 0.0, ("Nothing was painted, and the finding is there.",))]
    if is_sweep(grade.painted_ml):
        return [Part("score", 0.0, ("So much paint is a sweep, not an answer.",))]
    if grade.in_blocks:
        made_of = _in_blocks(question, grade)
    else:
        made_of = [_find(question, grade), _outline(question, grade), _restraint(grade)]
    return [*made_of, _score(grade)]


_NOTHING_JUDGED = (
    "None of your marks lies on what the reference marks, and in this scan it does not mark everything: "
    "they may be right, so there is no score."
)


def _score(grade: Grade) -> Part:
    factors = [grade.find or 0.0, grade.extent or 0.0, grade.restraint or 0.0]
    find, outline, restraint = (f"{value:.2f}" for value in factors)
    judged = 100 * factors[0] * (0.5 + 0.5 * factors[1]) * factors[2]
    said = [f"100 × {find} × (½ + ½ × {outline}) × {restraint} = {judged:.0f}."]
    if grade.score_low < grade.score_high:
        said.append(f"What could not be judged leaves {grade.score_low:.0f} to {grade.score_high:.0f} possible.")
        said.append(_believed(grade))
    return Part("score", (grade.score or 0.0) / 100, tuple(said))


def _believed(grade: Grade) -> str:
    """What is known of whether the reference is complete, and what the score is made of it."""
    if not grade.completeness:
        return "How complete the reference is here has not been measured; marks beside it are not judged."
    return (
        f"Fully annotated scans suggest that this reference is complete with a chance of {grade.completeness:.0%}; "
        f"weighed by that, the score is {grade.score:.0f}."
    )


def _find(question: Question, grade: Grade) -> Part:
    present = len(grade.outcomes)
    said = [f"The reference marks {_places(present)}; {_asked(grade.asked, present)}."]
    for one in sorted(grade.outcomes, key=lambda one: -one.credit)[: max(grade.asked, 1)]:
        said.append(f"Slice {question.grid.slice_number(one.largest_k)}: {_earned(one)}.")
    return Part("find", grade.find, tuple(said))


def _places(number: int) -> str:
    return "one place" if number == 1 else f"{number} places"


def _asked(asked: int, present: int) -> str:
    if asked < present:
        return f"more than {MOST_ASKED} are never asked for"
    return "it is asked for" if present == 1 else f"all {present} are asked for"


def _earned(one: InstanceOutcome) -> str:
    if one.outcome == "found":
        if one.credit >= 1:
            return "found, full credit"
        return f"found, {one.credit:.0%} credit, because less than {INSIDE_FULL:.0%} of your mark lies on it"
    if one.outcome == "near":
        return f"near miss within {NEAR_MM:.0f} mm, {one.credit:.0%} credit"
    return "missed"


def _outline(question: Question, grade: Grade) -> Part:
    if grade.mode == "locate":
        return Part("outline", grade.extent, ("Locating asks for no outline.",))
    if not grade.outlines:
        return Part("outline", grade.extent, ("Nothing was found, so there is no outline to judge.",))
    kind = "sharp" if question.category in SHARP else "soft"
    said = [
        f"The border of this kind of finding is {kind}: {grade.tolerance_mm:.1f} mm either way are not held against you."
    ]
    at = {one.value: question.grid.slice_number(one.largest_k) for one in grade.outcomes}
    said += [f"Slice {at[one.value]}: {_fit(one)}." for one in grade.outlines]
    return Part("outline", grade.extent, tuple(said))


def _fit(one: Outline) -> str:
    said = f"{1 - one.beyond:.0%} of your paint lies on it, {1 - one.left_out:.0%} of it is painted; together {one.fit:.0%}"
    if one.area < 1:
        said += f", times {one.area:.2f} because it is larger on another slice (included)"
    return said


def _restraint(grade: Grade) -> Part:
    false = sum(extra.outcome in ("wrong", "too_wide") for extra in grade.extras)
    if not false:
        return Part("restraint", grade.restraint, ("No mark is known to be wrong.",))
    earned = sum(one.credit for one in grade.outcomes if one.outcome == "found")
    marks = "one mark is" if false == 1 else f"{false} marks are"
    weight = FALSE_MARK_WEIGHT * false
    return Part(
        "restraint",
        grade.restraint,
        (
            f"{marks.capitalize()} known to be wrong, with the weight {FALSE_MARK_WEIGHT:g} each, beside {earned:.2g} found: "
            f"{earned:.2g} / ({earned:.2g} + {weight:g}) = {grade.restraint or 0.0:.0%}.",
        ),
    )


def _in_blocks(question: Question, grade: Grade) -> list[Part]:
    where = "in the whole scan" if grade.mode == "volume" else "on the slices you painted"
    partial = "" if question.exhaustive else " The reference is not complete here, so blocks beside it are not judged."
    against = f"Share of your blocks that count against you: {1 - (grade.restraint or 0):.0%}.{partial}"
    if partial and (grade.restraint or 0.0) < 1:
        against = (
            f"Less than {INSIDE_FULL:.0%} of your blocks lie on what the reference marks: too wide to tell, "
            f"so {grade.restraint or 0:.0%} of it counts."
        )
    if not grade.marked_blocks:
        against = (
            f"Your paint fills no block: one counts as marked from {BLOCK_FILLED:.0%} on. None counts against you."
        )
    return [
        Part(
            "find",
            grade.find,
            (
                f"Blocks of {BLOCK_MM:.0f} mm are compared {where}: you marked {grade.find or 0:.0%} of the affected ones.",
            ),
        ),
        Part("outline", grade.extent, (f"How well painted and affected blocks agree: {grade.extent or 0:.0%}.",)),
        Part("restraint", grade.restraint, (against,)),
    ]


# -- what became of every voxel ------------------------------------------------------------------------------------------


def areas(question: Question, answer: SparseMask, *, mode: str) -> SparseMask:
    """What each voxel of paint and of the truth counted as: a mask of KINDS (value n + 1 is KINDS[n])."""
    truth, paint = asked_of(question.truth), answer.union()
    if paint.is_empty:
        return _labelled(paint.size, [("missed", truth.flat())])
    if is_sweep(paint.voxels() * question.grid.voxel_ml):
        return _labelled(paint.size, [("too_wide", paint.flat())])
    if in_blocks(question, paint, mode):
        return _areas_in_blocks(question, paint, mode)
    return _areas_of_marks(question, truth, paint, mode)


def unjudged(question: Question, answer: SparseMask, *, mode: str) -> SparseMask:
    """The paint of ``areas`` that is not judged, without working out the rest."""
    paint = answer.union()
    none = paint.pick(np.zeros(len(paint.starts), dtype=bool))
    if question.exhaustive or paint.is_empty or is_sweep(paint.voxels() * question.grid.voxel_ml):
        return none
    if in_blocks(question, paint, mode):
        return _areas_in_blocks(question, paint, mode).only(KINDS.index("not_judged") + 1).union()
    marks = focal.outcomes_of_paint(question, asked_of(question.truth), paint)
    found = [mask.flat() for outcome, mask in marks if outcome == "not_judged"]
    return _labelled(paint.size, [("not_judged", voxels) for voxels in found]).union() if found else none


def _areas_of_marks(question: Question, truth: SparseMask, paint: SparseMask, mode: str) -> SparseMask:
    tau, spacing, flat = tolerance_mm(question.category, question.grid), question.grid.spacing_mm, mode == "slice"
    found: list[tuple[str, Ints]] = []
    hits = []
    for outcome, mask in focal.outcomes_of_paint(question, truth, paint):
        voxels = mask.flat()
        if outcome != "hit":
            found.append((outcome, voxels))
            continue
        hits.append(voxels)
        on_truth = nearness.within(question.truth, voxels, tau, spacing, flat=flat)
        beyond = "hit" if mode == "locate" else "too_wide"
        found += [("hit", voxels[on_truth]), (beyond, voxels[~on_truth])]
    painted = _labelled(paint.size, [("hit", np.sort(np.concatenate(hits)))]) if hits else None
    for value in truth.instance_values():
        missed = _missed(truth.only(value), painted, tau, question, mode)
        found.append(("missed", missed[paint.at(missed) == 0]))
    return _labelled(paint.size, found)


def _missed(part: SparseMask, painted: SparseMask | None, tau: float, question: Question, mode: str) -> Ints:
    """Voxels of an instance that paint should have covered: none in locate mode once it is touched; in slice mode only
    on painted slices once it is touched; all if it is not."""
    voxels = part.flat()
    if painted is None:
        return voxels
    spacing = question.grid.spacing_mm
    near: NDArray[np.bool_] = nearness.within(painted, voxels, tau, spacing, flat=mode == "slice")
    if not near.any():
        return voxels
    if mode == "locate":
        return voxels[:0]
    if mode == "slice":
        plane = part.size[1] * part.size[2]
        judged = np.isin(voxels // plane, painted.slices())
        return voxels[judged & ~near]
    return voxels[~near]


def _areas_in_blocks(question: Question, paint: SparseMask, mode: str) -> SparseMask:
    whole = mode == "volume"
    blocks = Blocks(question.truth, question.grid, flat=not whole)
    truth = question.truth.union()
    asked = truth if whole else truth.on_slices(paint.slices())
    wanted, marked = blocks.filled(asked), blocks.filled(paint)
    beside = "wrong" if question.exhaustive else "not_judged"
    pieces, rest = blocks.cut(paint), blocks.cut(asked)
    of_paint, of_rest = blocks.of(pieces), blocks.of(rest)
    on = np.isin(of_paint, wanted)
    false = ~on & np.isin(of_paint, marked)
    missed = rest.pick(np.isin(of_rest, np.setdiff1d(wanted, marked))).flat()
    kinds = [("hit", on), (beside, false), ("slip", ~on & ~false)]
    return _labelled(
        paint.size,
        [*((kind, pieces.pick(which).flat()) for kind, which in kinds), ("missed", missed[paint.at(missed) == 0])],
    )


def _labelled(size: tuple[int, int, int], found: Iterable[tuple[str, Ints]]) -> SparseMask:
    """One mask of several kinds that share no voxel."""
    listed = list(found)
    flat = np.concatenate([voxels for _, voxels in listed]) if listed else np.empty(0, dtype=np.int64)
    values = [np.full(len(voxels), KINDS.index(kind) + 1, dtype=np.uint8) for kind, voxels in listed]
    return from_flat(flat, np.concatenate(values) if values else np.empty(0, dtype=np.uint8), size)
