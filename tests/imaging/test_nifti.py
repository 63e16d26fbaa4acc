import gzip
from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform

from cases.imaging import nifti, nifti_masks
from cases.imaging.gzipped import FileRefused
from cases.imaging.metadata import ScanMetadata

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


def write(folder, ct, truth, codes="LPS", dtype=np.int16, turn_affine=None):
    """Both files as the data set has them, with the CT's axes in another order and direction."""
    dk, dj, di = SPACING
    affine = np.diag([-di, -dj, dk, 1.0])
    affine[:3, 3] = (90, 80, -70)
    turn = ornt_transform(axcodes2ornt(tuple("LPS")), axcodes2ornt(tuple(codes)))
    moved = apply_orientation(ct.transpose(2, 1, 0), turn).astype(dtype)
    affine = affine @ inv_ornt_aff(turn, ct.shape[::-1])
    nib.save(nib.Nifti1Image(moved, affine if turn_affine is None else turn_affine @ affine), folder / "ct.nii.gz")
    channels = np.stack([apply_orientation(one.transpose(2, 1, 0), turn) for one in truth])
    nib.save(nib.Nifti1Image(channels, np.eye(4)), folder / "mask.nii.gz")
    return folder / "ct.nii.gz", folder / "mask.nii.gz"


def read_masks(path, ct, findings):
    return list(nifti_masks.read_masks(path, ct.frame, findings=findings))


def test_there_are_48_orders():
    assert len(set(ORDERS)) == 48


@pytest.mark.parametrize("codes", ORDERS)
def test_every_axis_order_gives_the_same_house_array(tmp_path, codes):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth, codes)
    final = np.zeros(SIZE, np.int16)

    def ready(voxels, ks):
        for k in ks:
            final[k] = voxels[k]

    read = nifti.read_ct(ct_path, ready=ready)
    assert (read.voxels == ct).all()
    assert (final == ct).all()  # slices that were said to be final were
    assert read.grid.spacing_mm == pytest.approx(SPACING)
    assert read.frame.notes == ()
    # The first voxel of the house array lies at the patient's right, front, bottom whatever the file's order.
    assert read.grid.lps_mm((0, 0, 0)) == pytest.approx((-90, -80, -70))
    assert nifti.read_frame(ct_path).grid == read.grid
    found = read_masks(mask_path, read, 2)
    assert (found[0].dense() == truth[0]).all()
    assert (found[1].dense() == truth[1]).all()


@pytest.mark.parametrize("slab", [1, 60, 150, 10**6])
@pytest.mark.parametrize("codes", ["LPS", "LPI", "SLP"])
def test_reading_in_pieces_changes_nothing(tmp_path, monkeypatch, slab, codes):
    ct, truth = house()
    truth[0, 1:3, 1:4, 2:5] = 3
    ct_path, mask_path = write(tmp_path, ct, truth, codes)
    monkeypatch.setattr(nifti, "SLAB_BYTES", slab)
    read = nifti.read_ct(ct_path)
    assert (read.voxels == ct).all()
    assert [(one.dense() == truth[n]).all() for n, one in enumerate(read_masks(mask_path, read, 2))] == [True, True]


def test_oblique_scans_keep_their_own_axes_and_it_is_said(tmp_path):
    ct, truth = house()
    angle = np.radians(20)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    read = nifti.read_ct(write(tmp_path, ct, truth, "RAS", turn_affine=tilt)[0])
    assert (read.voxels == ct).all()
    assert read.grid.spacing_mm == pytest.approx(SPACING, rel=1e-5)
    assert "tilted by 20 degrees" in read.frame.notes[0]


def test_values_are_clipped(tmp_path):
    ct, truth = house()
    ct[0, 0, 0], ct[0, 0, 1] = -8192, 20000
    read = nifti.read_ct(write(tmp_path, ct, truth)[0])
    assert read.voxels[0, 0, 0] == -1024
    assert read.voxels[0, 0, 1] == 3071


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_other_types_are_taken_as_hu_and_said_so(tmp_path, dtype):
    ct, truth = house()
    read = nifti.read_ct(write(tmp_path, ct, truth, dtype=np.dtype(dtype))[0])
    assert (read.voxels == ct).all()
    assert "holds" in read.frame.notes[0]


def old_file(folder):
    """The old generation: blank header, stored values = HU + 1024, as 32-bit floats."""
    ct, _ = house()
    path = folder / "old.nii.gz"
    nib.save(nib.Nifti1Image((ct.transpose(2, 1, 0) + 1024).astype(np.float32), np.eye(4)), path)
    return path, ct


