"""What a finding sentence says: category, side, place, size. Regular expressions over a lexicon, no weights.

The words are those of chest CT reports in English. A word that the lexicon lacks leaves its field empty, and nothing is
guessed: "" and an empty set mean "not said".
"""

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quiz.grounding.lexicon import KINDS, LOBES, WORDS, ZONES, compiled

Side = Literal["right", "left", "both", ""]

MAX_CHARACTERS = 1000
"""Longer than this is not one finding. Source: our choice."""

CATEGORIES = ("1a", "1b", "1c", "1d", "1e", "1f", "2a", "2b", "2c", "2d", "2e", "2f", "2g", "2h")

_KINDS, _LOBES, _ZONES = compiled(KINDS), compiled(LOBES), compiled(ZONES)
_WORDS = compiled(WORDS)
_LOBE = r"(?:upper|middle|lower)(?: lobes?)?"
_SEVERAL_LOBES = re.compile(rf"\b{_LOBE}(?:(?: ?,| and| or|, and)(?: the)?(?: right| left)? {_LOBE})+(?<=lobe|obes)")
_SIZE = re.compile(
    r"(\d{1,3}(?:[.,]\d{1,2})?)(?:\s?(?:mm|cm)?\s?[x×*]\s?(\d{1,3}(?:[.,]\d{1,2})?))*\s?-?(mm|cm|millimet\w*|centimet\w*)"
    r"(?! (?:from|away|apart|above|below|slice))",
    re.ASCII,
)


@dataclass(frozen=True)
class Parsed:
    """One sentence, read.

    lobes: of upper, middle, lower, lingula; zones: of upper, middle, lower; empty if none is named. depth: "rim" for
    peripheral and lateral, "core" for central and medial. size_mm: the largest size named, 0 if none.
    note: why nothing, or little, could be read; a sentence for people, "" if all is well.
    """

    text: str
    category: str = ""
    side: Side = ""
    lobes: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    front: Literal["anterior", "posterior", ""] = ""
    depth: Literal["rim", "core", ""] = ""
    size_mm: float = 0.0
    plural: bool = False
    negated: bool = False
    note: str = field(default="", compare=False)

    def as_attributes(self) -> dict[str, str]:
        """What was read, for people and for the stored hint; what was not said is left out."""
        named = {
            "category": self.category,
            "side": self.side,
            "lobe": ", ".join(sorted(self.lobes)),
            "zone": ", ".join(sorted(self.zones)),
            "front": self.front,
            "depth": {"rim": "peripheral", "core": "central", "": ""}[self.depth],
            "size_mm": f"{self.size_mm:g}" if self.size_mm else "",
            "number": "several" if self.plural else "",
        }
        return {name: value for name, value in named.items() if value}


def parse(sentence: str) -> Parsed:
    """Read one finding sentence. Never raises: what cannot be read gets a note."""
    if len(sentence) > MAX_CHARACTERS:
        note = f"The sentence has {len(sentence):,} characters; one finding has {MAX_CHARACTERS:,} at most."
        return Parsed(sentence[:MAX_CHARACTERS], note=note)
    text = " ".join(sentence.lower().replace("‐", "-").replace("–", "-").split())
    if not text:
        return Parsed(text, note="The sentence is empty.")
    said = _asserted(text)
    found = _first_kind(said)
    negated = not found
    if negated:
        said, found = text, _first_kind(text)
    if not found or _is_foreign(text):
        foreign = _is_foreign(text) or not _WORDS["english"].search(text)
        note = (
            "The sentence is not understood: no English finding words in it."
            if foreign
            else "No finding of lung or pleura that is known here is named in the sentence."
        )
        return Parsed(text, note=note, side=_side(text), size_mm=_size(text))
    category = found if found != "2d" or not _is_glass(said) else "2c"
    where = _where(said)
    return Parsed(
        text=text,
        category=category,
        side=_side(where) or _side(said),
        lobes=_lobes(where),
        zones=_zones(where),
        front=_one_of(where, _WORDS["anterior"], _WORDS["posterior"], "anterior", "posterior"),  # type: ignore[arg-type]
        depth=_one_of(where, _WORDS["rim"], _WORDS["core"], "rim", "core"),  # type: ignore[arg-type]
        size_mm=_size(said),
        plural=bool(_WORDS["many"].search(said)),
        negated=negated,
        note="The sentence says that the finding is absent." if negated else "",
    )


