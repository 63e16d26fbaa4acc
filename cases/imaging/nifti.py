"""Reading CTs from NIfTI files that cannot be trusted, into house order.

Headers are checked before any data is read: a header may lie about size, an affine may hold NaN. Everything that is
wrong is said in one sentence (``FileRefused``). Data is read slab by slab straight into the house array, so that a CT
of any axis order and any type costs its own size in memory once.
"""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.gzipped import FileRefused, GzipFile
from cases.imaging.metadata import ScanMetadata

HU_RANGE = (-1024, 3071)
"""What the house keeps: padding below and metal above are clipped (data set note, point 13)."""

MAX_CT_VOXELS = 1_100_000_000
"""Largest CT taken; 1024 x 1024 x 1005, the largest of each axis in the data set, is 1.05e9."""

SPACING_MM = (0.1, 10.0)
"""Voxel sizes that a chest CT can have."""

OBLIQUE_DEGREES = 1.0
"""A scan tilted by more than this is told to the person who imports; it is shown along its own axes."""

SLAB_BYTES = 16_000_000
"""Data is read in pieces of about this size: large enough for numpy, small enough for the processor's cache to help."""

PLACE_FIELDS = (
    "pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip
"""Header fields that place a file's voxels in the world. Viewers differ in which of them they believe."""

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Frame:
    """How a CT's file lies in the house. shape: of the file, X x Y x Z. reorientation: nibabel's transform from the
    file's axes to L, P, S (row per file axis: target axis, +1 or -1). place: what its header says of its place, as it
    says it, so that a mask can be written back onto it. notes: sentences for the report."""

    shape: tuple[int, int, int]
    reorientation: NDArray[np.float64]
    grid: Grid
    place: dict[str, list[float]]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All that is needed to write a house mask as a file on the CT's own grid (``export``)."""
        axes = [[int(target), int(flip)] for target, flip in self.reorientation]
        return {"shape": list(self.shape), "axes": axes, "place": self.place}

    def as_file(self, house: NDArray[Any]) -> NDArray[Any]:
        """A view of a house array [k, j, i] whose axes are the file's x, y, z: write in file order, read in house order."""
        lps = house.transpose(2, 1, 0)
        axes = [int(target) for target, _ in self.reorientation]
        steps = [slice(None, None, int(flip)) for _, flip in self.reorientation]
        turned: NDArray[Any] = lps.transpose(axes)[tuple(steps)]
        return turned

    @classmethod
    def of_file(cls, shape: tuple[int, int, int]) -> "Frame":
        """The file's own index space, for masks without a CT: x is the slowest axis of the house array, as when the
        array [x, y, z] is walked through; directions and sizes of voxels mean nothing."""
        identity = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
        return cls(shape, np.array([[2, 1], [1, 1], [0, 1]]), Grid(shape, (1.0, 1.0, 1.0), identity), {})

    @property
    def slices_come_in_order(self) -> bool:
        """The file's slowest axis is the house's k: axial slices are whole as soon as they are read."""
        return int(self.reorientation[2][0]) == 2


@dataclass(frozen=True)
class Ct:
    """voxels: int16 HU [k, j, i], clipped."""

    voxels: NDArray[np.int16]
    frame: Frame

    @property
    def grid(self) -> Grid:
        return self.frame.grid


@dataclass(frozen=True)
class _Scale:
    slope: float
    intercept: float

    def __bool__(self) -> bool:
        return (self.slope, self.intercept) != (1.0, 0.0)


def read_frame(path: Path, metadata: ScanMetadata | None = None, *, old: bool = False) -> Frame:
    """What the header says of a CT, checked, without reading its voxels. Arguments as for ``read_ct``."""
    with GzipFile(path) as file:
        return _frame(read_header(file), path, metadata, old=old)[0]


def read_ct(
    path: Path,
    metadata: ScanMetadata | None = None,
    *,
    old: bool = False,
    ready: Callable[[NDArray[np.int16], range], None] | None = None,
) -> Ct:
    """Read a CT-RATE volume into house order.

    The corrected generation (int16 HU, true header) is taken as it is. The old one (blank header, stored values) needs
    its row of CT-RATE's metadata; ``old`` says that the file lies in the old generation's tree, whatever its header
    claims. ``ready(voxels, ks)`` is called whenever the slices ``ks`` are final, so that they can be used meanwhile.

    Raises FileRefused.
    """
    with GzipFile(path) as file:
        header = read_header(file)
        frame, scale = _frame(header, path, metadata, old=old)
        voxels = np.empty(frame.grid.size, dtype=np.int16)
        target = frame.as_file(voxels)
        depth = frame.shape[2]
        for first, planes in slabs(file, header.get_data_dtype(), (frame.shape[1], frame.shape[0]), depth):
            stop = first + len(planes)
            target[:, :, first:stop] = _to_hu(planes, scale, path).transpose(2, 1, 0)
            if ready and frame.slices_come_in_order:
                upwards = frame.reorientation[2][1] > 0
                ready(voxels, range(first, stop) if upwards else range(depth - stop, depth - first))
        file.expect_end()
    if ready and not frame.slices_come_in_order:
        ready(voxels, range(len(voxels)))
    return Ct(voxels, frame)


def _to_hu(planes: NDArray[Any], scale: _Scale, path: Path) -> NDArray[np.int16]:
    if planes.dtype.kind == "f" and not np.isfinite(planes).all():
        raise FileRefused(f"{path.name} holds voxels that are not numbers.")
    if scale:
        planes = planes * np.float32(scale.slope) + np.float32(scale.intercept)
    if planes.dtype.kind == "f":
        planes = np.rint(planes)
    elif planes.dtype != np.int16:  # the limits may have no place in its type
        planes = planes.astype(np.int64)
    hu: NDArray[np.int16] = np.clip(planes, *HU_RANGE).astype(np.int16, copy=False)
    return hu


def _frame(header: nib.Nifti1Header, path: Path, metadata: ScanMetadata | None, *, old: bool) -> tuple[Frame, _Scale]:
    shape = tuple(int(n) for n in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    dtype = header.get_data_dtype()
    if len(shape) != 3 or min(shape) < 2:
        raise FileRefused(f"{path.name} has the shape {by(shape)}; a CT has three axes.")
    if math.prod(shape) > MAX_CT_VOXELS:
        raise FileRefused(
            f"{path.name} would have {math.prod(shape) / 1e9:.1f} thousand million voxels ({by(shape)}); "
            f"the limit is {MAX_CT_VOXELS / 1e9:.1f}."
        )
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise FileRefused(f"{path.name} holds {dtype} values; a CT holds numbers.")
    notes = []
    affine = affine_of(header, path)
    if old or _is_blank(affine):
        if metadata is None:
            raise FileRefused(
                f"{path.name} is of the old CT-RATE generation, whose header says nothing of spacing and orientation. "
                "Use the *_fixed files, or add the metadata CSV (dataset/metadata/) to the data set."
            )
        affine, scale = LPS_FROM_RAS @ metadata.lps_affine(), _Scale(metadata.slope, metadata.intercept)
        _check_affine(affine, f"The metadata of {path.name}")
        notes.append("It is of the old CT-RATE generation; geometry and HU come from the metadata CSV.")
    else:
        slope, intercept = header.get_slope_inter()
        scale = _Scale(1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept))
        if not (math.isfinite(scale.slope) and math.isfinite(scale.intercept)):
            raise FileRefused(f"{path.name} has a slope or intercept that is not a number.")
        if dtype != np.int16 or scale:
            notes.append(
                f"It holds {dtype} values (slope {scale.slope:g}, intercept {scale.intercept:g}) where CT-RATE's "
                "corrected files hold plain int16."
            )
    ornt = ornt_transform(io_orientation(affine), axcodes2ornt(("L", "P", "S")))
    lps = LPS_FROM_RAS @ affine @ inv_ornt_aff(ornt, shape)
    di, dj, dk = (float(np.linalg.norm(lps[:3, axis])) for axis in range(3))
    size = [0, 0, 0]
    for axis, (to, _) in enumerate(ornt):
        size[int(to)] = shape[axis]
    grid = Grid(
        size=(size[2], size[1], size[0]),
        spacing_mm=(dk, dj, di),
        affine=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in lps),
    )
    notes += _tilt(lps, (di, dj, dk))
    place = {name: np.nan_to_num(header[name]).ravel().astype(float).tolist() for name in PLACE_FIELDS}
    return Frame((shape[0], shape[1], shape[2]), ornt, grid, place, tuple(notes)), scale


