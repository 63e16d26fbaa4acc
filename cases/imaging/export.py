"""Masks as NIfTI files on the grid of the CT they belong to, so that they open aligned on it in any viewer.

The file has the CT's own axis order, shape and header fields of place: a viewer that believes the qform, the sform or
neither puts it where it puts the CT. Voxels are uint8, with the values of the mask.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import nibabel as nib
import numpy as np
from isal import isal_zlib

from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask
from cases.imaging.nifti import LPS_FROM_RAS

SLAB_BYTES = 16_000_000
"""Voxels are written in pieces of about this size: a volume may hold a thousand million, nearly all of them zero."""

_GZIP_LEVEL = 1
_AS_GZIP = 31  # the largest window, with gzip's header and trailer
_LPS_ORDER = [[0, 1], [1, 1], [2, 1]]


def nifti(mask: SparseMask, grid: Grid, frame: Mapping[str, Any] | None, *, what: str) -> Iterator[bytes]:
    """The .nii.gz file of a mask, piece by piece. what: a few words for the header's description.

    frame: ``Frame.as_json`` of the CT's file. Without it the file is written in house order with the volume's affine:
    at the same place in the world, but in an axis order of its own.
    """
    shape, axes = (frame["shape"], frame["axes"]) if frame else (list(grid.size[::-1]), _LPS_ORDER)
    header = _header(shape, grid, frame, what)
    press = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _AS_GZIP)
    yield press.compress(header)
    step = max(1, SLAB_BYTES // (shape[0] * shape[1]))
    for first in range(0, shape[2], step):
        stop = min(shape[2], first + step)
        yield press.compress(_slab(mask, axes, shape, first, stop))
    yield press.flush()


def _slab(mask: SparseMask, axes: list[list[int]], shape: list[int], first: int, stop: int) -> bytes:
    """The file's planes z = first to stop, x fastest."""
    box = [slice(0, size) for size in mask.size]
    target, flip = axes[2]
    box[2 - target] = slice(first, stop) if flip > 0 else slice(shape[2] - stop, shape[2] - first)
    lps = mask.window((box[0], box[1], box[2])).transpose(2, 1, 0)
    turned = lps.transpose([target for target, _ in axes])[tuple(slice(None, None, flip) for _, flip in axes)]
    data: bytes = turned.tobytes(order="F")
    return data


def _header(shape: list[int], grid: Grid, frame: Mapping[str, Any] | None, what: str) -> bytes:
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    header.set_data_offset(352)
    header["descrip"] = what.encode("ascii", "replace")[:79]
    if frame:
        for name, value in frame["place"].items():
            header[name] = value if len(value) > 1 else value[0]
    else:
        affine = LPS_FROM_RAS @ np.array(grid.affine)
        header.set_xyzt_units("mm")
        header.set_sform(affine, code=1)
        header.set_qform(affine, code=1)
    block: bytes = header.binaryblock
    return block + bytes(4)
