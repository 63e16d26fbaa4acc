"""Reading NIfTI files that cannot be trusted, into house order.

Headers are checked before any data is read: a header may lie about size, a gzip may unpack to a thousand times its
length, an affine may hold NaN. Everything that is wrong is said in one sentence (``NiftiError``).
"""

import gzip
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from cases.imaging import masks
from cases.imaging.geometry import Grid

HU_RANGE = (-1024, 3071)
"""What the house keeps: padding below and metal above are clipped (data set note, point 13)."""

MAX_CT_BYTES = 1_200_000_000
"""Largest CT taken, unpacked: twice 1024 x 1024 x 1005 of the data set would be float32 and is refused by type."""

MAX_MASK_BYTES = 4_000_000_000
"""Largest mask taken, unpacked; the data set's largest is 1.73 GB. Masks are streamed, never held whole."""

SPACING_MM = (0.1, 10.0)
"""Voxel sizes that a chest CT can have."""

_SLAB_BYTES = 64_000_000
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class NiftiError(ValueError):
    """A file that cannot be read as what it should be. The message is a sentence for the person who imports."""


@dataclass(frozen=True)
class Ct:
    """voxels: int16 HU [k, j, i], clipped. reorientation: nibabel's transform from the file's axes to L, P, S."""

    voxels: NDArray[np.int16]
    grid: Grid
    file_shape: tuple[int, int, int]
    reorientation: NDArray[np.float64]
    notes: tuple[str, ...]


def read_ct(path: Path) -> Ct:
    """Read a CT-RATE volume (the corrected generation: int16 HU) into house order."""
    with _unpacked(path) as stream:
        header, offset = _header(stream, path)
        shape = tuple(int(n) for n in header.get_data_shape())
        if len(shape) != 3 or min(shape) < 2:
            raise NiftiError(f"{path.name} has the shape {_by(shape)}; a CT has three axes.")
        if header.get_data_dtype().kind not in "iu" or header.get_data_dtype().itemsize > 2:
            raise NiftiError(
                f"{path.name} holds {header.get_data_dtype()} values: it looks like the old CT-RATE generation, "
                "whose headers are blank. Use the *_fixed files."
            )
        affine = _affine(header, path)
        if np.allclose(affine, np.eye(4)):
            raise NiftiError(
                f"{path.name} has a blank header (identity affine): it is the old CT-RATE generation, whose spacing "
                "and orientation are unknown. Use the *_fixed files."
            )
        raw = _data(stream, header, offset, path, limit=MAX_CT_BYTES)
    # NIfTI stores the first axis fastest: read back to front, the bytes are already [z, y, x].
    stored = np.frombuffer(raw, dtype=header.get_data_dtype()).reshape(shape[::-1]).transpose(2, 1, 0)
    slope, intercept = header.get_slope_inter()
    if slope not in (None, 1.0) or intercept not in (None, 0.0):
        stored = np.rint(stored * np.float32(slope or 1.0) + np.float32(intercept or 0.0))
    ornt = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "S")))
    lps = _LPS_FROM_RAS @ affine @ inv_ornt_aff(ornt, shape)
    turned = apply_orientation(stored, ornt).transpose(2, 1, 0)
    voxels = np.ascontiguousarray(np.clip(turned, *HU_RANGE), dtype=np.int16)
    di, dj, dk = (float(np.linalg.norm(lps[:3, axis])) for axis in range(3))
    grid = Grid(
        size=(voxels.shape[0], voxels.shape[1], voxels.shape[2]),
        spacing_mm=(dk, dj, di),
        affine=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in lps),
    )
    return Ct(voxels, grid, (shape[0], shape[1], shape[2]), ornt, _notes(lps, (di, dj, dk)))


