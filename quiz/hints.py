"""The ladder of hints: taken one by one, recorded with what each gave away.

A price is the information a rung gives about the place, in bits: log2(volume still possible before / after). Before a
rung is taken its price is the same for every finding, because a price that followed the truth would be a hint itself.
"""

import hashlib
import math
import re
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F

from cases.models import Finding
from quiz.models import Attempt, HintTaken, State

RANGE_SLICES_MM = 40.0
"""Shortest slice range that rung 3 names, in mm: a search of a few seconds, not an answer."""

SIDE_BITS = 1.0
ZONE_BITS = math.log2(3)

WINDOW_ADVICE = {
    "2e": "Look in the mediastinum window (level 40, width 400).",
    "2b": "Look in the lung window first, then in the mediastinum window for air bronchograms.",
    "1c": "A narrow lung window (level -700, width 700) makes low-density lung stand out.",
    "1f": "A narrow lung window (level -700, width 700) makes differences in density stand out.",
}
DEFAULT_WINDOW_ADVICE = "Look in the lung window (level -600, width 1500)."


class HintRefused(Exception):
    """A hint that may not be taken now; ``sentence`` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class Hint:
    """What a rung says, and the bits it gave away."""

    text: str
    bits: float


@dataclass(frozen=True)
class Rung:
    """One rung as the page shows it. ``bits``: the most it can give away, or what it did once taken."""

    rung: int
    kind: str
    title: str
    bits: float
    taken: bool
    text: str


_RUNGS = (
    (1, "words", "What to look for", 0.0),
    (2, "side", "Side and zone", SIDE_BITS + ZONE_BITS),
    (3, "slices", "Slice range", 4.0),
)


def ladder(attempt: Attempt) -> list[Rung]:
    """Every rung in order; those not taken hold nothing that depends on the truth."""
    taken = {hint.rung: hint for hint in attempt.hints.all()}
    return [
        Rung(number, kind, title, taken[number].bits, taken=True, text=taken[number].text)
        if number in taken
        else Rung(number, kind, title, most, taken=False, text="")
        for number, kind, title, most in _RUNGS
    ]


def take_hint(attempt: Attempt) -> HintTaken:
    """Take the next rung. Raises HintRefused after submission and after the last rung."""
    finding = attempt.finding
    taken = attempt.hints.count()
    if not attempt.is_open:
        raise HintRefused("This attempt has been submitted; the reference mask is there to look at now.")
    if taken >= len(_RUNGS):
        raise HintRefused("There are no further hints for this finding yet.")
    number, kind, _, _ = _RUNGS[taken]
    hint = (_words, _side, _slices)[taken](finding)
    try:
        with transaction.atomic():
            row = HintTaken.objects.create(attempt=attempt, rung=number, kind=kind, text=hint.text, bits=hint.bits)
            open_now = Attempt.objects.filter(pk=attempt.pk, state=State.OPENED)
            if not open_now.update(hint_bits=F("hint_bits") + hint.bits):
                raise HintRefused("This attempt has just been submitted.")
    except IntegrityError:  # asked twice at once: the same rung, paid once
        row = HintTaken.objects.get(attempt=attempt, rung=number)
    return row


def _words(finding: Finding) -> Hint:
    category = finding.category
    advice = WINDOW_ADVICE.get(category.code, DEFAULT_WINDOW_ADVICE)
    return Hint(f"{category.name}. {category.definition} {advice}".replace("  ", " "), 0.0)


def _side(finding: Finding) -> Hint:
    place, bits = [], 0.0
    if finding.side in ("right", "left"):
        place.append(f"in the {finding.side} hemithorax")
        # The sentence may have said the side already: then the hint gives that away no second time.
        named = set(re.findall(r"\b(right|left)\b", finding.sentence.lower()))
        bits += 0.0 if named == {finding.side} else SIDE_BITS
    elif finding.side == "both":
        place.append("on both sides")
    if finding.zone in ("upper", "middle", "lower"):
        place.append(f"in the {finding.zone} zone")
        bits += ZONE_BITS
    elif finding.zone == "several":
        place.append("in more than one zone")
    if not place:
        return Hint("The side and zone are not known for this scan: it shows too little of the lungs.", 0.0)
    return Hint(f"Look {', '.join(place)}.", round(bits, 2))


def _slices(finding: Finding) -> Hint:
    """A range that holds every instance. Where the finding lies in it is shuffled, so that its middle says nothing."""
    volume = finding.volume
    (k0, k1), _, _ = finding.box
    total = volume.size_k
    shortest = math.ceil(RANGE_SLICES_MM / volume.spacing_k)
    length = min(total, max(shortest, math.ceil((k1 - k0) * 1.25)))
    slack = length - (k1 - k0)
    share = hashlib.sha256(f"range of finding {finding.pk}".encode()).digest()[0] / 255
    start = min(max(0, k0 - round(slack * share)), total - length)
    lungs = volume.lung_box[0][1] - volume.lung_box[0][0] if volume.lung_box else total
    zone = lungs / 3 if finding.zone in ("upper", "middle", "lower") else lungs
    bits = max(0.0, math.log2(zone / length))
    first, last = volume.grid.slice_number(start + length - 1), volume.grid.slice_number(start)
    return Hint(f"It lies between slices {first} and {last} (1 is the most superior).", round(bits, 2))
