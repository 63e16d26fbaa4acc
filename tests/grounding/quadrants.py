"""A chest with the same nodule in four places, so that only the words for the place tell them apart; as voxels and files."""

import gzip
from copy import deepcopy
from functools import cache
from pathlib import Path

import nibabel as nib
import numpy as np

from cases.imaging.geometry import Grid
from cases.imaging.phantom import lesions
from cases.imaging.phantom.chest import Body, Chest, finish, make_chest

BODY = Body(7, size=(58, 112, 124), spacing_mm=(5.0, 3.2, 3.0), noise_hu=12.0)
NODULE_MM = 22
PLACES = {
    ("right", "upper"): ((-62, 0, 208), 1, 1),
    ("left", "upper"): ((64, 0, 208), 2, 1),
    ("right", "lower"): ((-66, 36, 84), 1, 3),
    ("left", "lower"): ((68, 36, 84), 2, 3),
}
"""(x, y, z) in mm, side and lobe as the phantom counts them."""


@cache
def _healthy() -> Chest:
    return make_chest(BODY)


def healthy() -> Chest:
    """A chest without findings, to put some into."""
    return deepcopy(_healthy())


@cache
def chest() -> tuple[np.ndarray, Grid, dict[tuple[str, str], np.ndarray]]:
    """Voxels, grid, and the truth of each place, bool [k, j, i]."""
    body = healthy()
    spots = []
    for place, side, lobe in PLACES.values():
        spots.append((lesions.settle(body, place, NODULE_MM / 2 + 2, body.inside(side, lobe)), NODULE_MM))
    truth = lesions.nodules(body, spots)
    voxels = finish(body)
    voxels.setflags(write=False)
    return voxels, BODY.grid, {key: truth == n for n, key in enumerate(PLACES, start=1)}


def sentence(side: str, lobe: str) -> str:
    return f"A {NODULE_MM} mm solid nodule in the {side} {lobe} lobe"


def write(path: Path, voxels: np.ndarray, grid: Grid, *, codes: str) -> Path:
    """The CT as a NIfTI file whose axes run as ``codes`` say: LPS or RAS."""
    array = voxels.transpose(2, 1, 0)
    lps = np.asarray(grid.affine, dtype=float)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps
    if codes == "RAS":
        flip = np.diag([-1.0, -1.0, 1.0, 1.0])
        flip[0, 3], flip[1, 3] = array.shape[0] - 1, array.shape[1] - 1
        array, ras = array[::-1, ::-1], ras @ flip
    image = nib.Nifti1Image(np.ascontiguousarray(array), ras)
    image.header.set_slope_inter(1, 0)
    assert "".join(nib.aff2axcodes(ras)) == codes
    path.write_bytes(gzip.compress(image.to_bytes(), 1))
    return path