def read_masks(path: Path, ct: Ct, *, findings: int) -> list[masks.SparseMask]:
    """Read one mask per finding, aligned by index with the CT's file; the mask's own affine is ignored.

    Accepts (F, X, Y, Z), and (X, Y, Z) or (X, Y, Z, F) where only that fits the CT's shape.
    """
    with _unpacked(path) as stream:
        header, offset = _header(stream, path)
        shape = tuple(int(n) for n in header.get_data_shape())
        if header.get_data_dtype().kind not in "iu" or header.get_data_dtype().itemsize > 2:
            raise NiftiError(f"{path.name} holds {header.get_data_dtype()} values; a mask holds small whole numbers.")
        _check_size(shape, header.get_data_dtype().itemsize, path, limit=MAX_MASK_BYTES)
        x, y, z = ct.file_shape
        # How the values lie in the file, slowest axis first: one block per entry of the outer shape.
        if shape == (findings, x, y, z):
            picked = _collect(stream, offset, header.get_data_dtype(), path, planes=z, plane=(y, x, findings))
        elif (findings == 1 and shape == (x, y, z)) or shape == (x, y, z, 1) == (x, y, z, findings):
            picked = _collect(stream, offset, header.get_data_dtype(), path, planes=z, plane=(y, x, 1))
        elif shape == (x, y, z, findings):
            picked = _collect_last(stream, offset, header.get_data_dtype(), path, planes=z, plane=(y, x), n=findings)
        else:
            raise NiftiError(
                f"{path.name} has the shape {_by(shape)}, which fits neither {findings} findings on this CT "
                f"({_by((findings, x, y, z))}) nor any other order of those axes."
            )
        _expect_end(stream, path)
    return [_to_house(found, ct) for found in picked]


Found = tuple[list[NDArray[np.int64]], list[NDArray[np.uint8]]]