def _is_blank(affine: NDArray[np.float64]) -> bool:
    """No direction, no origin, voxels of 1 mm: nobody wrote this header."""
    return bool(np.allclose(np.abs(affine), np.eye(4)))


# -- headers and slabs, shared with the masks ---------------------------------------------------------------------------


def read_header(file: GzipFile) -> nib.Nifti1Header:
    """The header, checked for sense; the stream then stands at the first voxel."""
    name = file.path.name
    start = file.read(348)
    try:
        header: nib.Nifti1Header = nib.Nifti1Header.from_fileobj(io.BytesIO(start), check=False)
        header.get_data_dtype()
        sizes = header["dim"]
    except Exception as error:  # nibabel raises many kinds for bytes that are no header
        raise FileRefused(f"{name} does not start with a NIfTI-1 header.") from error
    if int(header["sizeof_hdr"]) != 348 or not 1 <= int(sizes[0]) <= 7 or (sizes[1 : int(sizes[0]) + 1] < 1).any():
        raise FileRefused(f"{name} does not start with a NIfTI-1 header that makes sense.")
    offset = float(header["vox_offset"])
    if not 348 <= offset <= 1_000_000:
        raise FileRefused(f"{name} says its data starts at byte {offset:g}, which cannot be.")
    file.read(int(offset) - 348)
    return header


