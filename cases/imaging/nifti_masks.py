"""Reading a data set's mask file: one mask per finding, aligned with its CT by index.

The file's own affine is an identity that means nothing and is ignored (data set note, section 3). A mask file may
unpack to gigabytes of zeros, so it is streamed and only voxels that are set are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases.imaging import masks
from cases.imaging.gzipped import FileRefused, GzipFile
from cases.imaging.nifti import Frame, by, read_header, slabs

MAX_FINDINGS = 64
"""Most findings of one scan that are taken; the data set has 13 at most."""

MAX_SET_VOXELS = 400_000_000
"""Most voxels set over all findings; the data set's largest finding has 13.6 million. Five bytes are held for each."""


@dataclass
class Found:
    """The voxels set for one finding: indices into the flat house array of the file's x, y, z (x fastest), values."""

    indices: list[NDArray[np.uint32]] = field(default_factory=list)
    values: list[NDArray[np.uint8]] = field(default_factory=list)


def read_masks(path: Path, frame: Frame, *, findings: int) -> Iterator[masks.SparseMask]:
    """One mask per finding, in order of channel and in house order. The file is read, and closed, at the first.

    Accepts (F, X, Y, Z), and (X, Y, Z) or (X, Y, Z, F) where only that fits the CT's shape. Raises FileRefused.
    """
    with GzipFile(path) as file:
        header = read_header(file)
        plan = _plan(path, header, frame, findings)
        found = _collect(file, header.get_data_dtype(), frame, findings, interleaved=plan == "first")
        file.expect_end()
    for n in range(findings):
        yield _to_house(found[n], frame)
        found[n] = Found()  # a finding's voxels are let go as soon as the next is asked for


def read_shape(path: Path) -> tuple[int, ...]:
    """The shape a mask file claims. Raises FileRefused if it has no header that makes sense."""
    with GzipFile(path) as file:
        return tuple(int(n) for n in read_header(file).get_data_shape())


def check_masks(path: Path, frame: Frame, *, findings: int) -> None:
    """Raise FileRefused if the header already says that the masks cannot be read."""
    with GzipFile(path) as file:
        _plan(path, read_header(file), frame, findings)


def _plan(path: Path, header: Any, frame: Frame, findings: int) -> str:
    """Where the findings' axis is, "first" or "last", by comparing shapes; never by guessing from their sizes."""
    shape = tuple(int(n) for n in header.get_data_shape())
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise FileRefused(f"{path.name} holds {dtype} values; a mask holds small whole numbers.")
    slope, intercept = header.get_slope_inter()
    if slope not in (None, 1.0) or intercept not in (None, 0.0):
        raise FileRefused(f"{path.name} has a slope or an intercept; a mask has neither.")
    if findings > MAX_FINDINGS:
        raise FileRefused(f"{path.name} would hold {findings} findings; at most {MAX_FINDINGS} are taken.")
    if shape == (findings, *frame.shape):
        return "first"
    if (findings == 1 and shape == frame.shape) or shape == (*frame.shape, findings):
        return "last"
    raise FileRefused(
        f"{path.name} has the shape {by(shape)}, which fits neither {findings} findings on this CT "
        f"({by((findings, *frame.shape))}) nor any other order of those axes."
    )


def _collect(file: GzipFile, dtype: np.dtype[Any], frame: Frame, findings: int, *, interleaved: bool) -> list[Found]:
    """Every voxel set, per finding. The first axis of a NIfTI is the fastest: with findings first, their values lie
    side by side; with findings last, one whole finding follows the other."""
    x, y, z = frame.shape
    found = [Found() for _ in range(findings)]
    budget = MAX_SET_VOXELS
    plane = (y, x, findings) if interleaved else (y, x)
    for first, planes in slabs(file, dtype, plane, z if interleaved else z * findings):
        where, values = _set_in(planes.reshape(-1), file.path)
        budget -= len(where)
        if budget < 0:
            raise FileRefused(f"{file.path.name} has more than {MAX_SET_VOXELS:,} voxels set; no scan has that many.")
        if not len(where):
            continue
        where += first * (y * x * (findings if interleaved else 1))
        channels, indices = (where % findings, where // findings) if interleaved else divmod(where, x * y * z)
        for channel in np.unique(channels):
            mine = channels == channel
            found[channel].indices.append(indices[mine].astype(np.uint32))
            found[channel].values.append(values[mine])
    return found


def _set_in(flat: NDArray[Any], path: Path) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Positions and values of what is not zero. Nearly all is zero: eight bytes are looked at together first."""
    data = flat.view(np.uint8)
    whole = len(data) // 8 * 8
    words = np.flatnonzero(data[:whole].view(np.uint64))
    per_word = 8 // flat.itemsize
    candidates = (words[:, None] * per_word + np.arange(per_word)).ravel()
    candidates = np.concatenate([candidates, np.arange(whole // flat.itemsize, len(flat))])
    values = flat[candidates]
    keep = values != 0
    where, values = candidates[keep], values[keep]
    if len(values) and (not (values > 0).all() or values.max() > 255 or (values != np.rint(values)).any()):
        strange = values[~((values > 0) & (values <= 255) & (values == np.rint(values)))][0]
        raise FileRefused(f"{path.name} holds the value {strange:g}; instance numbers are whole, from 1 to 255.")
    return where.astype(np.int64), values.astype(np.uint8)


def _to_house(found: Found, frame: Frame) -> masks.SparseMask:
    """Place the voxels set in house order, by the CT's own reorientation."""
    if not found.indices:
        return masks.empty(frame.grid.size)
    indices, values = np.concatenate(found.indices), np.concatenate(found.values)
    x_size, y_size, _ = frame.shape
    rest, x = np.divmod(indices, np.uint32(x_size))
    z, y = np.divmod(rest, np.uint32(y_size))
    ijk: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * 3
    for axis, along in enumerate((x, y, z)):
        target, flip = frame.reorientation[axis]
        signed = along.astype(np.int64)
        ijk[int(target)] = signed if flip > 0 else frame.shape[axis] - 1 - signed
    i, j, k = ijk
    size = frame.grid.size
    return masks.from_flat((k * size[1] + j) * size[2] + i, values, size)
