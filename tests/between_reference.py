"""Filling between painted slices, written a second time: plain numpy and scipy, to hold static/viewer/between.js against.

The rule. On every slice the painted cells that touch, corners included, are an outline. An outline is joined with those it
overlaps on the first slice above it where it overlaps any; outlines that share one are joined together. What is joined is
filled if the slices lie at most 12 mm, or 0.6 of the larger one's diameter, apart: a cell belongs to the slice at a
fraction t of the way if (1 - t) * below + t * above > 0, with the signed distances in mm to the nearest cell on the
other side. What is painted already is not filled again.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bools = NDArray[np.bool_]
TOUCHING = np.ones((3, 3))


def between(painted: dict[int, Bools], row_mm: float, col_mm: float, depth_mm: float) -> dict[int, Bools]:
    """New cells per slice, in plain arrays [row, col]."""
    order = sorted(painted)
    outlines = {n: [label == m for label, count in [ndimage.label(painted[n], TOUCHING)] for m in range(1, count + 1)]
                for n in order}  # fmt: skip
    added: dict[int, Bools] = {}
    for lower in order:
        for upper, below, above in _joined(lower, order, outlines):
            area = row_mm * col_mm
            diameter = max(2 * np.sqrt(shape.sum() * area / np.pi) for shape in (below, above))
            if (upper - lower) * depth_mm > max(12, 0.6 * diameter):
                continue
            phi = [_signed(shape, row_mm, col_mm) for shape in (below, above)]
            for n in range(lower + 1, upper):
                t = (n - lower) / (upper - lower)
                new = (1 - t) * phi[0] + t * phi[1] > 1e-6
                new &= ~painted.get(n, np.zeros_like(new))
                if new.any():
                    added[n] = added.get(n, np.zeros_like(new)) | new
    return added


def _joined(lower: int, order: list[int], outlines: dict[int, list[Bools]]) -> list[tuple[int, Bools, Bools]]:
    """(upper slice, all that is joined on the lower one, all that is joined on the upper one)."""
    meets: dict[int, list[tuple[Bools, set[int]]]] = {}
    for outline in outlines[lower]:
        for upper in (n for n in order if n > lower):
            met = {m for m, other in enumerate(outlines[upper]) if (outline & other).any()}
            if met:
                if upper > lower + 1:
                    meets.setdefault(upper, []).append((outline, met))
                break
    groups = []
    for upper, pairs in meets.items():
        while pairs:
            below, met = pairs.pop(0)
            grew = True
            while grew:
                shared = [pair for pair in pairs if pair[1] & met]
                grew = bool(shared)
                for outline, others in shared:
                    below, met = below | outline, met | others
                pairs = [pair for pair in pairs if not pair[1] <= met]
            groups.append((upper, below, np.any([outlines[upper][m] for m in sorted(met)], axis=0)))
    return groups


def _signed(shape: Bools, row_mm: float, col_mm: float) -> NDArray[np.float64]:
    # One cell more on each side, so that every border has an outside.
    padded = np.pad(shape, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=(row_mm, col_mm))
    outside = ndimage.distance_transform_edt(~padded, sampling=(row_mm, col_mm))
    signed: NDArray[np.float64] = np.where(padded, inside, -outside)[1:-1, 1:-1]
    return signed
