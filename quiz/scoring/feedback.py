"""What a good teacher would say of an answer, from its geometry: each thing once, the most useful first."""

import math

import numpy as np

from cases.imaging.masks import SparseMask
from quiz.scoring.grade import is_sweep
from quiz.scoring.question import Extra, Grade, InstanceOutcome, Outline, Question
from quiz.scoring.rules import AREA_FLOOR, MOST_ASKED, MOST_UNJUDGED
from quiz.scoring.where import direction_words, offset_words, place_words, side_of_sentence

NOTICEABLE = 0.15
"""Share of a mark beyond the border, or of an instance left out, from which it is said."""

ONE_SIDED_BEYOND = 0.5
"""Too wide in one direction: what lies beyond is on average this share of the instance's radius from its middle."""

ONE_SIDED_LEFT_OUT = 0.3
"""Too narrow in one direction: the same for what is left out, which lies inside. Half a ball is 3/8 of its radius away."""

BETTER_SLICE_MM = 5.0
"""A slice that would have shown it better is named from this distance on ..."""

BETTER_SLICE_AREA = 0.75
"""... if the best painted slice shows less than this share of its largest area."""

EARLY_MM = 4.0
"""Slices that are left out or added at an end are named from this distance on."""


def feedback(question: Question, answer: SparseMask, grade: Grade) -> list[str]:
    """Sentences on one answer, most useful first."""
    if answer.is_empty:
        return [f"It is present: look {_place(question, _largest(grade))}, where it is largest."]
    if is_sweep(grade.painted_ml):
        return [f"You painted {grade.painted_ml / 1000:.0f} litres, more than both lungs hold; paint the finding only."]
    said = [
        *_first(question, grade),
        _outside(grade),
        *_mix_ups(grade),
        _near_miss(question, grade),
        _too_little(question, grade),
        _elsewhere(question, grade),
        _too_wide_to_tell(grade),
        *_outline(grade),
        _better_slice(question, answer, grade),
        *_ends(question, grade),
        _the_others(question, grade),
        _false_marks(question, grade),
        _too_many(grade),
        _blocks_beside(question, grade),
        _not_judged(grade),
    ]
    return list(dict.fromkeys(sentence for sentence in said if sentence))


def _first(question: Question, grade: Grade) -> list[str]:
    """What was found, and a mark on the wrong side: before it if it is all there is."""
    said = [_count(question, grade), _wrong_side(question, grade)]
    return said if _with_outcome(grade, "found") else said[::-1]


def _with_outcome(grade: Grade, outcome: str) -> list[InstanceOutcome]:
    """Largest first."""
    return sorted((one for one in grade.outcomes if one.outcome == outcome), key=lambda one: -one.volume_ml)


def _extras(grade: Grade, outcome: str) -> list[Extra]:
    return [extra for extra in grade.extras if extra.outcome == outcome]


def _largest(grade: Grade) -> InstanceOutcome:
    return max(grade.outcomes, key=lambda one: one.volume_ml)


def _place(question: Question, one: InstanceOutcome) -> str:
    number = question.grid.slice_number(one.largest_k)
    return place_words(one.centroid, question.landmarks) + f"at slice {number}"


def _count(question: Question, grade: Grade) -> str:
    found, present = len(_with_outcome(grade, "found")), len(grade.outcomes)
    if not found:
        return ""
    if grade.in_blocks:
        where = "" if grade.mode == "volume" else " on the slices you painted"
        return f"You marked {grade.find or 0:.0%} of the affected blocks{where}."
    if present == 1:
        return "You found it."
    kind = "present" if question.exhaustive else "marked in the reference"
    enough = f"; {MOST_ASKED} are enough" if found >= MOST_ASKED and present > found else ""
    return f"You found {found} of the {present} {kind}{enough}."


