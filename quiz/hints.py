"""The ladder of hints: taken one by one, recorded with what each gave away.

A price is the information a rung gives about the place, in bits: log2(volume still possible before / after). Before a
rung is taken its price is the same for every finding, because a price that followed the truth would be a hint itself.

Rungs 1 to 3 are words worked out from the category and the reference. Rungs 4 and 5 are a model's opinion: they come
after the trainee's own first mark, and what the model marked is charged by what it claims, right or wrong.
"""

import base64
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz import access, jobs, opinions
from quiz.grounding import shown
from quiz.grounding.sentence import parse
from quiz.models import Attempt, Grounding, HintTaken, Opinions, State

RANGE_SLICES_MM = 40.0
"""Shortest slice range that rung 3 names, in mm: a search of a few seconds, not an answer."""
LOOK_FIRST = timedelta(seconds=30)
"""Rung 3 comes after a first mark, or after so long on the scan."""
FREE_RUNGS = 1
"""These give nothing of the place away: an exam has them, too."""
OPINION_FROM = 4
"""From this rung on it is a model's opinion, which comes after a first mark only."""

SIDE_BITS = 1.0
ZONE_BITS = math.log2(3)
HEAT_BITS = 7.2
"""A ball of 4 cm in 5 litres of lung: no heat shown names less than that."""
OUTLINE_BITS = 15.4
"""The outline of a nodule of 6 mm in 5 litres of lung."""

WINDOW_ADVICE = {
    "2e": "Look in the mediastinum window (level 40, width 400).",
    "2b": "Look in the lung window first, then in the mediastinum window for air bronchograms.",
    "1c": "A narrow lung window (level -700, width 700) makes low-density lung stand out.",
    "1f": "A narrow lung window (level -700, width 700) makes differences in density stand out.",
}
DEFAULT_WINDOW_ADVICE = "Look in the lung window (level -600, width 1500)."


