import gzip
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from cases.imaging import nifti

SIZE = (4, 5, 6)  # K, J, I
SPACING = (2.0, 0.8, 0.7)
PAIRS = (("L", "R"), ("P", "A"), ("S", "I"))
ORDERS = ["".join(code) for order in permutations(PAIRS) for code in product(*order)]


def house() -> tuple[np.ndarray, np.ndarray]:
    """A CT whose every voxel is different, and two findings without any symmetry."""
    ct = np.arange(120, dtype=np.int16).reshape(SIZE)
    truth = np.zeros((2, *SIZE), np.uint8)
    truth[0, 3, 0, 5] = 1  # top, front, left
    truth[1, 0, 4, 0:2] = 2  # bottom, back, right
    return ct, truth


def write(folder, ct, truth, codes="LPS"):
    """Both files as the data set has them, with the CT's axes in another order and direction."""
    dk, dj, di = SPACING
    affine = np.diag([-di, -dj, dk, 1.0])
    affine[:3, 3] = (90, 80, -70)
    turn = ornt_transform(axcodes2ornt(tuple("LPS")), axcodes2ornt(tuple(codes)))
    moved = apply_orientation(ct.transpose(2, 1, 0), turn)
    nib.save(nib.Nifti1Image(moved, affine @ inv_ornt_aff(turn, ct.shape[::-1])), folder / "ct.nii.gz")
    channels = np.stack([apply_orientation(one.transpose(2, 1, 0), turn) for one in truth])
    nib.save(nib.Nifti1Image(channels, np.eye(4)), folder / "mask.nii.gz")
    return folder / "ct.nii.gz", folder / "mask.nii.gz"


def test_there_are_48_orders():
    assert len(set(ORDERS)) == 48


@pytest.mark.parametrize("codes", ORDERS)
def test_every_axis_order_gives_the_same_house_array(tmp_path, codes):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth, codes)
    read = nifti.read_ct(ct_path)
    assert (read.voxels == ct).all()
    assert read.grid.spacing_mm == pytest.approx(SPACING)
    # The first voxel of the house array lies at the patient's right, front, bottom whatever the file's order.
    assert read.grid.lps_mm((0, 0, 0)) == pytest.approx((-90, -80, -70))
    found = nifti.read_masks(mask_path, read, findings=2)
    assert (found[0].dense() == truth[0]).all()
    assert (found[1].dense() == truth[1]).all()


def test_values_are_clipped(tmp_path):
    ct, truth = house()
    ct[0, 0, 0], ct[0, 0, 1] = -8192, 20000
    read = nifti.read_ct(write(tmp_path, ct, truth)[0])
    assert read.voxels[0, 0, 0] == -1024
    assert read.voxels[0, 0, 1] == 3071


def test_one_finding_may_come_without_its_axis(tmp_path):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth[:1])
    nib.save(nib.Nifti1Image(truth[0].transpose(2, 1, 0), np.eye(4)), mask_path)
    found = nifti.read_masks(mask_path, nifti.read_ct(ct_path), findings=1)
    assert (found[0].dense() == truth[0]).all()


def test_findings_may_come_last(tmp_path):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth)
    nib.save(nib.Nifti1Image(truth.transpose(3, 2, 1, 0), np.eye(4)), mask_path)
    found = nifti.read_masks(mask_path, nifti.read_ct(ct_path), findings=2)
    assert [(one.dense() == truth[n]).all() for n, one in enumerate(found)] == [True, True]


def test_a_mask_of_another_shape_is_refused_with_both_shapes(tmp_path):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth)
    with pytest.raises(nifti.NiftiError, match=r"2 x 6 x 5 x 4.*3 x 6 x 5 x 4"):
        nifti.read_masks(mask_path, nifti.read_ct(ct_path), findings=3)


def damaged(kind, path):
    data = path.read_bytes()
    plain = bytearray(gzip.decompress(data))
    if kind == "pointer":
        return b"version https://git-lfs.github.com/spec/v1\n"
    if kind == "cut":
        return data[: len(data) // 2]
    if kind == "empty":
        return b""
    if kind == "noise":
        return gzip.compress(b"\x07" * 400)
    if kind == "bomb":
        plain[40:56] = np.array([3, 30000, 30000, 30000, 1, 1, 1, 1], np.int16).tobytes()
    if kind == "nan":
        plain[280:284] = np.array([np.nan], np.float32).tobytes()
    if kind == "more":
        plain += b"\0" * 100
    return gzip.compress(bytes(plain))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pointer", "is a pointer"),
        ("cut", "cut short|ends before"),
        ("empty", "is a pointer"),
        ("noise", "NIfTI-1 header"),
        ("bomb", "would unpack to"),
        ("nan", "not numbers"),
        ("more", "more data than its header says"),
    ],
)
def test_files_that_lie_are_refused_in_words(tmp_path, kind, words):
    path, _ = write(tmp_path, *house())
    path.write_bytes(damaged(kind, path))
    with pytest.raises(nifti.NiftiError, match=words):
        nifti.read_ct(path)


def test_the_old_generation_is_refused(tmp_path):
    ct, _ = house()
    nib.save(nib.Nifti1Image(ct.transpose(2, 1, 0).astype(np.float32), np.eye(4)), tmp_path / "old.nii.gz")
    with pytest.raises(nifti.NiftiError, match="old CT-RATE generation"):
        nifti.read_ct(tmp_path / "old.nii.gz")