def _wrong_side(question: Question, grade: Grade) -> str:
    side = side_of_sentence(question.sentence)
    if not side or not any(extra.reason == "side" for extra in grade.extras):
        return ""
    other = "left" if side == "right" else "right"
    if _with_outcome(grade, "found"):
        return f"One of your marks is on the {other}, but the sentence says {side}."
    return f"The sentence says {side}; you painted on the {other}. The patient's right is on the left of the screen."


def _outside(grade: Grade) -> str:
    marks = sum(extra.reason == "outside" for extra in grade.extras)
    if not marks:
        return ""
    lead = "One of your marks lies" if marks == 1 else f"{marks} of your marks lie"
    return f"{lead} in the chest wall or outside the body."


def _mix_ups(grade: Grade) -> list[str]:
    named = [extra.reason for extra in _extras(grade, "wrong") if extra.reason not in ("", "side", "outside", "many")]
    return [f"You painted another finding of this scan: “{sentence}”." for sentence in dict.fromkeys(named)]


def _near_miss(question: Question, grade: Grade) -> str:
    targets = _with_outcome(grade, "near")
    ways = [
        (_away_mm(stray, target, question), stray, target) for stray in _extras(grade, "near") for target in targets
    ]
    if not ways:
        return ""
    _, stray, target = min(ways, key=lambda way: way[0])
    return f"Close: the centre of it is {offset_words(stray.centroid, target.centroid, question.grid)}."


def _away_mm(stray: Extra, target: InstanceOutcome, question: Question) -> float:
    steps = np.subtract(target.centroid, stray.centroid) * np.array(question.grid.spacing_mm)
    return float(np.linalg.norm(steps))


def _too_little(question: Question, grade: Grade) -> str:
    """A diffuse finding: paint lies on it, but fills none of its blocks."""
    if not _fills_no_block(grade):
        return ""
    number = question.grid.slice_number(_largest(grade).largest_k)
    return f"You are in the right place but marked too little of it; it is largest at slice {number}."


def _fills_no_block(grade: Grade) -> bool:
    return grade.in_blocks and not _with_outcome(grade, "found") and grade.touches


def _elsewhere(question: Question, grade: Grade) -> str:
    """Nothing found and nothing near: where it is, and the way from the one mark there is."""
    if grade.verdict != "missed" or _extras(grade, "too_wide") or _fills_no_block(grade) or _hardly_on_it(grade):
        return ""
    target = _largest(grade)
    sentence = f"The reference lies elsewhere: look {_place(question, target)}, where it is largest"
    if len(grade.extras) == 1 and grade.extras[0].reason != "side":
        way = offset_words(grade.extras[0].centroid, target.centroid, question.grid)
        sentence += f"; from your mark that is {way}"
    return sentence + "."


def _too_wide_to_tell(grade: Grade) -> str:
    if not _extras(grade, "too_wide"):
        return ""
    return "One of your marks touches it but is far too wide to tell what you meant; outline it closer."


def _outline(grade: Grade) -> list[str]:
    """How the outline fits: of the instance where it fits worst."""
    if not grade.outlines or grade.mode == "locate":
        return []
    worst = min(grade.outlines, key=lambda one: one.fit)
    wide, narrow = worst.beyond >= NOTICEABLE, worst.left_out >= NOTICEABLE
    if not wide and not narrow:
        return ["Your outline fits."]
    said = []
    if wide:
        where = _one_sided(grade, worst, worst.beyond_mm, ONE_SIDED_BEYOND)
        said.append(f"Your outline is too wide{where}: {worst.beyond:.0%} of it lies beyond the border.")
    if narrow:
        where = _one_sided(grade, worst, worst.left_out_mm, ONE_SIDED_LEFT_OUT)
        part = "it" if grade.mode == "volume" else "what is on the slices you painted"
        said.append(f"Your outline is too narrow{where}: it leaves out {worst.left_out:.0%} of {part}.")
    return said


def _one_sided(grade: Grade, outline: Outline, at_mm: tuple[float, float, float] | None, share: float) -> str:
    volume_ml = next(one.volume_ml for one in grade.outcomes if one.value == outline.value)
    radius = (3 * volume_ml * 1000 / (4 * math.pi)) ** (1 / 3)
    if at_mm is None or max(abs(mm) for mm in at_mm) < share * radius:
        return ""
    return f" {direction_words(at_mm)}"


