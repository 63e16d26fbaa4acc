"""The import as a user runs it: real files, real child processes, a report."""

import gzip
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from cases import storage
from cases.imaging import rexlike
from cases.imaging.phantom.cases import tiny
from cases.models import Category, Finding, Instance, Volume
from cases.ontology import put_categories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def categories(db):
    put_categories(Category)


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / "rex"
    cases = [tiny("valid_9301_a_1", "val", 0), tiny("train_9302_a_1", "train", 1), tiny("train_9303_a_1", "test", 2)]
    rexlike.write_index(root, [rexlike.write_case(root, case) for case in cases])
    return root


def run(root, tmp_path, **more):
    report = tmp_path / "report.json"
    call_command("import_rexgroundingct", str(root), report=report, workers=1, **more)
    return {entry["name"].removesuffix(".nii.gz"): entry for entry in json.loads(report.read_text())["entries"]}


def test_import_is_complete_and_safe_to_repeat(dataset, tmp_path):
    outcomes = run(dataset, tmp_path)
    assert {name: entry["outcome"] for name, entry in outcomes.items()} == {
        "valid_9301_a_1": "imported", "train_9302_a_1": "imported", "train_9303_a_1": "skipped",
    }  # fmt: skip
    assert "no reference mask" in outcomes["train_9303_a_1"]["reason"]
    assert all(entry["warnings"] == [] for entry in outcomes.values())
    volume = Volume.objects.get(name="valid_9301_a_1")
    assert volume.credit.startswith("Synthetic chest")
    case = tiny("valid_9301_a_1", "val", 0)
    for finding, made in zip(volume.findings.order_by("channel"), case.findings, strict=True):
        assert (storage.load_truth(finding.truth_key).dense() == made.truth).all()
        assert finding.voxels == np.count_nonzero(made.truth)
    assert Finding.objects.get(volume=volume, channel=1).instances.count() == 2
    before = list(Finding.objects.values_list("pk", "truth_version"))
    again = run(dataset, tmp_path)
    assert again["valid_9301_a_1"]["outcome"] == "unchanged"
    assert list(Finding.objects.values_list("pk", "truth_version")) == before


def test_a_changed_mask_is_a_new_truth_version_of_the_same_finding(dataset, tmp_path):
    run(dataset, tmp_path)
    before = Finding.objects.get(volume__name="valid_9301_a_1", channel=0)
    case = tiny("valid_9301_a_1", "val", 0)
    case.findings[0].truth[6, 22, 35] = 0
    rexlike.write_case(dataset, case)
    outcome = run(dataset, tmp_path)["valid_9301_a_1"]
    after = Finding.objects.get(volume__name="valid_9301_a_1", channel=0)
    assert (after.pk, after.truth_version) == (before.pk, before.truth_version + 1)
    assert Finding.objects.get(volume__name="valid_9301_a_1", channel=1).truth_version == 1
    # The JSON still says the old count: worth a warning, no reason to refuse.
    assert "the JSON says" in outcome["warnings"][0]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer"),
        (gzip.compress(b"nothing"), "NIfTI-1 header"),
    ],
)
def test_one_bad_file_costs_one_entry(dataset, tmp_path, damage, words):
    rexlike.ct_path(dataset, "train_9302_a_1").write_bytes(damage)
    outcomes = run(dataset, tmp_path)
    assert outcomes["train_9302_a_1"]["outcome"] == "failed"
    assert words in outcomes["train_9302_a_1"]["reason"]
    assert outcomes["valid_9301_a_1"]["outcome"] == "imported"
    assert Volume.objects.count() == 1


def test_a_flipped_ct_is_held_back(dataset, tmp_path):
    case = tiny("valid_9301_a_1", "val", 0)
    case.voxels[:] = case.voxels[:, ::-1, ::-1].copy()
    rexlike.write_case(dataset, case)
    outcome = run(dataset, tmp_path)["valid_9301_a_1"]
    assert outcome["outcome"] == "failed"
    assert "held back" in outcome["reason"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "train_1_a_1.nii.gz/..", "train_1_a_1", ""])
def test_names_are_never_paths(dataset, tmp_path, name):
    path = dataset / "dataset.json"
    content = json.loads(path.read_text())
    content["train"][0]["name"] = name
    path.write_text(json.dumps(content))
    entries = json.loads(path.read_text())
    assert entries["train"][0]["name"] == name
    outcomes = run(dataset, tmp_path)
    assert "not of the form" in outcomes[name]["reason"]


def test_findings_are_ordered_by_number_not_by_text(dataset, tmp_path):
    path = dataset / "dataset.json"
    content = json.loads(path.read_text())
    entry = content["val"][0]
    entry["findings"] = dict(reversed(entry["findings"].items()))
    path.write_text(json.dumps(content))
    run(dataset, tmp_path)
    sentences = Finding.objects.filter(volume__split="val").order_by("channel").values_list("sentence", flat=True)
    assert sentences[0] == "Solid nodule in the left lower lobe"


def test_nothing_imported_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="holds neither"):
        call_command("import_rexgroundingct", str(tmp_path))


def test_instances_know_their_place(dataset, tmp_path):
    run(dataset, tmp_path)
    nodule = Instance.objects.get(finding__volume__split="val", finding__channel=0)
    assert nodule.side == "left"
    assert nodule.zone == "lower"
    assert nodule.largest_k == 6
