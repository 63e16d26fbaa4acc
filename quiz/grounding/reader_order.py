"""The order in which VoxTell's reader holds a CT, and ours.

nnU-Net's reorienting reader gives [z, y, x] in RAS: z towards the head, y towards the front, x towards the patient's
right. House order is [k, j, i] in LPS: j towards the back, i towards the patient's left. Both are the scan's own grid, so
one becomes the other by turning the last two axes round.
"""

import gzip
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid


def to_reader(house: NDArray[Any]) -> NDArray[Any]:
    """A view of [..., k, j, i] as [..., z, y, x]."""
    return house[..., ::-1, ::-1]


def from_reader(array: NDArray[Any]) -> NDArray[Any]:
    """A view of [..., z, y, x] as [..., k, j, i]."""
    return array[..., ::-1, ::-1]


def nifti_bytes(voxels: NDArray[np.int16], grid: Grid) -> bytes:
    """A CT [k, j, i] as a .nii.gz file that the reader turns into ``to_reader(voxels)``.

    A tilt is left out of the affine: it is no matter to the model, and could tip the reader into other axes.
    """
    dk, dj, di = grid.spacing_mm
    image = nib.Nifti1Image(voxels.transpose(2, 1, 0), np.diag([-di, -dj, dk, 1.0]))  # to RAS millimetres
    image.header.set_slope_inter(1, 0)
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)
