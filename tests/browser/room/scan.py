"""A scan made for exact answers: 12 x 30 x 20 voxels of 4 x 1 x 2 mm, no two axes alike, HU that are known everywhere."""

from pathlib import Path

import numpy as np

from cases.imaging import rexlike
from cases.imaging.geometry import Grid
from cases.imaging.phantom.cases import PhantomCase, PhantomFinding

K, J, I = SIZE = (12, 30, 20)
SPACING = (4.0, 1.0, 2.0)
AIR, SOLID, BRIGHT, ROD = -800, 50, 1000, 120

NODULE = (slice(4, 8), slice(10, 16), slice(6, 10))  # 4 x 6 x 4 voxels, in the patient's right half
SECOND = (slice(8, 10), slice(20, 24), slice(14, 17))  # 2 x 4 x 3 voxels, left and further back
CORNER = (8, 16, 10)  # touches the nodule by a corner only
POINT = (2, 20, 3)  # one bright voxel
ROD_AT = (slice(None), 3, 16)  # through every slice: whatever grows there leaks


def voxels() -> np.ndarray:
    """HU [k, j, i]."""
    hu = np.full(SIZE, AIR, dtype=np.int16)
    hu[NODULE] = hu[SECOND] = hu[CORNER] = SOLID
    hu[POINT] = BRIGHT
    hu[ROD_AT] = ROD
    return hu


def write(root: Path) -> Path:
    """Two cases of the same voxels: one in which everything is annotated, one in which it is not."""
    nodule, second = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    nodule[NODULE] = 1
    second[NODULE], second[SECOND] = 1, 2
    affine = ((2.0, 0.0, 0.0, -19.0), (0.0, 1.0, 0.0, -15.0), (0.0, 0.0, 4.0, -24.0), (0.0, 0.0, 0.0, 1.0))
    findings = (
        PhantomFinding("Solid nodule in the right lung", "2d", nodule),
        PhantomFinding("Two solid nodules", "2d", second),
    )
    entries = []
    for name, split in (("valid_9301_a_1", "val"), ("train_9302_a_1", "train")):
        case = PhantomCase(name, split, voxels(), Grid(SIZE, SPACING, affine), findings)
        entries.append(rexlike.write_case(root, case))
    rexlike.write_index(root, entries)
    return root