def _collect(
    stream: gzip.GzipFile, offset: int, dtype: np.dtype[Any], path: Path, *, planes: int, plane: tuple[int, int, int]
) -> list[Found]:
    """Indices (into z, y, x) and values of the voxels set, per finding, read slab by slab."""
    _skip_to_data(stream, offset, path)
    per_plane = plane[0] * plane[1] * plane[2]
    step = max(1, _SLAB_BYTES // (per_plane * dtype.itemsize))
    found: list[Found] = [([], []) for _ in range(plane[2])]
    for first in range(0, planes, step):
        count = min(step, planes - first)
        slab = np.frombuffer(_exactly(stream, count * per_plane * dtype.itemsize, path), dtype=dtype)
        slab = slab.reshape(-1, plane[2])
        for channel, (indices, values) in enumerate(found):
            column = slab[:, channel]
            where = np.flatnonzero(column)
            if where.size:
                indices.append(where + first * plane[0] * plane[1])
                values.append(_as_uint8(column[where], path))
    return found


def _collect_last(
    stream: gzip.GzipFile, offset: int, dtype: np.dtype[Any], path: Path, *, planes: int, plane: tuple[int, int], n: int
) -> list[Found]:
    """The same for a file whose last axis is the finding: one finding after the other."""
    found = _collect(stream, offset, dtype, path, planes=planes * n, plane=(*plane, 1))[0]
    voxels = planes * plane[0] * plane[1]
    split: list[Found] = [([], []) for _ in range(n)]
    for indices, values in zip(*found, strict=True):
        for channel in np.unique(indices // voxels):
            mine = indices // voxels == channel
            split[int(channel)][0].append(indices[mine] - channel * voxels)
            split[int(channel)][1].append(values[mine])
    return split


def _as_uint8(values: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if values.min() < 0 or values.max() > 255:
        raise NiftiError(f"{path.name} holds the value {int(values.max())}; instance numbers go from 1 to 255.")
    return values.astype(np.uint8)


def _to_house(found: Found, ct: Ct) -> masks.SparseMask:
    """Place the collected voxels in house order, by the CT's own reorientation."""
    if not found[0]:
        return masks.empty(ct.grid.size)
    indices, values = np.concatenate(found[0]), np.concatenate(found[1])
    x_size, y_size, _ = ct.file_shape
    file_axes = (indices % x_size, indices // x_size % y_size, indices // (x_size * y_size))
    ijk: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * 3
    for axis, (target, flip) in enumerate(ct.reorientation):
        along = file_axes[axis]
        ijk[int(target)] = along if flip > 0 else ct.file_shape[axis] - 1 - along
    i, j, k = ijk
    low = (int(k.min()), int(j.min()), int(i.min()))
    box = np.zeros((int(k.max()) - low[0] + 1, int(j.max()) - low[1] + 1, int(i.max()) - low[2] + 1), dtype=np.uint8)
    box[k - low[0], j - low[1], i - low[2]] = values
    return masks.SparseMask(ct.grid.size, low, box)


# -- bytes ------------------------------------------------------------------------------------------------------------


class _unpacked:
    """A file's bytes, unpacked as they are read, with every way a file can be damaged turned into a sentence."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: IO[bytes] | None = None

    def __enter__(self) -> gzip.GzipFile:
        try:
            self.file = self.path.open("rb")
            start = self.file.read(2)
            self.file.seek(0)
        except OSError as error:
            raise NiftiError(f"{self.path.name} cannot be opened: {error.strerror or error}.") from error
        if start == b"\x1f\x8b":
            return gzip.GzipFile(fileobj=self.file)
        self.file.close()
        if start in (b"ve", b"# ") or len(start) < 2:
            raise NiftiError(f"{self.path.name} is a pointer, not the file itself; download it again with its content.")
        raise NiftiError(f"{self.path.name} is not a gzip file; the download may have been cut or replaced.")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self.file is not None:
            self.file.close()
        if isinstance(error, EOFError | gzip.BadGzipFile | zlib.error):
            raise NiftiError(f"{self.path.name} is damaged or cut short: {error}.") from error


def _header(stream: gzip.GzipFile, path: Path) -> tuple[nib.Nifti1Header, int]:
    start = stream.read(348)
    try:
        header = nib.Nifti1Header.from_fileobj(io.BytesIO(start), check=False)
        header.get_data_dtype()
        sizes = header["dim"]
    except Exception as error:  # nibabel raises many kinds for bytes that are no header
        raise NiftiError(f"{path.name} does not start with a NIfTI-1 header.") from error
    if int(header["sizeof_hdr"]) != 348 or not 1 <= int(sizes[0]) <= 7 or (sizes[1 : int(sizes[0]) + 1] < 1).any():
        raise NiftiError(f"{path.name} does not start with a NIfTI-1 header that makes sense.")
    offset = float(header["vox_offset"])
    if not 348 <= offset <= 1_000_000:
        raise NiftiError(f"{path.name} says its data starts at byte {offset:g}, which cannot be.")
    return header, int(offset)


def _affine(header: nib.Nifti1Header, path: Path) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        try:
            affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        except Exception as error:
            raise NiftiError(f"{path.name} has an orientation that cannot be read.") from error
    if not np.isfinite(affine).all():
        raise NiftiError(f"{path.name} has an affine with values that are not numbers.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (spacing < SPACING_MM[0]).any() or (spacing > SPACING_MM[1]).any():
        raise NiftiError(f"{path.name} has voxels of {_by(spacing.round(3))} mm, which no chest CT has.")
    if abs(np.linalg.det(affine[:3, :3])) < 0.1 * float(np.prod(spacing)):
        raise NiftiError(f"{path.name} has axes that do not span a volume.")
    return affine


def _check_size(shape: Sequence[int], itemsize: int, path: Path, *, limit: int) -> int:
    size = itemsize
    for n in shape:
        size *= int(n)
    if size > limit:
        raise NiftiError(
            f"{path.name} would unpack to {size / 1e9:.1f} GB ({_by(shape)}); the limit is {limit / 1e9:g} GB."
        )
    return size


def _data(stream: gzip.GzipFile, header: nib.Nifti1Header, offset: int, path: Path, *, limit: int) -> bytes:
    size = _check_size(header.get_data_shape(), header.get_data_dtype().itemsize, path, limit=limit)
    _skip_to_data(stream, offset, path)
    raw = _exactly(stream, size, path)
    _expect_end(stream, path)
    return raw


def _skip_to_data(stream: gzip.GzipFile, offset: int, path: Path) -> None:
    _exactly(stream, offset - 348, path)


def _exactly(stream: gzip.GzipFile, size: int, path: Path) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise NiftiError(
            f"{path.name} ends before its data does: {len(data):,} of {size:,} bytes of a part were there."
        )
    return data


def _expect_end(stream: gzip.GzipFile, path: Path) -> None:
    if stream.read(1):
        raise NiftiError(f"{path.name} holds more data than its header says.")


def _by(shape: Any) -> str:
    return " x ".join(str(n) for n in shape)


def _notes(lps: NDArray[np.float64], spacing: tuple[float, float, float]) -> tuple[str, ...]:
    cosines = np.abs(np.diag(lps[:3, :3])) / np.array(spacing)
    tilt = float(np.degrees(np.arccos(np.clip(cosines.min(), 0.0, 1.0))))
    return (f"The scan is tilted by {tilt:.0f} degrees; it is shown along its own axes.",) if tilt > 1.0 else ()
