"""Overlap of two masks, exactly as the benchmark counts it."""

EPSILON = 1e-6
"""Added above and below, so that two empty masks give exactly 1. Source: the benchmark's evaluator (rexrank_eval.py)."""

HIT_DICE = 0.1
"""A finding is hit at this global Dice or more. Source: the benchmark's evaluator."""


def dice(intersection: int, truth: int, painted: int) -> float:
    """Dice from voxel counts. Both empty: 1.0. One empty: about 0."""
    return (2.0 * intersection + EPSILON) / (truth + painted + EPSILON)
