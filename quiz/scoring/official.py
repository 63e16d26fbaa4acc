"""The benchmark's own numbers for one finding: global Dice, hit, and instances matched by Dice.

Rules (rexrank_eval.py): truth instances are its distinct values; painted instances are components by 18-connectivity,
those under 10 voxels dropped, the 50 largest kept; greedy one-to-one matching by Dice, best first, down to 0.2.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cases.imaging.masks import SparseMask, union_box
from quiz.scoring.components import label
from quiz.scoring.overlap import HIT_DICE, dice

CONNECTIVITY: Literal[18] = 18
MIN_COMPONENT_VOXELS = 10
MAX_COMPONENTS = 50
MATCH_DICE = 0.2


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


def _share(hits: int, misses: int, *, nothing: bool) -> float:
    """Share of hits; with no denominator 1.0 if there was nothing to find and nothing painted, else 0.0."""
    return hits / (hits + misses) if hits + misses else float(nothing)


@dataclass(frozen=True)
class Official:
    """dice: of the union of all instances against all paint. hit: dice >= 0.1."""

    dice: float
    hit: bool
    instances: InstanceCounts


def official(truth: SparseMask, painted: SparseMask) -> Official:
    """The benchmark's numbers for paint against truth, both of one volume."""
    box = union_box(truth, painted)
    if box is None:
        return Official(1.0, hit=True, instances=InstanceCounts(0, 0, 0))
    truth_values, paint = truth.window(box), painted.window(box) != 0
    overlap = int(np.count_nonzero(paint & (truth_values != 0)))
    whole = dice(overlap, truth.voxels(), painted.voxels())
    return Official(whole, hit=whole >= HIT_DICE, instances=match(truth_values, painted_instances(paint)))


def painted_instances(paint: NDArray[np.bool_]) -> NDArray[Any]:
    """Numbered components of paint, the small dropped and only the largest kept; 0 elsewhere."""
    labels, count = label(paint, connectivity=CONNECTIVITY)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    kept = [n for n in np.argsort(-sizes, kind="stable") if sizes[n] >= MIN_COMPONENT_VOXELS]
    numbers = np.zeros(count + 1, dtype=labels.dtype)
    for number, kept_label in enumerate(kept[:MAX_COMPONENTS], start=1):
        numbers[kept_label] = number
    renumbered: NDArray[Any] = numbers[labels]
    return renumbered


def match(truth: NDArray[np.uint8], painted: NDArray[Any]) -> InstanceCounts:
    """Greedy one-to-one matching of the distinct values of two arrays of one shape."""
    truth_sizes = np.bincount(truth.ravel(), minlength=256)
    painted_sizes = np.bincount(painted.ravel())
    truth_values = [int(v) for v in np.flatnonzero(truth_sizes) if v]
    painted_values = [int(v) for v in np.flatnonzero(painted_sizes) if v]
    both = (truth != 0) & (painted != 0)
    pairs, counts = np.unique(
        truth[both].astype(np.int64) * (len(painted_sizes) + 1) + painted[both].astype(np.int64), return_counts=True
    )
    scored = []
    for pair, count in zip(pairs, counts, strict=True):
        t, p = divmod(int(pair), len(painted_sizes) + 1)
        scored.append((dice(int(count), int(truth_sizes[t]), int(painted_sizes[p])), t, p))
    used_truth: set[int] = set()
    used_painted: set[int] = set()
    for value, t, p in sorted(scored, key=lambda row: (-row[0], row[1], row[2])):
        if value < MATCH_DICE:
            break
        if t not in used_truth and p not in used_painted:
            used_truth.add(t)
            used_painted.add(p)
    hits = len(used_truth)
    return InstanceCounts(hits, len(painted_values) - hits, len(truth_values) - hits)
