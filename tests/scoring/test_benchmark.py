"""score_predictions on files, against a slow recomputation that reads them with nibabel and counts voxels plainly."""

import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

SHAPE = (4, 6, 5)  # X, Y, Z
EPSILON = 1e-6


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(nib.Nifti1Image(array, np.eye(4)).to_bytes(), 1))


def dataset(folder, cases, split="val"):
    """A JSON of the data set's form for cases {name: [category of each finding]}."""
    entries = [
        {
            "name": name,
            "findings": {str(n): f"Finding {n}" for n in range(len(codes))},
            "shape": list(SHAPE),
            "categories": {str(n): code for n, code in enumerate(codes)},
        }
        for name, codes in cases.items()
    ]
    path = folder / "dataset.json"
    path.write_text(json.dumps({split: entries}))
    return path


def evaluate(folder, cases, **more):
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    call_command(
        "score_predictions", dataset=dataset(folder, cases), truth=folder / "truth", predictions=folder / "predicted",
        report=report, workers=1, **more,
    )  # fmt: skip
    return json.loads(report.read_text())


def dice(a, b):
    return (2.0 * np.logical_and(a, b).sum() + EPSILON) / (a.sum() + b.sum() + EPSILON)


def plainly(truth, predicted):
    """(dice, dice of what is kept, tp, fp, fn) of one finding, arrays [x, y, z]."""
    labels, count = ndimage.label(predicted > 0, ndimage.generate_binary_structure(3, 2))
    parts = [labels == n for n in range(1, count + 1)]
    parts = sorted((part for part in parts if part.sum() >= 10), key=lambda part: -part.sum())[:50]
    instances = [truth == value for value in np.unique(truth) if value]
    kept = np.any(parts, axis=0) if parts else np.zeros(truth.shape, bool)
    numbers = dice(truth > 0, predicted > 0), dice(truth > 0, kept)
    free_t, free_p, tp = list(range(len(instances))), list(range(len(parts))), 0
    while free_t and free_p:
        value, t, p = max(
            ((dice(instances[t], parts[p]), t, p) for t in free_t for p in free_p), key=lambda row: row[0]
        )
        if value < 0.2:
            break
        tp += 1
        free_t.remove(t)
        free_p.remove(p)
    return *numbers, tp, len(parts) - tp, len(instances) - tp


def findings(elements):
    return arrays(np.uint8, (3, *SHAPE), elements=elements)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(findings(st.sampled_from([0, 0, 1, 4])), findings(st.sampled_from([0, 0, 1])), st.booleans())
def test_agrees_with_counting_plainly(tmp_path, truth, predicted, empty_last):
    if empty_last:
        truth[2] = predicted[2] = 0
    cases = {"train_9101_a_1.nii.gz": ["2d", "2b"], "train_9102_a_1.nii.gz": ["2d"]}
    for name, part in zip(cases, (slice(0, 2), slice(2, 3)), strict=True):
        save(tmp_path / "truth" / name, truth[part])
        save(tmp_path / "predicted" / name, predicted[part])
    got = evaluate(tmp_path, cases)
    rows = [plainly(t, p) for t, p in zip(truth, predicted, strict=True)]
    assert [(f["dice"], f["dice_kept"], f["tp"], f["fp"], f["fn"]) for f in got["findings"]] == rows
    dices = [row[0] for row in rows]
    assert got["dice_per_finding"] == sum(dices) / 3
    assert got["dice_per_case"] == ((dices[0] + dices[1]) / 2 + dices[2]) / 2
    assert got["hit_rate"] == sum(value >= 0.1 for value in dices) / 3
    tp, fp, fn = (sum(row[n] for row in rows) for n in (2, 3, 4))
    precision = tp / (tp + fp) if tp + fp else float(fn == 0)
    recall = tp / (tp + fn) if tp + fn else float(fp == 0)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    assert (got["instance_precision"], got["instance_recall"], got["instance_f1"]) == (precision, recall, f1)
    assert got["categories"]["2d"]["dice_per_finding"] == (dices[0] + dices[2]) / 2