def test_the_old_generation_is_refused_without_its_metadata(tmp_path):
    with pytest.raises(FileRefused, match="old CT-RATE generation"):
        nifti.read_ct(old_file(tmp_path)[0])


def test_the_old_generation_is_read_with_its_metadata(tmp_path):
    path, ct = old_file(tmp_path)
    row = ScanMetadata((0.7, 0.8, 2.0), (-90.0, -80.0, -70.0), (1, 0, 0, 0, 1, 0), 1.0, -1024.0)
    read = nifti.read_ct(path, row)
    assert (read.voxels == ct).all()
    assert read.grid.spacing_mm == pytest.approx(SPACING)
    assert read.grid.lps_mm((0, 0, 0)) == pytest.approx((-90, -80, -70))
    # The last voxel: 5 steps of 0.7 to the left, 4 of 0.8 to the back, 3 of 2.0 up.
    assert read.grid.lps_mm((3, 4, 5)) == pytest.approx((-90 + 3.5, -80 + 3.2, -70 + 6))


def test_a_file_in_the_old_tree_is_old_whatever_its_header_says(tmp_path):
    path, _ = write(tmp_path, *house())
    with pytest.raises(FileRefused, match="old CT-RATE generation"):
        nifti.read_ct(path, old=True)


def test_one_finding_may_come_without_its_axis(tmp_path):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth[:1])
    nib.save(nib.Nifti1Image(truth[0].transpose(2, 1, 0), np.eye(4)), mask_path)
    assert (read_masks(mask_path, nifti.read_ct(ct_path), 1)[0].dense() == truth[0]).all()


def test_findings_may_come_last(tmp_path):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth)
    nib.save(nib.Nifti1Image(truth.transpose(3, 2, 1, 0), np.eye(4)), mask_path)
    found = read_masks(mask_path, nifti.read_ct(ct_path), 2)
    assert [(one.dense() == truth[n]).all() for n, one in enumerate(found)] == [True, True]


def test_a_mask_of_another_shape_is_refused_with_both_shapes(tmp_path):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth)
    with pytest.raises(FileRefused, match=r"2 x 6 x 5 x 4.*3 x 6 x 5 x 4"):
        read_masks(mask_path, nifti.read_ct(ct_path), 3)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_masks_of_other_types_are_read_when_their_values_are_instances(tmp_path, dtype):
    ct, truth = house()
    ct_path, mask_path = write(tmp_path, ct, truth.astype(dtype))
    assert (read_masks(mask_path, nifti.read_ct(ct_path), 2)[1].dense() == truth[1]).all()


@pytest.mark.parametrize(("dtype", "value"), [(np.int16, -1), (np.int16, 300), (np.float32, 0.5), (np.float32, np.nan)])
def test_other_values_in_a_mask_are_refused(tmp_path, dtype, value):
    ct, truth = house()
    truth = truth.astype(dtype)
    truth[0, 0, 0, 0] = value
    ct_path, mask_path = write(tmp_path, ct, truth)
    with pytest.raises(FileRefused, match="instance numbers"):
        read_masks(mask_path, nifti.read_ct(ct_path), 2)


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
    if kind == "less":
        plain = plain[:-1]
    if kind == "far":
        plain[108:112] = np.array([1e9], np.float32).tobytes()
    if kind == "bits":
        data = bytearray(data)
        data[len(data) // 2] ^= 0xFF
        return bytes(data)
    return gzip.compress(bytes(plain))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pointer", "is a pointer"),
        ("cut", "cut short|ends before"),
        ("empty", "is a pointer"),
        ("noise", "NIfTI-1 header"),
        ("bomb", "would have"),
        ("nan", "not numbers"),
        ("more", "more data than its header says"),
        ("less", "ends before"),
        ("far", "cannot be"),
        ("bits", "damaged|ends before"),
    ],
)
def test_files_that_lie_are_refused_in_words(tmp_path, kind, words):
    path, _ = write(tmp_path, *house())
    path.write_bytes(damaged(kind, path))
    with pytest.raises(FileRefused, match=words):
        nifti.read_ct(path)


def test_a_bomb_costs_no_memory(tmp_path):
    import tracemalloc

    path, _ = write(tmp_path, *house())
    plain = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(plain + bytes(300_000_000)))  # 300 MB in about 300 KB
    tracemalloc.start()
    with pytest.raises(FileRefused, match="more data"):
        nifti.read_ct(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30_000_000
