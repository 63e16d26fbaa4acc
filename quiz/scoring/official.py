"""The benchmark's own numbers for one finding: global Dice, hit, and instances matched by Dice.

Rules (the benchmark's evaluator, rexrank_eval.py): truth instances are its distinct values; painted instances are
components by 18-connectivity, those under 10 voxels dropped, the 50 largest kept; greedy one-to-one matching by Dice,
best first, down to 0.2. The evaluator has two modes for the global Dice: against all paint (``--global_only``), or
against what is left after small components were dropped (its full mode).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.masks import SparseMask, overlaps
from quiz.scoring.components import Connectivity, label
from quiz.scoring.overlap import HIT_DICE, dice

CONNECTIVITY: Connectivity = 18
"""Painted voxels that share a face or an edge are one instance. Source: the evaluator's default (2, in its terms)."""
MIN_COMPONENT_VOXELS = 10
"""Smaller painted components are dropped. Source: the evaluator."""
MAX_COMPONENTS = 50
"""Only so many painted components are kept, the largest. Source: the evaluator."""
MATCH_DICE = 0.2
"""A truth instance and a painted one match at this Dice or more. Source: the evaluator."""


@dataclass(frozen=True)
class InstanceCounts:
    """Matched, painted only, truth only."""

    tp: int
    fp: int
    fn: int

    @property
    def precision(self) -> float:
        return _share(self.tp, self.fp, nothing=self.fn == 0)

    @property
    def recall(self) -> float:
        return _share(self.tp, self.fn, nothing=self.fp == 0)

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def __add__(self, other: "InstanceCounts") -> "InstanceCounts":
        return InstanceCounts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)


def _share(hits: int, misses: int, *, nothing: bool) -> float:
    """Share of hits; with no denominator 1.0 if there was nothing to find and nothing painted, else 0.0."""
    return hits / (hits + misses) if hits + misses else float(nothing)


@dataclass(frozen=True)
class Official:
    """dice, hit: of the union of all instances against all paint. kept_dice, kept_hit: against the paint that is left
    after small components were dropped. A hit is a Dice of 0.1 or more. shared: voxels of all paint that lie in the truth;
    the benchmark's formula keeps the Dice above 0 without any."""

    dice: float
    kept_dice: float
    instances: InstanceCounts
    shared: int

    @property
    def hit(self) -> bool:
        return self.dice >= HIT_DICE

    @property
    def kept_hit(self) -> bool:
        return self.kept_dice >= HIT_DICE


def official(truth: SparseMask, painted: SparseMask) -> Official:
    """The benchmark's numbers for paint (any value but 0) against truth, both of one volume."""
    paint = painted.union()
    instance = instance_numbers(paint)
    kept = SparseMask(paint.size, paint.starts, paint.lengths, instance).pick(instance > 0)
    in_truth, in_paint, voxels = overlaps(truth, paint)
    table = np.zeros((256, 256), dtype=np.int64)  # voxels by truth's value and painted instance, 0 for dropped paint
    np.add.at(table, (truth.values[in_truth], instance[in_paint]), voxels)
    of_pairs = {(int(t), int(p) + 1): int(table[t, p + 1]) for t, p in np.argwhere(table[:, 1:])}
    everything, shared = truth.voxels(), int(voxels.sum())
    return Official(
        dice(shared, everything, paint.voxels()),
        dice(sum(of_pairs.values()), everything, kept.voxels()),
        match(truth.sizes(), kept.sizes(), of_pairs),
        shared,
    )


def instance_numbers(paint: SparseMask) -> NDArray[np.uint8]:
    """Of each run of joined paint: its component, 1 the largest, or 0 where that is too small or beyond the most kept."""
    numbers, count = label(paint, connectivity=CONNECTIVITY)
    sizes = np.bincount(numbers, weights=paint.lengths, minlength=count)
    order = np.argsort(-sizes, kind="stable")
    kept = [n for n in order[:MAX_COMPONENTS] if sizes[n] >= MIN_COMPONENT_VOXELS]
    renumbered = np.zeros(count, dtype=np.uint8)
    renumbered[kept] = np.arange(1, len(kept) + 1)
    return renumbered[numbers]


def match(truth: dict[int, int], painted: dict[int, int], shared: dict[tuple[int, int], int]) -> InstanceCounts:
    """Greedy one-to-one matching by Dice of truth and painted instances (voxels by number), given voxels shared.

    Equal Dice are taken in order of truth value, then of painted number, as the evaluator's loops do.
    """
    scored = [(dice(count, truth[t], painted[p]), t, p) for (t, p), count in shared.items()]
    used_truth: set[int] = set()
    used_painted: set[int] = set()
    for value, t, p in sorted(scored, key=lambda row: (-row[0], row[1], row[2])):
        if value < MATCH_DICE:
            break
        if t not in used_truth and p not in used_painted:
            used_truth.add(t)
            used_painted.add(p)
    hits = len(used_truth)
    return InstanceCounts(hits, len(painted) - hits, len(truth) - hits)
