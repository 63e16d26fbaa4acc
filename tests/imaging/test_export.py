"""Masks written as NIfTI lie on the original CT's own voxels, whatever its axis order; read back by nibabel alone."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

from cases.imaging import export, masks, nifti
from cases.imaging.metadata import ScanMetadata

SHAPE = (7, 6, 5)  # L, P, S: no two alike
LPS_AFFINE = np.array([[-0.7, 0, 0, 100.0], [0, -0.8, 0, 120], [0, 0, 1.5, -60], [0, 0, 0, 1]])

# One bright place near each of three corners, of different sizes: no flip or exchange of axes maps them onto themselves.
BRIGHT = (((1, 1, 0), 1), ((5, 1, 3), 2), ((1, 4, 4), 3))


def content() -> np.ndarray:
    """Values in L, P, S: 1000, 2000 and 3000 at the bright places, which are 1, 2 and 3 voxels long along L."""
    array = np.full(SHAPE, -900, np.int16)
    for (x, y, z), value in BRIGHT:
        array[x : x + value, y, z] = 1000 * value
    return array


def ct_file(path: Path, codes: str, *, tilt: float = 0.0, qform_only: bool = False) -> nib.Nifti1Image:
    """The same scan stored along other axes, as its own affine says."""
    turn = ornt_transform(axcodes2ornt("LPS"), axcodes2ornt(codes))
    array = nib.orientations.apply_orientation(content(), turn)
    affine = LPS_AFFINE @ inv_ornt_aff(turn, SHAPE)
    if tilt:
        cos, sin = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
        affine = np.array([[1, 0, 0, 0], [0, cos, -sin, 0], [0, sin, cos, 0], [0, 0, 0, 1]]) @ affine
    image = nib.Nifti1Image(np.ascontiguousarray(array), affine)
    image.header.set_xyzt_units("mm")
    if qform_only:
        image.set_sform(None, code=0)
        image.set_qform(affine, code=1)
    nib.save(image, path)
    return nib.load(path)


def exported(path: Path, mask_of=None, metadata=None) -> tuple[nib.Nifti1Image, nifti.Ct]:
    ct = nifti.read_ct(path, metadata)
    mask = masks.from_dense(np.where(ct.voxels > 0, ct.voxels // 1000, 0).astype(np.uint8))
    out = path.with_name("mask.nii.gz")
    out.write_bytes(b"".join(export.nifti(mask, ct.grid, ct.frame.as_json(), what="truth")))
    return nib.load(out), ct


@pytest.mark.parametrize("slab", [1, 16_000_000])
@pytest.mark.parametrize("codes", ["LPS", "RAS", "RPS", "LAI", "PIR", "SLA", "ASL", "IRA"])
def test_a_mask_lies_on_its_ct(tmp_path, monkeypatch, codes, slab):
    monkeypatch.setattr(export, "SLAB_BYTES", slab)
    path = tmp_path / "ct.nii.gz"
    original = ct_file(path, codes)
    assert "".join(nib.aff2axcodes(original.affine)) == codes
    mask, _ = exported(path)
    assert mask.shape == original.shape
    assert mask.get_data_dtype() == np.uint8
    assert (mask.affine == original.affine).all()
    for name in ("qform_code", "sform_code", "xyzt_units"):
        assert mask.header[name] == original.header[name]
    seen = np.asarray(original.dataobj)
    # Instance by instance, voxel by voxel, in the file's own order.
    for value in (1, 2, 3):
        assert ((np.asarray(mask.dataobj) == value) == (seen == 1000 * value)).all()
        assert (seen == 1000 * value).sum() == value


def test_a_tilted_scan_and_one_with_a_qform_only(tmp_path):
    for n, more in enumerate(({"tilt": 12.0}, {"qform_only": True}, {"tilt": 12.0, "qform_only": True})):
        path = tmp_path / f"ct{n}.nii.gz"
        original = ct_file(path, "LPS", **more)
        mask, _ = exported(path)
        assert (mask.affine == original.affine).all()
        assert (mask.get_qform() == original.get_qform()).all()
        assert (mask.get_sform() == original.get_sform()).all()
        assert (np.asarray(mask.dataobj) > 0).sum() == 1 + 2 + 3


def test_a_scan_of_the_old_generation_keeps_its_blank_header(tmp_path):
    """The original CT says nothing of its place, so a mask that said more would lie elsewhere in a viewer."""
    path = tmp_path / "ct.nii.gz"
    image = nib.Nifti1Image(content(), np.eye(4))
    path.write_bytes(gzip.compress(image.to_bytes()))
    # Rows from left to right, columns from back to front: the file's y axis runs against the house's.
    metadata = ScanMetadata((0.7, 0.8, 1.5), (0, 0, 0), (1, 0, 0, 0, -1, 0), 1.0, 0.0)
    mask, ct = exported(path, metadata=metadata)
    assert (ct.frame.reorientation[1] == (1, -1)).all()
    assert (mask.affine == nib.load(path).affine).all()
    assert (np.asarray(mask.dataobj) == np.where(content() > 0, content() // 1000, 0)).all()


def test_without_the_files_frame_it_lies_at_the_same_place_in_the_world(tmp_path):
    path = tmp_path / "ct.nii.gz"
    original = ct_file(path, "RAS")
    ct = nifti.read_ct(path)
    mask = masks.from_dense((ct.voxels == 3000).astype(np.uint8))
    out = tmp_path / "mask.nii.gz"
    out.write_bytes(b"".join(export.nifti(mask, ct.grid, None, what="painted")))
    written = nib.load(out)
    assert "".join(nib.aff2axcodes(written.affine)) == "LPS"

    def world(image, array):
        return sorted(map(tuple, np.round(nib.affines.apply_affine(image.affine, np.argwhere(array)), 3)))

    assert world(written, np.asarray(written.dataobj) == 1) == world(original, np.asarray(original.dataobj) == 3000)


def test_the_largest_scan_needs_little_memory():
    """1024 x 1024 x 300 voxels, written through a window of 16 MB."""
    import tracemalloc

    from cases.imaging.geometry import Grid

    grid = Grid((300, 1024, 1024), (1, 1, 1), ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)))
    mask = masks.from_runs(np.array([5 * 2**20 + 7]), np.array([9]), grid.size)
    tracemalloc.start()
    size = sum(len(piece) for piece in export.nifti(mask, grid, None, what="painted"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6
    assert size < 5e6
