"""How an attempt was scored, on demand: the parts in sentences, and pictures of what every voxel counted as."""

import base64
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cases import storage
from cases.imaging import masks, slices
from cases.imaging.picture import Colour, picture
from cases.imaging.window import LUNG, MEDIASTINUM
from quiz import grading
from quiz.models import Attempt
from quiz.scoring.described import sections
from quiz.scoring.explain import KINDS
from quiz.scoring.rules import SCORER_VERSION

logger = logging.getLogger(__name__)

COLOURS: dict[str, Colour] = {
    "hit": (56, 189, 248),
    "missed": (251, 146, 60),
    "too_wide": (244, 114, 182),
    "wrong": (239, 68, 68),
    "near": (250, 204, 21),
    "not_judged": (180, 160, 90),
    "slip": (120, 130, 145),
}
"""Of the pictures; the legend beside them names each in words, so that none is told by its colour alone."""

WORDS = {
    "hit": "on the finding",
    "missed": "finding, not painted",
    "too_wide": "beyond its border",
    "wrong": "known to be wrong",
    "near": "near miss",
    "not_judged": "not judged",
    "slip": "not counted",
}

MOST_PICTURES = 6
WIDTH_PIXELS = 300
MARGIN_MM = 15.0
LEAST_MM = 70.0
"""A picture shows at least so much of the scan, so that one sees where one is."""

FORMULA = "score = 100 * find * (1/2 + 1/2 * outline) * restraint"


@dataclass(frozen=True)
class Tile:
    """Part of one slice. k, j, i: its middle. number: as people read it. kinds: what is to be seen, most voxels first.

    source: data URI of a PNG.
    """

    k: int
    j: int
    i: int
    number: int
    kinds: tuple[str, ...]
    source: str

    @property
    def words(self) -> str:
        return ", ".join(WORDS[kind] for kind in self.kinds) or "nothing painted"


def explanation_of(attempt: Attempt) -> dict[str, Any]:
    """What the API says of how a submitted attempt was scored; ``areas`` are wire masks by kind."""
    areas = grading.areas_of(attempt)
    return {
        "formula": FORMULA,
        "parts": parts_of(attempt),
        "areas": {kind: masks.to_wire(areas.only(n)) for n, kind in enumerate(KINDS, start=1)},
        "graded_by": {"scorer_version": attempt.scorer_version, "truth_version": attempt.truth_version},
        "numbers": [
            {"section": title, "name": rule.name, "value": _plain(rule.value), "meaning": rule.meaning}
            for title, listed in sections()
            for rule in listed
        ],
    }


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) else str(value)


def parts_of(attempt: Attempt) -> list[dict[str, Any]]:
    """Find, outline, restraint and score, as they were worked out when the attempt was graded."""
    listed: list[dict[str, Any]] = (attempt.reveal or {}).get("parts", [])
    return listed


def is_current(attempt: Attempt) -> bool:
    """Whether pictures, which are made by the present rules and truth, show what the score was made of."""
    return attempt.scorer_version == SCORER_VERSION and attempt.truth_version == attempt.finding.truth_version


def pictures_of(attempt: Attempt) -> list[Tile]:
    """A few slices with what counted as what: those with mistakes first. Raises OSError or MaskError."""
    areas = grading.areas_of(attempt)
    return [_tile(attempt, areas.on_slices([k]), k) for k in _worth_seeing(attempt, areas)]


def page_of(attempt: Attempt) -> dict[str, Any]:
    """What a page shows of how a submitted attempt was scored: parts, and tiles with their legend or why there are none."""
    page: dict[str, Any] = {"parts": parts_of(attempt)}
    if not is_current(attempt):
        return page | {
            "problem": "The rules or the reference have changed since, so there are no pictures of this score."
        }
    try:
        tiles = pictures_of(attempt)
    except (OSError, masks.MaskError, slices.SliceError) as error:
        logger.error("no pictures of attempt %d: %s", attempt.pk, error)
        return page | {"problem": "The pictures cannot be made: part of this scan cannot be read."}
    return page | {"tiles": tiles, "legend": legend_of(tiles)}


def legend_of(tiles: Iterable[Tile]) -> list[tuple[str, str]]:
    """(kind, words) of everything that is to be seen on the pictures."""
    seen = {kind for tile in tiles for kind in tile.kinds}
    return [(kind, WORDS[kind]) for kind in KINDS if kind in seen]


def _worth_seeing(attempt: Attempt, areas: masks.SparseMask) -> list[int]:
    """Where most is painted, then the slice of each extra mark and each instance where it is largest, mistakes first;
    shown from the head down."""
    reveal = attempt.reveal or {}
    painted = areas.only(*(n for n, kind in enumerate(KINDS, start=1) if kind != "missed"))
    most_painted = [int(np.argmax(painted.areas()))] if not painted.is_empty else []
    extras = [one["largest_k"] for one in reveal.get("extras", [])]
    missed = [one["largest_k"] for one in reveal.get("instances", []) if one["outcome"] != "found"]
    found = [one["largest_k"] for one in reveal.get("instances", []) if one["outcome"] == "found"]
    filled = set(areas.slices().tolist())
    in_order = dict.fromkeys([*most_painted, *extras, *missed, *found])
    return sorted([k for k in in_order if k in filled][:MOST_PICTURES], reverse=True)


def _tile(attempt: Attempt, here: masks.SparseMask, k: int) -> Tile:
    volume = attempt.finding.volume
    stored = storage.read_slice(volume.slices_key, k)
    plane = slices.decode(stored, rows=volume.size_j, columns=volume.size_i)
    rows, columns = (_crop(here.box[axis], volume.size[axis], volume.spacing_mm[axis]) for axis in (1, 2))
    png = picture(
        plane[rows, columns],
        here.window((slice(k, k + 1), rows, columns))[0],
        {n: COLOURS[kind] for n, kind in enumerate(KINDS, start=1)},
        window=MEDIASTINUM if attempt.finding.category_id == "2e" else LUNG,
        spacing_mm=(volume.spacing_j, volume.spacing_i),
        width=WIDTH_PIXELS,
    )
    sizes = here.sizes()
    kinds = tuple(KINDS[value - 1] for value in sorted(sizes, key=lambda value: -sizes[value]))
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    j, i = ((part.start + part.stop) // 2 for part in (rows, columns))
    return Tile(k, j, i, volume.grid.slice_number(k), kinds, source)


def _crop(box: slice, size: int, spacing_mm: float) -> slice:
    """A stretch of an axis around a box, with a margin, moved inside the volume where it sticks out."""
    wanted = max(LEAST_MM, (box.stop - box.start) * spacing_mm + 2 * MARGIN_MM) / spacing_mm
    length = min(size, round(wanted))
    start = min(max(0, round((box.start + box.stop - length) / 2)), size - length)
    return slice(start, start + length)