def _first_kind(text: str) -> str:
    """The category whose words come first in the sentence; among those at one place, the more special."""
    hits = [(match.start(), order, code) for order, (code, p) in enumerate(_KINDS.items()) if (match := p.search(text))]
    if not hits:
        return ""
    special = {code for _, _, code in hits}
    first = min(hits)
    # "Nodular ground-glass opacity", "calcified nodule", "cystic bronchiectasis": the noun decides, not what describes it.
    if first[2] == "2h" and re.match(r"calcif|cyst", text[first[0] :]) and special & {"2d", "1b", "2e"}:
        return min(hit for hit in hits if hit[2] != "2h")[2]
    if first[2] == "2d" and text.startswith("nodular", first[0]) and special - {"2d", "2h"}:
        return min(hit for hit in hits if hit[2] not in ("2d", "2h"))[2]
    return first[2]


def _is_glass(text: str) -> bool:
    return bool(re.search(r"gr(ou|u)nd[- ]?glass|(sub|non|part)[- ]?solid", text))


def _asserted(text: str) -> str:
    """The sentence less what it says is not there: "nodule without calcification" keeps the nodule."""
    kept, start = [], 0
    for border in [*_WORDS["clause"].finditer(text), None]:
        clause = text[start : border.start() if border else len(text)]
        if not _WORDS["gone"].search(clause):
            denied = _WORDS["denied"].search(clause)
            kept.append(clause[: denied.start()] if denied else clause)
        start = border.end() if border else len(text)
    return " ; ".join(kept)


def _where(text: str) -> str:
    """The part that says where it is: what stands before "extending into", "more prominent in" and the like, if that
    names a place at all."""
    besides = _WORDS["besides"].search(text)
    before = text[: besides.start()] if besides else ""
    return before if _side(before) or _lobes(before) or _zones(before) else text


def _zones(text: str) -> frozenset[str]:
    return frozenset(name for name, pattern in _ZONES.items() if pattern.search(text))


def _is_foreign(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    if sum(not letter.isascii() for letter in letters) > 0.15 * len(letters):
        return True
    strange = len(_WORDS["foreign"].findall(text))
    return strange >= 2 and strange > len(_WORDS["english"].findall(text))


def _side(text: str) -> Side:
    right, left = bool(_WORDS["right"].search(text)), bool(_WORDS["left"].search(text))
    if _WORDS["both"].search(text) or (right and left):
        return "both"
    if _LOBES["middle"].search(text) and not left:
        return "right"  # only the right lung has one
    if right or left:
        return "right" if right else "left"
    return ""


def _lobes(text: str) -> frozenset[str]:
    named = {name for name, pattern in _LOBES.items() if pattern.search(text)}
    for several in _SEVERAL_LOBES.finditer(text):
        named |= set(re.findall("upper|middle|lower", several[0]))
    if "lingula" in named and "upper" in named and not re.search(r"upper lobes? and (the )?lingul|lingul\w* and", text):
        named.discard("upper")  # "lingular segment of the left upper lobe" is the lingula
    if re.search(r"(superior|apical|apex)( \w+){0,2} segment( \w+){0,3} (of|in) the (right|left)? ?lower", text):
        named.add("lower")
    return frozenset(named)


def _one_of(text: str, one: re.Pattern[str], other: re.Pattern[str], a: str, b: str) -> str:
    has_one, has_other = bool(one.search(text)), bool(other.search(text))
    return "" if has_one == has_other else a if has_one else b


def _size(text: str) -> float:
    largest = 0.0
    for match in _SIZE.finditer(text):
        scale = 10.0 if match[3].startswith("c") else 1.0
        numbers = re.findall(r"\d{1,3}(?:[.,]\d{1,2})?", match[0])
        largest = max([largest, *(float(number.replace(",", ".")) * scale for number in numbers)])
    return largest if largest <= 400 else 0.0  # more is no size of anything in a chest


# -- as numbers -------------------------------------------------------------------------------------------------------

ATTRIBUTES = (
    *CATEGORIES, "right", "left", "upper lobe", "middle lobe", "lower lobe", "lingula", "upper zone", "middle zone",
    "lower zone", "anterior", "posterior", "rim", "core", "plural", "has size", "log size",
)  # fmt: skip
"""What each of the numbers that describe a sentence to a network is; all 0 or 1 but the last, about 0 to 1.5."""


def attributes(parsed: Parsed) -> NDArray[np.float32]:
    """A sentence as ATTRIBUTES numbers."""
    said = {
        parsed.category,
        *(("right", "left") if parsed.side == "both" else (parsed.side,)),
        *("lingula" if lobe == "lingula" else f"{lobe} lobe" for lobe in parsed.lobes),
        *(f"{zone} zone" for zone in parsed.zones),
        parsed.front,
        parsed.depth,
        "plural" if parsed.plural else "",
        "has size" if parsed.size_mm else "",
    }
    numbers = np.array([name in said for name in ATTRIBUTES], dtype=np.float32)
    if parsed.size_mm:
        numbers[-1] = np.log10(1 + parsed.size_mm) / 1.5
    return numbers