def slabs(
    file: GzipFile, dtype: np.dtype[Any], plane: tuple[int, ...], count: int
) -> Iterator[tuple[int, NDArray[Any]]]:
    """The file's planes, slowest axis first, a few at a time: (number of the first, array [n, *plane]).

    The array is only good until the next step: its memory is used again.
    """
    bytes_per_plane = math.prod(plane) * dtype.itemsize
    step = max(1, min(count, SLAB_BYTES // bytes_per_plane))
    buffer = bytearray(step * bytes_per_plane)
    for first in range(0, count, step):
        n = min(step, count - first)
        file.fill(memoryview(buffer)[: n * bytes_per_plane])
        yield first, np.frombuffer(buffer, dtype=dtype, count=n * math.prod(plane)).reshape(n, *plane)


def affine_of(header: nib.Nifti1Header, path: Path) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        try:
            affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        except Exception as error:
            raise FileRefused(f"{path.name} has an orientation that cannot be read.") from error
    _check_affine(affine, path.name)
    return affine


def _check_affine(affine: NDArray[np.float64], what: str) -> None:
    if not np.isfinite(affine).all():
        raise FileRefused(f"{what} has an affine with values that are not numbers.")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (spacing < SPACING_MM[0]).any() or (spacing > SPACING_MM[1]).any():
        raise FileRefused(f"{what} has voxels of {by(spacing.round(3))} mm, which no chest CT has.")
    if abs(np.linalg.det(affine[:3, :3])) < 0.1 * float(np.prod(spacing)):
        raise FileRefused(f"{what} has axes that do not span a volume.")


def by(shape: Any) -> str:
    """A shape in words: 512 x 512 x 336."""
    return " x ".join(str(n) for n in shape)


def _tilt(lps: NDArray[np.float64], spacing: tuple[float, float, float]) -> list[str]:
    cosines = np.abs(np.diag(lps[:3, :3])) / np.array(spacing)
    tilt = float(np.degrees(np.arccos(np.clip(cosines.min(), 0.0, 1.0))))
    return (
        [f"The scan is tilted by {tilt:.0f} degrees; it is shown along its own axes."] if tilt > OBLIQUE_DEGREES else []
    )
