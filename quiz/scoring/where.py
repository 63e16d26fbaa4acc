"""Words for places: sides, and directions in millimetres."""

import re
from dataclasses import dataclass

from cases.imaging.geometry import Grid


@dataclass(frozen=True)
class Landmarks:
    """midline_i: column between the lungs. lung_k: first slice of the lungs and the one after their last.

    lung_ji: the same for rows and columns, None if it is not known.
    """

    midline_i: float
    lung_k: tuple[int, int]
    lung_ji: tuple[tuple[int, int], tuple[int, int]] | None = None


def side_of_sentence(sentence: str) -> str:
    """ "right" or "left" if the sentence names exactly one side, else empty."""
    named = set(re.findall(r"\b(right|left)\b", sentence.lower()))
    if re.search(r"\b(both|bilateral(ly)?)\b", sentence.lower()) or len(named) != 1:
        return ""
    return str(named.pop())


def side_of_point(i: float, landmarks: Landmarks | None) -> str:
    """Side of a column; empty without landmarks."""
    if landmarks is None:
        return ""
    return "left" if i > landmarks.midline_i else "right"


def outside_mm(place: tuple[float, float, float], landmarks: Landmarks | None, grid: Grid) -> float:
    """How far a voxel (k, j, i) lies in front of, behind or beside both lungs; 0 within their box, or if it is not known."""
    if landmarks is None or landmarks.lung_ji is None:
        return 0.0
    ways = zip(place[1:], landmarks.lung_ji, grid.spacing_mm[1:], strict=True)
    return max(max(low - at, at - (stop - 1), 0.0) * mm for at, (low, stop), mm in ways)


def place_words(centroid: tuple[float, float, float], landmarks: Landmarks | None) -> str:
    """Where in the lungs a place lies, as words before "at slice 7": "on the left, in the lower zone, "."""
    if landmarks is None:
        return ""
    k0, k1 = landmarks.lung_k
    third = int(min(2, max(0, (centroid[0] - k0) * 3 // max(1, k1 - k0))))
    return f"on the {side_of_point(centroid[2], landmarks)}, in the {('lower', 'middle', 'upper')[third]} zone, "


def direction_words(offset_mm: tuple[float, float, float]) -> str:
    """The one direction in which an offset (k, j, i) is largest: "at the back"."""
    axis = max(range(3), key=lambda n: abs(offset_mm[n]))
    words = (
        ("at the lower end", "at the top"),
        ("at the front", "at the back"),
        ("towards the patient's right", "towards the patient's left"),
    )
    return words[axis][offset_mm[axis] > 0]


def offset_words(start: tuple[float, ...], end: tuple[float, ...], grid: Grid) -> str:
    """The way from one voxel (k, j, i) to another in words: "18 mm higher and 6 mm further to the patient's left"."""
    dk, dj, di = ((e - s) * mm for s, e, mm in zip(start, end, grid.spacing_mm, strict=True))
    steps = [
        (abs(dk), "higher" if dk > 0 else "lower"),
        (abs(dj), "further back" if dj > 0 else "further forward"),
        (abs(di), "further to the patient's left" if di > 0 else "further to the patient's right"),
    ]
    steps.sort(key=lambda step: -step[0])
    said = [f"{mm:.0f} mm {word}" for mm, word in steps if mm >= 3.0 and mm >= 0.25 * steps[0][0]]
    return " and ".join(said[:2]) or "a few millimetres away"
