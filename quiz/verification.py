"""A model's answer held against the reference: its official numbers, and which rungs of the ladder agree with it."""

import math

import numpy as np

from cases import storage
from cases.imaging.anatomy import LungField
from cases.imaging.masks import SparseMask
from cases.models import Finding, Volume
from quiz.grounding.base import Heat
from quiz.grounding.gates import placed
from quiz.grounding.shown import peak
from quiz.scoring.nearness import within
from quiz.scoring.official import official

OUTLINE_DICE = 0.3
"""An outline is shown as checked at this Dice or more."""
PEAK_MM = 10.0
"""Heat is shown as checked if its peak lies in the reference or so near to it."""


def against_reference(finding: Finding, volume: Volume, mask: SparseMask, shown: Heat | None) -> dict:
    """Columns of a grounding. shown: the heat as people see it (``shown_heat``), not the engine's own."""
    truth = storage.load_truth(finding.truth_key)
    numbers = official(truth, mask)
    counts = numbers.instances
    return {
        "dice": numbers.dice,
        "hit": numbers.hit,
        "official": {
            "dice": numbers.dice,
            "hit": numbers.hit,
            "instances": {
                "tp": counts.tp, "fp": counts.fp, "fn": counts.fn,
                "precision": counts.precision, "recall": counts.recall, "f1": counts.f1,
            },
        },
        "checks": rungs_right(truth, mask, shown, volume, dice=numbers.dice),
    }  # fmt: skip


def rungs_right(
    truth: SparseMask, mask: SparseMask, shown: Heat | None, volume: Volume, *, dice: float
) -> dict[str, bool]:
    """Which rungs read off an answer would be right; those that cannot be told are left out.

    The heat is judged as it is shown: blurred, a broad region can outshine the engine's strongest cell, and the picture
    then points elsewhere.
    """
    lungs = lungs_of(volume)
    return placed(truth, mask, lungs) | {"heat": points_at(truth, shown, volume), "outline": dice >= OUTLINE_DICE}


def points_at(truth: SparseMask, heat: Heat | None, volume: Volume) -> bool:
    """Whether the strongest cell touches the reference, give or take PEAK_MM."""
    if heat is None or not heat.values.any():
        return False
    k, j, i = peak(heat)
    half_cell = math.hypot(*(s * mm / 2 for s, mm in zip(heat.step, volume.spacing_mm, strict=True)))
    size = volume.size
    at = np.array([(min(k, size[0] - 1) * size[1] + min(j, size[1] - 1)) * size[2] + min(i, size[2] - 1)])
    return bool(within(truth, at, PEAK_MM + half_cell, volume.spacing_mm, flat=False)[0])


def lungs_of(volume: Volume) -> LungField | None:
    """Where the lungs lie, as the import wrote it down."""
    if volume.lung_box is None or volume.midline_i is None:
        return None
    (k0, k1), (j0, j1), (i0, i1) = volume.lung_box
    whole = k0 > 0 and k1 < volume.size_k
    return LungField(((k0, k1), (j0, j1), (i0, i1)), volume.midline_i, whole)