class HintRefused(Exception):
    """A hint that may not be taken now; ``sentence`` says why. ``waiting``: it has been asked for and may come."""

    def __init__(self, sentence: str, *, waiting: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.waiting = waiting


@dataclass(frozen=True)
class Hint:
    """What a rung says, and the bits it gave away. source: category, sentence, reference or model."""

    text: str
    bits: float
    source: str = "reference"
    grounding: Grounding | None = None
    picture_key: str = ""
    opinion: dict[str, Any] | None = None


@dataclass(frozen=True)
class Rung:
    """One rung as the page shows it. ``bits``: the most it can give away, or what it did once taken.

    ``when``: what has to come first, in words, while that is still to come.
    """

    rung: int
    kind: str
    title: str
    bits: float
    taken: bool
    text: str
    when: str = ""
    row: HintTaken | None = field(default=None, compare=False)


_RUNGS = (
    (1, "words", "What to look for", 0.0),
    (2, "side", "Side and zone", SIDE_BITS + ZONE_BITS),
    (3, "slices", "Slice range", 4.0),
    (4, "heat", "A model’s opinion, as a region", HEAT_BITS),
    (5, "outline", "A model’s opinion, outlined", OUTLINE_BITS),
)


def rungs_of(attempt: Attempt) -> tuple[tuple[int, str, str, float], ...]:
    """The rungs there are for an attempt: of an exam the free words alone, else opinions where they are allowed and a model
    is set up."""
    if attempt.is_exam:
        return _RUNGS[:FREE_RUNGS]
    with_opinions = attempt.opinions != Opinions.OFF and opinions.has_models()
    return _RUNGS if with_opinions else _RUNGS[: OPINION_FROM - 1]


def ladder(attempt: Attempt) -> list[Rung]:
    """Every rung in order; those not taken hold nothing that depends on the truth or on the model's answer."""
    taken = {hint.rung: hint for hint in attempt.hints.all()}
    return [
        Rung(number, kind, title, taken[number].bits, taken=True, text=taken[number].text, row=taken[number])
        if number in taken
        else Rung(number, kind, title, most, taken=False, text="", when=_when(attempt, number))
        for number, kind, title, most in rungs_of(attempt)
    ]


@dataclass(frozen=True)
class Offered:
    """The model that the next rung asks, and how often it is right: said before it is asked."""

    engine: str
    version: str
    measured: str
    raw: bool


def offered(attempt: Attempt) -> Offered | None:
    """None unless the next rung is a model's opinion. What it says depends on the category and on which model has answered,
    not on the answer."""
    taken = attempt.hints.count()
    if not attempt.is_open or not OPINION_FROM - 1 <= taken < len(rungs_of(attempt)):
        return None
    answered = opinions.opinion_on(attempt.finding)
    model = answered.model if answered else jobs.preferred_model()
    if model is None:
        return None
    measured = opinions.reliability(model, attempt.finding.category_id).sentence
    return Offered(model.engine, model.version, measured, raw=attempt.opinions == Opinions.RAW)


def _when(attempt: Attempt, number: int) -> str:
    """What has to come before a rung, or nothing if the time has come."""
    if number < OPINION_FROM - 1 or _has_mark(attempt):
        return ""
    if number >= OPINION_FROM:
        return "after your own first mark"
    return "" if timezone.now() >= attempt.opened_at + LOOK_FIRST else "after your first mark, or 30 s on the scan"


def _has_mark(attempt: Attempt) -> bool:
    """Whether paint of this attempt has reached the server."""
    draft = attempt.draft_mask()
    return draft is not None and not draft.is_empty


def take_hint(attempt: Attempt) -> HintTaken:
    """Take the next rung. Raises HintRefused when it may not be taken now, and QueueFull if the model is overrun."""
    rungs = rungs_of(attempt)
    taken = attempt.hints.count()
    if not attempt.is_open:
        raise HintRefused("This attempt has been submitted; the reference mask is there to look at now.")
    if taken >= len(rungs):
        raise HintRefused(_no_more(attempt))
    number, kind, _, _ = rungs[taken]
    if number > FREE_RUNGS and access.asked_elsewhere(attempt).exists():
        raise HintRefused("An assignment of yours asks this finding: take its hints there.")
    if when := _when(attempt, number):
        begin = "A model’s opinion comes" if number >= OPINION_FROM else "This hint comes"
        raise HintRefused(f"{begin} {when}: mark where you think it is first, then ask again.")
    hint = _MAKERS[taken](attempt)
    try:
        with transaction.atomic():
            row = HintTaken.objects.create(
                attempt=attempt, rung=number, kind=kind, text=hint.text, bits=hint.bits, source=hint.source,
                grounding=hint.grounding, picture_key=hint.picture_key, opinion=hint.opinion,
            )  # fmt: skip
            open_now = Attempt.objects.filter(pk=attempt.pk, state=State.OPENED)
            if not open_now.update(hint_bits=F("hint_bits") + hint.bits):
                raise HintRefused("This attempt has just been submitted.")
            if hint.source == "model":
                opinions.keep_unaided(attempt)
    except IntegrityError:  # asked twice at once: the same rung, paid once
        row = HintTaken.objects.get(attempt=attempt, rung=number)
    return row


def _no_more(attempt: Attempt) -> str:
    if attempt.is_exam:
        return "There are no further hints: an exam gives only the words that are free."
    if attempt.opinions == Opinions.OFF:
        return "There are no further hints: this assignment shows no model’s opinion."
    return "There are no further hints for this finding."


# -- words ------------------------------------------------------------------------------------------------------------


def _words(attempt: Attempt) -> Hint:
    category = attempt.finding.category
    advice = WINDOW_ADVICE.get(category.code, DEFAULT_WINDOW_ADVICE)
    text = f"{category.name}. {category.definition} {advice}".replace("  ", " ")
    return Hint(text, 0.0, source="category")


def _side(attempt: Attempt) -> Hint:
    finding = attempt.finding
    place, bits = [], 0.0
    if finding.side in ("right", "left"):
        place.append(f"in the {finding.side} hemithorax")
        bits += SIDE_BITS - _said_bits(finding)
    elif finding.side == "both":
        place.append("on both sides")
    if finding.zone in ("upper", "middle", "lower"):
        place.append(f"in the {finding.zone} zone")
        bits += ZONE_BITS
    elif finding.zone == "several":
        place.append("in more than one zone")
    if not place:
        return _side_as_said(finding)
    return Hint(f"Look {', '.join(place)}.", round(bits, 2))


def _side_as_said(finding: Finding) -> Hint:
    """Where the reference cannot tell, the sentence may."""
    read = parse(finding.sentence)
    words = [{"both": "both sides"}.get(read.side, f"the {read.side}")] if read.side else []
    words += [f"the {zone} zone" for zone in sorted(read.zones)]
    words += ["the lingula" if lobe == "lingula" else f"the {lobe} lobe" for lobe in sorted(read.lobes)]
    unknown = "The side and zone are not known for this scan: it shows too little of the lungs."
    if not words:
        return Hint(unknown, 0.0, "sentence")
    return Hint(f"{unknown} The sentence itself says: {', '.join(words)}.", 0.0, "sentence")


def _said_bits(finding: Finding) -> float:
    """What the sentence itself says of the side; a hint does not give that away a second time."""
    named = set(re.findall(r"\b(right|left)\b", finding.sentence.lower()))
    return SIDE_BITS if named == {finding.side} else 0.0


def _slices(attempt: Attempt) -> Hint:
    """A range that holds every instance. Where the finding lies in it is shuffled, so that its middle says nothing."""
    finding, volume = attempt.finding, attempt.finding.volume
    (k0, k1), _, _ = finding.box
    total = volume.size_k
    shortest = math.ceil(RANGE_SLICES_MM / volume.spacing_k)
    length = min(total, max(shortest, math.ceil((k1 - k0) * 1.25)))
    slack = length - (k1 - k0)
    share = _hidden("range", finding)[0] / 255
    start = min(max(0, k0 - round(slack * share)), total - length)
    lungs = volume.lung_box[0][1] - volume.lung_box[0][0] if volume.lung_box else total
    zone = lungs / 3 if finding.zone in ("upper", "middle", "lower") else lungs
    bits = max(0.0, math.log2(zone / length))
    first, last = volume.grid.slice_number(start + length - 1), volume.grid.slice_number(start)
    return Hint(f"It lies between slices {first} and {last} (1 is the most superior).", round(bits, 2))


# -- opinions ---------------------------------------------------------------------------------------------------------


def _heat(attempt: Attempt) -> Hint:
    row = _opinion(attempt)
    if row.heat_key and _may_show(attempt, row, "heat"):
        heat = opinions.heat_of(row.heat_key)
        number = attempt.finding.volume.grid.slice_number(min(shown.peak(heat)[0], attempt.finding.volume.size_k - 1))
        text = f"The model {row.model.engine} thinks it is in the violet region, strongest around slice {number}."
        return _said(attempt, row, "heat", text, _left(attempt, row.heat_ml, HEAT_BITS), row.heat_key)
    if not row.heat_key:
        return _said(attempt, row, "heat", f"The model {row.model.engine} marks nothing here. {row.note}".strip(), 0.0)
    if attempt.assignment is not None:
        return Hint(
            f"The model {row.model.engine} does not point at the reference here, so its opinion is not shown.", 0.0
        )
    return _neighbourhood(attempt, row)


def _outline(attempt: Attempt) -> Hint:
    row = _opinion(attempt)
    if not row.mask_key:
        return _said(
            attempt, row, "outline", f"The model {row.model.engine} outlines nothing here. {row.note}".strip(), 0.0
        )
    if not _may_show(attempt, row, "outline"):
        return Hint(
            f"The outline of the model {row.model.engine} does not agree with the reference here, so it is not shown. "
            "Submit, and look at the reference itself.",
            0.0,
        )
    text = f"The model {row.model.engine} outlines {row.mask_ml:.2f} ml, in violet."
    return _said(attempt, row, "outline", text, _left(attempt, row.mask_ml, OUTLINE_BITS), row.mask_key)


_MAKERS: tuple[Callable[[Attempt], Hint], ...] = (_words, _side, _slices, _heat, _outline)


def _opinion(attempt: Attempt) -> Grounding:
    """The model's answer; asked for now if there is none. Raises HintRefused while it is not there."""
    row = opinions.opinion_on(attempt.finding)
    if row is not None:
        return row
    standing = opinions.standing(ask_model(attempt))
    ending = "Ask again in a moment." if standing.moves else "The other hints do not need it."
    raise HintRefused(f"{standing.sentence} {ending}", waiting=standing.moves)


def ask_model(attempt: Attempt) -> Grounding | None:
    """Put the finding at the head of the preferred model's queue, once. Raises QueueFull, also if this person's attempts
    have enough waiting there already: nobody fills the queue alone."""
    row = opinions.waiting_for(attempt.finding)
    model = jobs.preferred_model()
    if model is None:
        return None
    if row is None or row.priority == 0 or row.is_done:
        jobs.check_room(model)
        mine = access.attempts_of(attempt.user).opened().values("finding")
        jobs.check_share(Grounding.objects.filter(finding__in=mine))
        jobs.want(model, [attempt.finding], urgent=True)
        row = opinions.waiting_for(attempt.finding)
    return row


def _may_show(attempt: Attempt, row: Grounding, rung: str) -> bool:
    return attempt.opinions == Opinions.RAW or bool(row.checks.get(rung))


def _left(attempt: Attempt, region_ml: float | None, most: float) -> float:
    """Bits of a region beyond what the sentence and the rungs before have said."""
    known = attempt.hint_bits + _said_bits(attempt.finding)
    return round(max(0.0, min(most, shown.location_bits(region_ml or shown.LUNGS_ML)) - known), 2)


def _said(attempt: Attempt, row: Grounding, rung: str, text: str, bits: float, picture_key: str = "") -> Hint:
    """A model's opinion with all that has to be said of it."""
    raw = attempt.opinions == Opinions.RAW
    measured = opinions.reliability(row.model, attempt.finding.category_id)
    said = {
        "engine": row.model.engine,
        "version": row.model.version,
        "confidence": row.confidence,
        # Nothing marked is nothing that could have been held against the reference.
        "checked": not raw if picture_key else None,
        "measured": measured.as_json(),
        "sentence": measured.sentence,
    }
    return Hint(text, bits, "model", row, picture_key, said)


def _neighbourhood(attempt: Attempt, row: Grounding) -> Hint:
    """In practice, where the model points elsewhere: the neighbourhood of the reference, and that it is that.

    Its middle may lie anywhere in the region that is charged for, else it would name a point at the price of a region.
    """
    volume = attempt.finding.volume
    truth = storage.load_truth(attempt.finding.truth_key)
    heat = shown.neighbourhood(truth, _somewhere("neighbourhood", attempt.finding), volume.grid)
    if heat is None:
        return Hint("There is no region to show here.", 0.0)
    key = storage.save_hint(volume.name, "heat", shown.pack_heat(heat))
    text = (
        f"The model {row.model.engine} points elsewhere on this one, so this is not its opinion: the violet region is "
        "the wider neighbourhood of the reference."
    )
    return Hint(text, _left(attempt, shown.heat_ml(heat, volume.grid), HEAT_BITS), "reference", None, key)


def _hidden(what: str, finding: Finding) -> bytes:
    """Random bytes, the same whenever they are asked for; nobody can work them out without the site's key."""
    return salted_hmac(f"sightline.hints.{what}", str(finding.pk), algorithm="sha256").digest()


def _somewhere(what: str, finding: Finding) -> tuple[float, float, float]:
    """A point (k, j, i) in mm, evenly anywhere in a ball of the smallest region's size, a little less so that its blur
    still holds what it is about."""
    source = random.Random(_hidden(what, finding))  # noqa: S311 - seeded with what nobody knows
    direction = [source.gauss(0, 1) for _ in range(3)]
    length = math.hypot(*direction) or 1.0
    radius = 0.9 * shown.LEAST_MM * source.random() ** (1 / 3)
    k, j, i = (radius * one / length for one in direction)
    return k, j, i


# -- pictures ---------------------------------------------------------------------------------------------------------


def picture_of(hint: HintTaken) -> dict[str, Any]:
    """What a taken rung draws on the scan: {"heat": {size, step, values}}, {"outline": wire mask}, or nothing.

    heat: ``values`` is base64 of size[0] * size[1] * size[2] bytes [k, j, i], each for ``step`` voxels along each axis.
    """
    if not hint.picture_key:
        return {}
    try:
        if hint.kind == "outline":
            return {"outline": masks.to_wire(opinions.outline_of(hint.picture_key))}
        heat = opinions.heat_of(hint.picture_key)
    except (OSError, ValueError):
        return {"problem": "This picture cannot be read any more; the words above still hold."}
    values = base64.b64encode(heat.values.tobytes()).decode()
    return {"heat": {"size": list(heat.values.shape), "step": list(heat.step), "values": values}}
