"""What was on screen while an answer was painted: which slices, for how long, in which window, how large.

Version 1, as the reading room sends it with an answer (times in ms, slices counted as in house order):

    {"version": 1, "covers": true, "duration_ms": 84000, "first_mark_ms": 21000,
     "looks": [{"view": "axial", "level": -600, "width": 1500, "scale": 1.5, "field": 65535,
                "slices": [first, count, ms, first, count, ms, ...]}, ...]}

covers: the log goes back to the moment the attempt was opened; without it, what is missing proves nothing.
looks: one per view, window, magnification and part of the picture on screen; of several panes beside each other each
has its own, with their number as "panes" (1 where it is not said). slices: ``count`` slices from ``first`` on
were on screen for ``ms`` each. scale: screen pixels per voxel along i (axial, coronal) or j (sagittal). field: 16 bits,
which of 4 x 4 equal parts of the picture were on screen, bit 4 * a + b, where a counts along j (axial) or k, and b along
i (axial, coronal) or j (sagittal).

It is sent by a browser and so never trusted: what does not fit is no log, and what fits is rebuilt from its numbers.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

VERSION = 1
MAX_LOOKS = 64
MAX_NUMBERS = 30_000
"""Numbers in all slice lists together. A thousand slices seen in ten windows, each for another time, are 30,000."""

MAX_MS = 24 * 3600 * 1000

VIEWS = {"axial": 0, "coronal": 1, "sagittal": 2}
"""Views, and the axis of (k, j, i) that their slices count along."""

FIELD_PARTS = 4
FULL_FIELD = 2 ** (FIELD_PARTS * FIELD_PARTS) - 1


@dataclass(frozen=True)
class Look:
    """One way of looking. slices: (first, count, ms) triples, flat. panes: shown beside each other; see the module."""

    view: str
    level: int
    width: int
    scale: float
    field: int
    slices: tuple[int, ...]
    panes: int = 1

    def ms_between(self, first: int, stop: int) -> int:
        """Time during which slices from ``first`` up to but not including ``stop`` were on screen."""
        triples = zip(self.slices[0::3], self.slices[1::3], self.slices[2::3], strict=True)
        return sum(ms * max(0, min(stop, start + count) - max(first, start)) for start, count, ms in triples)


@dataclass(frozen=True)
class Log:
    """The whole log of one attempt; see the module."""

    covers: bool
    duration_ms: int
    first_mark_ms: int | None
    looks: tuple[Look, ...]

    def as_json(self) -> dict[str, Any]:
        """The version 1 form, of nothing but checked values."""
        looks = [{**asdict(look), "slices": list(look.slices)} for look in self.looks]
        first = self.first_mark_ms
        return {
            "version": VERSION, "covers": self.covers, "duration_ms": self.duration_ms, "first_mark_ms": first,
            "looks": looks,
        }  # fmt: skip

    def window_ms(self) -> dict[tuple[int, int], int]:
        """Time per window (level, width), longest first."""
        windows: dict[tuple[int, int], list[tuple[Look, int]]] = {}
        for look in self.looks:
            windows.setdefault((look.level, look.width), []).append((look, look.ms_between(0, 2**31)))
        spent = {window: spent_ms(shown) for window, shown in windows.items()}
        return dict(sorted(spent.items(), key=lambda item: -item[1]))


def spent_ms(shown: Iterable[tuple[Look, int]]) -> int:
    """Time in all, where each look took so long. Panes beside each other are looked at in the same time: of them it is
    the time of the view that was shown longest."""
    alone, beside = 0, Counter[str]()
    for look, ms in shown:
        if look.panes == 1:
            alone += ms
        else:
            beside[look.view] += ms
    return alone + max(beside.values(), default=0)


def read(payload: object, size: tuple[int, int, int]) -> Log | None:
    """The log in what was sent for a volume of ``size`` (K, J, I), or None if it is none."""
    try:
        return _log(payload, size)
    except (TypeError, ValueError, KeyError, OverflowError, RecursionError):
        return None


def _log(payload: object, size: tuple[int, int, int]) -> Log:
    if not isinstance(payload, Mapping) or payload.get("version") != VERSION:
        raise ValueError
    sent = payload["looks"]
    if not isinstance(sent, list) or len(sent) > MAX_LOOKS:
        raise ValueError
    if sum(len(look["slices"]) for look in sent) > MAX_NUMBERS:
        raise ValueError
    first = payload.get("first_mark_ms")
    return Log(
        covers=payload.get("covers") is True,
        duration_ms=_whole(payload["duration_ms"], 0, MAX_MS),
        first_mark_ms=None if first is None else _whole(first, 0, MAX_MS),
        looks=tuple(_look(look, size) for look in sent),
    )


def _look(look: Mapping[str, Any], size: tuple[int, int, int]) -> Look:
    view, depth = look["view"], size[VIEWS[look["view"]]]
    slices = look["slices"]
    if not isinstance(slices, list) or len(slices) % 3:
        raise ValueError
    for first, count, ms in zip(slices[0::3], slices[1::3], slices[2::3], strict=True):
        start = _whole(first, 0, depth - 1)
        _whole(count, 1, depth - start)
        _whole(ms, 0, MAX_MS)
    scale = look["scale"]
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not math.isfinite(scale):
        raise ValueError
    return Look(
        view=str(view),
        level=_whole(look["level"], -5000, 5000),
        width=_whole(look["width"], 1, 10000),
        scale=round(min(1000.0, max(0.0, float(scale))), 2),
        field=_whole(look["field"], 0, FULL_FIELD),
        slices=tuple(slices),
        panes=_whole(look.get("panes", 1), 1, len(VIEWS)),
    )


def _whole(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError
    return value
