"""A sentence again, after the answer: its words that say where, and which of them an answer went against."""

from collections.abc import Set
from dataclasses import dataclass
from itertools import groupby

from quiz.grounding.lexicon import LOBES, WORDS, ZONES, compiled
from quiz.grounding.sentence import parse

_WORDS = compiled(WORDS)
_PATTERNS = {
    "side": [_WORDS[name] for name in ("right", "left", "both")],
    "height": [*compiled(LOBES).values(), *compiled(ZONES).values()],
    "depth": [_WORDS[name] for name in ("anterior", "posterior", "rim", "core")],
}
_FAR_APART = {("upper", "lower"), ("lower", "upper")}
"""Heights that cannot be taken for each other: a lower lobe reaches into the middle zone, and so does an upper one."""


@dataclass(frozen=True)
class Piece:
    """Some letters of a sentence. places: what they say of the place (side, height, depth), nothing if they do not."""

    text: str
    places: Set[str] = frozenset()


def pieces(sentence: str) -> list[Piece]:
    """The sentence cut where words that say where begin and end; joined they are the sentence."""
    text = sentence.lower()
    said: list[set[str]] = [set() for _ in sentence]
    if len(text) == len(sentence):  # a few letters of the world have a longer lower case
        for place, patterns in _PATTERNS.items():
            for pattern in patterns:
                for match in pattern.finditer(text):
                    for at in range(*match.span()):
                        said[at].add(place)
    runs = groupby(zip(sentence, said, strict=True), key=lambda pair: pair[1])
    return [Piece("".join(letter for letter, _ in letters), frozenset(places)) for places, letters in runs]


def gone_against(sentence: str, side: str, zone: str) -> frozenset[str]:
    """Which places a sentence says that paint on this side and in this zone ("" or several: not told) is not in."""
    said = parse(sentence)
    against = set()
    if {said.side, side} == {"right", "left"}:
        against.add("side")
    heights = (said.lobes | said.zones) & {"upper", "middle", "lower"}
    if len(heights) == 1 and (*heights, zone) in _FAR_APART:
        against.add("height")
    return frozenset(against)
