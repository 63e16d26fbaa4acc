from cases.imaging.metadata import read_metadata

HEAD = "VolumeName,XYSpacing,ZSpacing,ImagePositionPatient,ImageOrientationPatient,RescaleSlope,RescaleIntercept\n"


def write(folder, *rows):
    path = folder / "dataset" / "metadata" / "train_metadata.csv"
    path.parent.mkdir(parents=True)
    path.write_text(HEAD + "\n".join(rows))


def test_rows_hold_lists_as_text(tmp_path):
    write(
        tmp_path,
        'train_9_a_1.nii.gz,"[0.7, 0.8]",1.25,"[-90.5, -80, -70]","[1, 0, 0, 0, 1, 0]",1,-1024',
        "train_8_a_1.nii.gz,\"['0.7', '0.7']\",1.0,\"['0', '0', '0']\",\"['1', '0', '0', '0', '1', '0']\",1,0",
    )
    rows = read_metadata([tmp_path], {"train_9_a_1.nii.gz", "train_8_a_1.nii.gz"})
    scan = rows["train_9_a_1.nii.gz"]
    assert scan.spacing_mm == (0.7, 0.8, 1.25)
    # x steps by 0.7 to the left, y by 0.8 to the back, z by 1.25 along left x back = up.
    assert scan.lps_affine().tolist() == [[0.7, 0, 0, -90.5], [0, 0.8, 0, -80], [0, 0, 1.25, -70], [0, 0, 0, 1]]
    assert rows["train_8_a_1.nii.gz"].spacing_mm == (0.7, 0.7, 1.0)


def test_rows_that_cannot_be_read_are_left_out(tmp_path):
    write(tmp_path, "a.nii.gz,,1,,,1,0", 'b.nii.gz,"[1]",1,"[0,0,0]","[1,0,0,0,1,0]",1,0', "c.nii.gz")
    assert read_metadata([tmp_path, tmp_path / "nowhere"], {"a.nii.gz", "b.nii.gz", "c.nii.gz"}) == {}
