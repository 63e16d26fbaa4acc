import nibabel as nib
import numpy as np

from cases.imaging import anatomy, rexlike
from cases.imaging.phantom.cases import build, demo_cases, tiny


def test_the_tiny_chest_has_its_findings_where_its_sentences_say():
    case = tiny()
    lower, upper, fluid, holes = (np.argwhere(finding.truth).mean(axis=0) for finding in case.findings)
    k, j, i = 0, 1, 2
    assert lower[i] > 24 > upper[i]  # left is high i
    assert fluid[i] < 24 < holes[i]
    assert lower[k] < 12 < upper[k]  # up is high k
    assert fluid[j] > 20 > holes[j]  # back is high j


def test_demo_cases_are_enough_and_sentences_keep_the_style():
    specs = demo_cases()
    assert len(specs) >= 8
    assert len({spec.name for spec in specs}) == len(specs)
    assert {spec.split for spec in specs} == {"train", "val"}


def test_a_full_case_looks_like_its_sentences():
    spec = demo_cases()[4]
    case = build(spec)
    assert case.voxels.shape == (128, 512, 512)
    field = anatomy.lung_field(case.voxels, case.grid)
    assert field is not None
    for finding in case.findings:
        assert finding.sentence.isascii()
        assert not finding.sentence.endswith(".")
        side = "left" if "left" in finding.sentence.lower() else "right"
        assert anatomy.side_of(np.nonzero(finding.truth)[2], field) == side
    air = case.findings[0]
    assert air.category == "2g"
    assert np.median(case.voxels[air.truth > 0]) < -950
    assert (build(spec).voxels == case.voxels).all()


def test_the_layout_is_the_data_sets(tmp_path):
    case = tiny()
    rexlike.write_index(tmp_path, [rexlike.write_case(tmp_path, case)])
    ct = nib.load(tmp_path / "ct/dataset/valid_fixed/valid_9201/valid_9201_a/valid_9201_a_1.nii.gz")
    mask = nib.load(tmp_path / "segmentations/valid_9201_a_1.nii.gz")
    assert nib.aff2axcodes(ct.affine) == ("L", "P", "S")
    assert ct.get_data_dtype() == np.int16
    assert ct.shape == (48, 40, 24)
    assert mask.shape == (4, 48, 40, 24)
    assert mask.get_data_dtype() == np.uint8
    assert (mask.affine == np.eye(4)).all()
    assert [float(zoom) for zoom in mask.header.get_zooms()] == [1, 1, 1, 0]