def _better_slice(question: Question, answer: SparseMask, grade: Grade) -> str:
    """Slice mode: whether another slice would have shown it better."""
    found = _with_outcome(grade, "found")
    if grade.mode != "slice" or not found or grade.in_blocks:
        return ""
    outline = next(one for one in grade.outlines if one.value == found[0].value)
    if outline.area >= AREA_FLOOR + (1 - AREA_FLOOR) * BETTER_SLICE_AREA:
        return ""
    gap = min(abs(found[0].largest_k - int(k)) for k in answer.slices())
    if gap * question.grid.spacing_mm[0] < BETTER_SLICE_MM:
        return ""
    number = question.grid.slice_number(found[0].largest_k)
    return f"It is largest on slice {number}, {gap} slices from the nearest one you painted."


def _ends(question: Question, grade: Grade) -> list[str]:
    """Volume mode: where the paint stops too early or goes on too long, of the largest instance found."""
    found = _with_outcome(grade, "found")
    outline = next((one for one in grade.outlines if found and one.value == found[0].value), None)
    if grade.mode != "volume" or outline is None:
        return []
    (first, last), (painted_first, painted_last) = found[0].ks, outline.ks
    step, said = question.grid.spacing_mm[0], []
    above, below = painted_last - last, first - painted_first
    if abs(above) * step >= EARLY_MM:
        said.append(
            f"You {'go on' if above > 0 else 'stop'} {_slices(above)} {'above' if above > 0 else 'below'} its top."
        )
    if abs(below) * step >= EARLY_MM:
        said.append(f"You begin {_slices(below)} {'below' if below > 0 else 'above'} its lower end.")
    return said


def _slices(number: int) -> str:
    return "1 slice" if abs(number) == 1 else f"{abs(number)} slices"


def _the_others(question: Question, grade: Grade) -> str:
    """Where to look for what was not found, if more was asked."""
    found, missed = _with_outcome(grade, "found"), _with_outcome(grade, "missed")
    if not missed or not found or len(found) >= grade.asked or grade.in_blocks:
        return ""
    lead = "The one you missed" if len(missed) == 1 else f"The largest of the {len(missed)} you missed"
    return f"{lead} is {_place(question, missed[0])}."


def _false_marks(question: Question, grade: Grade) -> str:
    wrong = sum(extra.reason == "" for extra in _extras(grade, "wrong"))
    if not wrong or (grade.verdict == "missed" and len(grade.extras) == 1):
        return ""
    one = "mark lies where nothing of this finding is" if wrong == 1 else "marks lie where nothing of this finding is"
    return f"{wrong} {one}; every instance of this scan is annotated."


def _too_many(grade: Grade) -> str:
    if not any(extra.reason == "many" for extra in grade.extras):
        return ""
    return f"More than {MOST_UNJUDGED} marks beside the reference are a sweep: mark what you would report."


def _blocks_beside(question: Question, grade: Grade) -> str:
    if _hardly_on_it(grade):
        return "Most of what you painted lies beside it: too wide to tell what you meant; outline it closer."
    if not grade.in_blocks or not question.exhaustive or not grade.find:
        return ""
    beside = 1 - (grade.restraint or 0.0)
    return f"{beside:.0%} of the blocks you marked are not affected." if beside >= NOTICEABLE else ""


def _hardly_on_it(grade: Grade) -> bool:
    """A diffuse finding of a partly annotated scan: the paint is too wide to tell."""
    return grade.in_blocks and not grade.exhaustive and bool(grade.find) and (grade.restraint or 0.0) < 1


def _not_judged(grade: Grade) -> str:
    if not _extras(grade, "not_judged") and grade.verdict != "not_judged":
        return ""
    return "Not judged: the reference of this scan marks at most about three places, so paint elsewhere may be right."