def block(*places):
    mask = np.zeros((1, *SHAPE), np.uint8)
    for place in places:
        mask[(0, *place)] = 1
    return mask


FULL = (slice(0, 3), slice(0, 4), slice(0, 1))  # 12 voxels


def test_what_cannot_be_scored_is_said_and_left_out(tmp_path, capsys):
    cases = {f"train_910{n}_a_1.nii.gz": ["2d"] for n in range(5)} | {"../../etc/passwd": ["2d"]}
    names = list(cases)
    for name in names[:4]:
        save(tmp_path / "truth" / name, block(FULL))
    save(tmp_path / "predicted" / names[0], block(FULL))
    save(tmp_path / "predicted" / names[2], np.zeros((1, 4, 6, 6), np.uint8))
    (tmp_path / "predicted" / names[3]).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    got = evaluate(tmp_path, cases)
    assert (got["n"], got["dice_per_finding"], got["hit_rate"], got["instance_f1"]) == (1, 1.0, 1.0, 1.0)
    reasons = {one["name"]: one["reason"] for one in got["left_out"]}
    assert reasons[names[1]] == "There is no prediction for it."
    assert "has the shape 1 x 4 x 6 x 6" in reasons[names[2]]
    assert "is a pointer, not the file itself" in reasons[names[3]]
    assert reasons[names[4]] == "There is no reference mask for it."
    assert "not of the form" in reasons[names[5]]
    assert f"left out: {names[1]}: There is no prediction for it." in capsys.readouterr().out


def test_nothing_to_score_is_an_error(tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "predicted").mkdir()
    with pytest.raises(CommandError, match="No case could be scored"):
        evaluate(tmp_path, {"train_9101_a_1.nii.gz": ["2d"]})
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["dice_per_finding"] is None


def test_instances_of_the_reference_are_values_and_those_of_the_prediction_are_components(tmp_path):
    """Truth: two rods that touch, numbered 1 and 7. Prediction: one block over both: one component."""
    name = "train_9101_a_1.nii.gz"
    truth = np.zeros((1, *SHAPE), np.uint8)
    truth[0, 0:2, :, 0], truth[0, 2:4, :, 0] = 1, 7  # 12 voxels each
    save(tmp_path / "truth" / name, truth)
    save(tmp_path / "predicted" / name, (truth > 0).astype(np.uint8))
    (only,) = evaluate(tmp_path, {name: ["2d"]})["findings"]
    # Dice with either rod: 2 * 12 / (12 + 24) = 0.667, so one matches and the other is missed.
    assert (only["dice"], only["tp"], only["fp"], only["fn"]) == (1.0, 1, 0, 1)


def test_small_components_count_for_dice_and_not_for_what_is_kept(tmp_path):
    name = "train_9101_a_1.nii.gz"
    save(tmp_path / "truth" / name, block(FULL))
    save(tmp_path / "predicted" / name, block((0, slice(0, 6), 0), (0, 0, slice(1, 4))))  # 6 + 3 = 9 voxels
    (only,) = evaluate(tmp_path, {name: ["2d"]})["findings"]
    # Shared: 4 of the 6 along y. Raw: 2 * 4 / (12 + 9). Kept: nothing.
    assert only["dice"] == pytest.approx(8 / 21, abs=1e-7)
    assert only["hit"]
    assert only["dice_kept"] == pytest.approx(0, abs=1e-7)
    assert (only["tp"], only["fp"], only["fn"]) == (0, 0, 1)


def test_splits_may_be_chosen(tmp_path):
    name = "train_9101_a_1.nii.gz"
    save(tmp_path / "truth" / "segmentations" / name, block(FULL))
    save(tmp_path / "predicted" / name, block(FULL))
    assert evaluate(tmp_path, {name: ["2d"]}, split=["val"])["n"] == 1
    with pytest.raises(CommandError):
        evaluate(tmp_path, {name: ["2d"]}, split=["test"])
