"""Where a sentence says to look: a map over the chest, 0 to 1, from the words for the place alone.

Lobes are told apart by planes for the fissures in the lungs' own coordinates, softened because real fissures vary.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from quiz.grounding.lungs import Lungs
from quiz.grounding.sentence import Parsed

Floats = NDArray[np.float32]

OBLIQUE_FRONT, OBLIQUE_BACK_UP = 0.25, 0.78
"""The oblique fissure meets the base a quarter behind the front, and the back at three quarters of the height. Source:
textbook surface anatomy (sixth costochondral junction; fourth to fifth thoracic vertebra)."""
MINOR_UP = 0.46
"""Height of the minor fissure, which the lingula's border is taken to share. Source: textbook surface anatomy (fourth
costal cartilage)."""
SOFT = 0.06
"""Half-width of the borders between places, in lung heights or depths."""
SIDE_MM = 6.0
PLEURAL = frozenset({"2e", "2g"})
PLEURA_MM = 20.0
"""How deep under the chest wall fluid or air in the pleural space is looked for before the weight has halved."""
BEYOND_MM = 12.0
"""How far outside the lungs' room something may still lie."""
FILLED, BEYOND = 0.8, 0.3
"""Weight of what should be lung but holds no air, and of what lies just outside."""


def prior(lungs: Lungs, parsed: Parsed) -> Floats:
    """The map [k, j, i] on the coarse grid of ``lungs``. Lobes and zones count only if the height can be told, and with
    softer borders if not all of the lungs is in the field."""
    field = _room(lungs, pleural=parsed.category in PLEURAL)
    if parsed.side in ("left", "right") and lungs.midline is not None:
        field *= _side(lungs, left=parsed.side == "left")
    if lungs.height.told:
        soft = SOFT + lungs.height.doubt(lungs.up)
        if parsed.lobes:
            field *= np.maximum.reduce([_lobe(lungs, lobe, soft) for lobe in parsed.lobes])
        if parsed.zones:
            field *= np.maximum.reduce([_zone(lungs.up, zone, soft) for zone in parsed.zones])
    if parsed.front:
        field *= _above(lungs.back, 0.5, 0.15) if parsed.front == "posterior" else 1 - _above(lungs.back, 0.5, 0.15)
    if parsed.depth:
        rim = _above(lungs.out, 0.55, 0.15)
        field *= rim if parsed.depth == "rim" else 1 - rim
    return field


def words_used(lungs: Lungs | None, parsed: Parsed) -> str:
    """Which words for the place were not used, or only roughly, and why; for people, or ""."""
    if lungs is None:
        return "The lungs could not be made out in this scan, so the words for the place could not be used."
    left_out = []
    if (parsed.lobes or parsed.zones) and not lungs.height.told:
        left_out.append("lobe and zone (apex and base lie outside the scan)")
    if parsed.side in ("left", "right") and lungs.midline is None:
        left_out.append("side (the middle of the chest cannot be told)")
    notes = [f"Not used: {' and '.join(left_out)}."] if left_out else []
    if (parsed.lobes or parsed.zones) and lungs.height.told and not lungs.whole:
        notes.append("Lobe and zone were estimated: apex or base lies outside the scan.")
    return " ".join(notes)


def _room(lungs: Lungs, *, pleural: bool) -> Floats:
    away = ndimage.distance_transform_edt(~lungs.room, sampling=lungs.cell_mm).astype(np.float32)
    beyond = BEYOND * np.clip(1 - away / BEYOND_MM, 0, 1)
    if pleural:
        deep = ndimage.distance_transform_edt(lungs.room, sampling=lungs.cell_mm).astype(np.float32)
        inner: Floats = np.exp2(-deep / PLEURA_MM)
        return np.where(lungs.room, inner, np.clip(1 - away / BEYOND_MM, 0, 1)).astype(np.float32)
    return np.where(lungs.air, 1, np.where(lungs.room, FILLED, beyond)).astype(np.float32)


def _side(lungs: Lungs, *, left: bool) -> Floats:
    assert lungs.midline is not None
    mm = (np.arange(lungs.hu.shape[2], dtype=np.float32) - lungs.midline) * lungs.cell_mm[2]
    weight: Floats = np.clip(0.5 + (mm if left else -mm) / (2 * SIDE_MM), 0, 1).astype(np.float32)
    return weight[None, None, :]


def _above(values: Floats, border: Floats | float, soft: Floats | float) -> Floats:
    """1 well above a border, 0 well below, straight in between."""
    return np.asarray(np.clip(0.5 + (values - border) / (2 * soft), 0, 1), dtype=np.float32)


def _zone(up: Floats, zone: str, soft: Floats) -> Floats:
    """Thirds of the height of the lungs."""
    upper, lower = _above(up, 2 / 3, soft), 1 - _above(up, 1 / 3, soft)
    return {"upper": upper, "lower": lower, "middle": np.minimum(1 - upper, 1 - lower)}[zone]


def _lobe(lungs: Lungs, lobe: str, soft: Floats) -> Floats:
    oblique = (lungs.back - OBLIQUE_FRONT) * (OBLIQUE_BACK_UP / (1 - OBLIQUE_FRONT))
    before = _above(lungs.up, oblique, soft)
    if lobe == "lower":
        return 1 - before
    above_minor = _above(lungs.up, MINOR_UP, soft)
    if lungs.midline is None:
        return before * above_minor if lobe == "upper" else before * (1 - above_minor)
    left = _side(lungs, left=True)
    if lobe == "upper":  # on the left it has the lingula in it
        return before * np.maximum(above_minor, left)
    return before * (1 - above_minor) * (left if lobe == "lingula" else 1 - left)
