"""What a good teacher would say of an answer, from its geometry: each thing once, the most useful first."""

import numpy as np

from cases.imaging.masks import SparseMask
from quiz.scoring.grade import DIFFUSE, MOST_PAINT_ML, Extra, Grade, Question
from quiz.scoring.where import offset_words, side_of_point, side_of_sentence

NOTICEABLE = 0.15
"""Share of a mark beyond the border, or of an instance left out, from which it is said."""


def feedback(question: Question, answer: SparseMask, grade: Grade) -> list[str]:
    """Sentences on one answer, most useful first."""
    if answer.is_empty:
        return [_missed_where(question, grade, said_absent=True)]
    if grade.painted_ml > MOST_PAINT_ML:
        return [f"You painted {grade.painted_ml / 1000:.0f} litres, more than both lungs hold; paint the finding only."]
    said = [
        _count(question, grade),
        _wrong_side(question, grade),
        *_mix_ups(grade),
        _near_miss(question, grade),
        _too_wide(grade),
        _outline(question, answer, grade),
        _slices(question, answer, grade),
        _false_marks(grade),
        _not_judged(question, grade),
    ]
    sentences = [sentence for sentence in said if sentence]
    if grade.verdict == "missed" and not any(_wrong_side(question, grade) or s == "" for s in sentences):
        sentences.insert(0, _missed_where(question, grade, said_absent=False))
    return list(dict.fromkeys(sentences))


def _found(grade: Grade) -> int:
    return sum(one.outcome == "found" for one in grade.outcomes)


def _count(question: Question, grade: Grade) -> str:
    found, present = _found(grade), len(grade.outcomes)
    if question.category in DIFFUSE:
        if found and grade.find is not None:
            return f"You marked {grade.find:.0%} of the affected blocks on the slices you painted."
        return ""
    if not found:
        return ""
    if present == 1:
        return "You found it."
    kind = "present" if question.exhaustive else "marked in the reference"
    return f"You found {found} of the {present} {kind}."


def _missed_where(question: Question, grade: Grade, *, said_absent: bool) -> str:
    largest = max(grade.outcomes, key=lambda one: one.volume_ml)
    number = question.grid.slice_number(largest.largest_k)
    side = side_of_point(largest.centroid[2], question.landmarks)
    place = f" on the {side}" if side else ""
    lead = "It is present" if said_absent else "The reference lies elsewhere"
    return f"{lead}: look{place} at slice {number}, where it is largest."


def _wrong_side(question: Question, grade: Grade) -> str:
    side = side_of_sentence(question.sentence)
    if side and any(extra.reason == "side" for extra in grade.extras):
        other = "left" if side == "right" else "right"
        return (
            f"The sentence says {side}; you painted on the {other}. The patient's right is on the left of the screen."
        )
    return ""


def _mix_ups(grade: Grade) -> list[str]:
    named = [extra.reason for extra in grade.extras if extra.outcome == "wrong" and extra.reason not in ("", "side")]
    return [f"You painted another finding of this scan: “{sentence}”." for sentence in dict.fromkeys(named)]


def _near_miss(question: Question, grade: Grade) -> str:
    strays = [extra for extra in grade.extras if extra.outcome == "near"]
    targets = [one for one in grade.outcomes if one.outcome == "near"]
    if not strays or not targets:
        return ""

    def apart(stray: Extra) -> float:
        return float(min(np.linalg.norm(np.subtract(one.centroid, stray.centroid)) for one in targets))

    stray = min(strays, key=apart)
    target = min(targets, key=lambda one: float(np.linalg.norm(np.subtract(one.centroid, stray.centroid))))
    return f"Close: the centre of it is {offset_words(stray.centroid, target.centroid, question.grid)}."


def _too_wide(grade: Grade) -> str:
    if any(extra.outcome == "too_wide" for extra in grade.extras):
        return "One of your marks touches it but is far too wide to tell what you meant; outline it closer."
    return ""


def _outline(question: Question, answer: SparseMask, grade: Grade) -> str:
    if not _found(grade) or grade.extent is None or grade.mode == "locate":
        return ""
    wide, narrow = grade.too_wide >= NOTICEABLE, grade.too_narrow >= NOTICEABLE
    if wide and narrow:
        return "Your outline is beside the border in places: too wide on one side, too narrow on another."
    if wide:
        return f"Your outline is too wide: {grade.too_wide:.0%} of it lies beyond the border."
    if narrow:
        return f"Your outline is too narrow: it leaves out {grade.too_narrow:.0%} of what is on the slices you painted."
    return "Your outline fits."


def _slices(question: Question, answer: SparseMask, grade: Grade) -> str:
    """Whether another slice would have shown it better."""
    if not _found(grade) or question.category in DIFFUSE:
        return ""
    painted = {answer.origin[0] + int(k) for k in np.flatnonzero(answer.values.any(axis=(1, 2)))}
    best = max((one for one in grade.outcomes if one.outcome == "found"), key=lambda one: one.volume_ml)
    gap = min(abs(best.largest_k - k) for k in painted)
    if gap * question.grid.spacing_mm[0] < 5.0:
        return ""
    number = question.grid.slice_number(best.largest_k)
    return f"It is largest on slice {number}, {gap} slices from the nearest one you painted."


def _false_marks(grade: Grade) -> str:
    wrong = sum(extra.outcome == "wrong" and extra.reason == "" for extra in grade.extras)
    if not wrong:
        return ""
    one = "mark lies where nothing of this finding is" if wrong == 1 else "marks lie where nothing of this finding is"
    return f"{wrong} {one}; every instance of this scan is annotated."


def _not_judged(question: Question, grade: Grade) -> str:
    unjudged = sum(extra.outcome == "not_judged" for extra in grade.extras)
    if unjudged or (grade.verdict == "not_judged"):
        return (
            "Not judged: the reference of this scan marks at most about three places, so paint elsewhere may be right."
        )
    return ""
