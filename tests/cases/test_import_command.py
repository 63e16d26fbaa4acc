"""The import as a user runs it: real files, real child processes, a report. The layout is that of tests/mini.py."""

import errno
import gzip
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.executor import MigrationExecutor

from cases import imports, ingest, storage
from cases.models import Category, Finding, Instance, Volume
from cases.ontology import put_categories
from tests import mini

pytestmark = pytest.mark.django_db(transaction=True)

OLD_ROW = (
    "VolumeName,Rows,RescaleSlope,RescaleIntercept,XYSpacing,ZSpacing,ImagePositionPatient,ImageOrientationPatient\n"
    '{name},40,1,-1024,"[6.0, 6.0]",5.0,"[-141, -120, -60]","[1, 0, 0, 0, 1, 0]"\n'
)


@pytest.fixture(autouse=True)
def categories(db):
    put_categories(Category)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "rex"


def run(root, **more):
    report = root.parent / "report.json"
    report.unlink(missing_ok=True)
    call_command("import_rexgroundingct", str(root), report=report, **({"workers": 1} | more))
    return json.loads(report.read_text())


def run_one(root, **more):
    """Outcome of the only entry, also when that makes the command fail."""
    try:
        return run(root, **more)["entries"][0]
    except CommandError:
        return json.loads((root.parent / "report.json").read_text())["entries"][0]


def assert_imported(case):
    volume = Volume.objects.get(name=case.name.removesuffix(".nii.gz"))
    assert (volume.size, volume.spacing_mm) == (case.ct.shape[::-1], mini.ZOOMS[::-1])
    for finding, expected, mask in zip(volume.findings.order_by("channel"), mini.oracle(case), case.masks, strict=True):
        truth = storage.load_truth(finding.truth_key)
        assert (truth.dense() == mask.transpose(2, 1, 0)).all()
        assert finding.sentence == case.sentences[finding.channel]
        assert finding.category_id == case.categories[finding.channel]
        assert finding.voxels == expected["voxels"]
        assert finding.volume_ml == pytest.approx(expected["volume_ml"])
        assert finding.box == expected["box"]
        assert finding.largest_k == expected["largest_k"]
        assert finding.side == expected["side"]
        assert finding.instance_count == len(expected["values"])
        assert list(finding.instances.values_list("value", flat=True)) == expected["values"]
        assert finding.mean_hu == pytest.approx(np.clip(case.ct, -1024, 3071)[mask > 0].mean())
    return volume


# -- the whole layout -------------------------------------------------------------------------------------------------


def test_both_releases_are_merged_by_name(root, capsys):
    cases = mini.mini(root)
    report = run(root)
    outcomes = {entry["name"]: (entry["split"], entry["outcome"]) for entry in report["entries"]}
    assert outcomes == {
        "train_9001_a_2.nii.gz": ("train", "imported"),
        "valid_9004_b_1.nii.gz": ("train", "imported"),
        "train_9002_b_1.nii.gz": ("val", "imported"),
        "train_9006_a_1.nii.gz": ("val", "imported"),
        "train_9003_a_2.nii.gz": ("test", "skipped"),
        "train_9007_a_1.nii.gz": ("test", "skipped"),
    }
    for case in cases.values():
        assert_imported(case)
    assert all(entry["warnings"] == [] for entry in report["entries"])
    assert "no reference mask" in next(e["reason"] for e in report["entries"] if e["split"] == "test")
    imported = [entry for entry in report["entries"] if entry["outcome"] == "imported"]
    assert all({"read CT", "read masks", "write", "rows"} <= set(entry["seconds"]) for entry in imported)
    nodules = report["splits"]["train"]["findings"]["2d"]
    # Six sentences of the rich case and one of the plain one are nodules; the authors published 1,743.
    assert nodules == {"listed": 6, "in the library": 6, "published": 1743}
    assert report["splits"]["val"]["scans"] == {"listed": 2, "published": 200, "imported": 2}
    assert set(report["release"].values()) == {"not a release known here"}
    assert "in the library" in capsys.readouterr().out


def test_columns_of_completeness_and_place(root):
    mini.mini(root)
    run(root)
    partial = Volume.objects.get(name="train_9001_a_2")
    assert (partial.patient_key, partial.study_key, partial.split) == ("train_9001", "train_9001_a", "train")
    assert Volume.objects.get(name="valid_9004_b_1").patient_key == "valid_9004"
    assert (partial.credit[:14], partial.licence) == ("ReXGroundingCT", "CC BY-NC-SA 4.0")
    three, one = partial.findings.get(channel=1), partial.findings.get(channel=0)
    assert (three.exhaustive, three.instance_count, three.cap_reached) == (False, 3, True)
    assert (one.instance_count, one.cap_reached) == (1, False)
    full = Finding.objects.get(volume__name="train_9002_b_1", channel=0)
    assert (full.exhaustive, full.cap_reached) == (True, False)
    assert (full.side, full.zone) == ("left", "lower")
    assert full.rim_contrast_hu > 300  # a solid nodule in lung
    assert Instance.objects.get(finding=full).z_range == (5, 8)
    assert full.diameter_mm == pytest.approx((27 * 6 * 6 * 5 * 6 / np.pi) ** (1 / 3))  # 27 voxels of 180 mm3


def test_a_second_run_changes_nothing(root):
    mini.mini(root)
    run(root)
    before = snapshot()
    report = run(root)
    assert report["counts"] == {"unchanged": 4, "skipped": 2}
    assert snapshot() == before


def snapshot():
    """Everything the library holds: rows, and every file of the store with its content."""
    findings = list(Finding.objects.order_by("pk").values_list("pk", "truth_version", "truth_sha256", "voxels"))
    files = {}
    base = Path(storage._store().path(""))
    for path in sorted(base.rglob("*")):
        if path.is_file():
            files[str(path.relative_to(base))] = path.read_bytes()
    return findings, list(Volume.objects.order_by("name").values_list("name", "slices_key", "source")), files


def assert_store_and_rows_agree():
    """Every file belongs to a row and every row's files are there and sound."""
    assert [problem for volume in Volume.objects.all() for problem in ingest.problems(volume)] == []
    base = Path(storage._store().path(""))
    there = {str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()}
    expected = set(Finding.objects.values_list("truth_key", flat=True))
    for volume in Volume.objects.all():
        expected |= {f"{volume.slices_key}/{k:04d}.gz" for k in range(volume.size_k)}
        expected.add(f"{volume.slices_key}/complete.json")
    assert there == expected


def test_a_changed_mask_is_a_new_truth_version_of_the_same_finding(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    run(root)
    before = Finding.objects.get(channel=0)
    case.masks[0][33, 20, 5] = 0
    mini.put(root, case)
    outcome = run_one(root)
    after = Finding.objects.get(channel=0)
    assert (after.pk, after.truth_version) == (before.pk, before.truth_version + 1)
    assert Finding.objects.get(channel=1).truth_version == 1
    assert after.voxels == before.voxels - 1
    assert storage.load_truth(before.truth_key).voxels() == before.voxels  # what attempts were graded on stays
    # The JSON still says the old count: worth a warning, no reason to refuse.
    assert outcome["warnings"] == ["Finding 0 has 26 voxels, the JSON says 27."]


def test_a_changed_ct_replaces_its_slices(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    run(root)
    case.ct[0, 0, 0] = -500
    mini.put(root, case)
    assert run_one(root)["outcome"] == "imported"
    assert Finding.objects.get(channel=0).truth_version == 1
    assert_store_and_rows_agree()


def test_a_finding_that_is_gone_is_not_offered_any_more(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    run(root)
    short = mini.Case(case.name, case.ct, case.masks[:1], case.sentences[:1], case.categories[:1])
    mini.one_scan(root, short)
    run(root)
    assert list(Finding.objects.usable().values_list("channel", flat=True)) == [0]
    assert Finding.objects.count() == 2


# -- where files may lie ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "dataset/train_fixed/train_9002/train_9002_a",
        "ct/dataset/train_fixed/train_9002/train_9002_a",
        "images/dataset/train_fixed/train_9002/train_9002_a",
        "ct_rate_fixed/train_fixed/train_9002/train_9002_a",
        "train_fixed/train_9002/train_9002_a",
        "ct",
        "images",
        "../elsewhere",
        "../elsewhere/dataset/train_fixed/train_9002/train_9002_a",
    ],
)
def test_cts_are_found_in_every_usual_place(root, place):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    target = root / place / case.name
    target.parent.mkdir(parents=True, exist_ok=True)
    mini.ct_path(root, case.name).rename(target)
    assert run_one(root, ct=[root.parent / "elsewhere"])["outcome"] == "imported"


def test_the_corrected_generation_is_preferred_to_the_old(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    mini.save(mini.ct_path(root, case.name, tree="{prefix}"), (case.ct + 1024.0).astype(np.float32), np.eye(4))
    assert run_one(root)["warnings"] == []


# -- the negative fixtures of the note, (a) to (n) ---------------------------------------------------------------------


def findings_last(root, case):
    mini.save(mini.mask_path(root, case.name), case.masks.transpose(1, 2, 3, 0), None)


def one_too_few(root, case):
    mini.save(mini.mask_path(root, case.name), case.masks[:1], None)


def other_depth(root, case):
    mini.save(mini.ct_path(root, case.name), case.ct[:, :, :-1], mini.AFFINE)


def flipped_ct(root, case):
    mini.save(mini.ct_path(root, case.name), case.ct[::-1, ::-1].astype(np.float64), mini.AFFINE)


def old_generation(root, case, *, table=False):
    mini.ct_path(root, case.name).unlink()
    mini.save(mini.ct_path(root, case.name, tree="{prefix}"), (case.ct + 1024.0).astype(np.float32), np.eye(4))
    if table:
        path = root / "ct" / "dataset" / "metadata" / "train_metadata.csv"
        path.parent.mkdir(parents=True)
        path.write_text(OLD_ROW.format(name=case.name))


def pointer(root, case):
    mini.ct_path(root, case.name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def cut(root, case):
    path = mini.mask_path(root, case.name)
    path.write_bytes(path.read_bytes()[:-200])


def no_ct(root, case):
    mini.ct_path(root, case.name).unlink()


def unfinished(root, case):
    no_ct(root, case)
    path = root / "ct" / ".cache" / "huggingface" / "download" / "dataset" / f"{case.name}.abc123.incomplete"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x1f\x8b")


def no_mask(root, case):
    mini.mask_path(root, case.name).unlink()


def nothing_is_hu(root, case):
    mini.save(mini.ct_path(root, case.name), case.ct + np.int16(1024), mini.AFFINE)


def a_folder(root, case):
    no_mask(root, case)
    mini.mask_path(root, case.name).mkdir()


def no_number(root, case):
    affine = mini.AFFINE.copy()
    affine[0, 3] = np.nan
    mini.save(mini.ct_path(root, case.name), case.ct, affine)


def a_bomb(root, case):
    path = mini.mask_path(root, case.name)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(200_000_000), 1))


def lies_about_size(root, case):
    path = mini.ct_path(root, case.name)
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[42:48] = np.array([30000, 30000, 30000], np.int16).tobytes()
    path.write_bytes(gzip.compress(bytes(plain)))


NEGATIVE = [
    (one_too_few, "failed", "fits neither 2 findings"),
    (other_depth, "failed", "48 x 40 x 23, the JSON says 48 x 40 x 24"),
    (flipped_ct, "held back", "turned by half a turn in the slice"),
    (old_generation, "failed", "metadata CSV"),
    (pointer, "failed", "is a pointer"),
    (cut, "failed", "cut short"),
    (no_ct, "skipped", "CT was not found"),
    (unfinished, "skipped", "begun and not finished"),
    (no_mask, "skipped", "no reference mask"),
    (nothing_is_hu, "held back", "do not seem to be HU"),
    (a_folder, "skipped", "no reference mask"),
    (no_number, "failed", "not numbers"),
    (a_bomb, "failed", "more data than its header says"),
    (lies_about_size, "failed", "30000"),
]


@pytest.mark.parametrize(("spoil", "outcome", "words"), NEGATIVE, ids=[spoil.__name__ for spoil, *_ in NEGATIVE])
def test_one_bad_entry_costs_one_entry(root, spoil, outcome, words):
    good, bad = mini.plain("train_9001_a_1.nii.gz"), mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, good)
    mini.put(root, bad)
    mini.write_json(root, "dataset.json", train=[good.entry(), bad.entry()])
    spoil(root, bad)
    entries = {entry["name"]: entry for entry in run(root)["entries"]}
    assert entries[bad.name]["outcome"] == outcome
    assert words in entries[bad.name]["reason"]
    assert entries[good.name]["outcome"] == "imported"
    assert [volume.name for volume in Volume.objects.all()] == ["train_9001_a_1"]
    assert_store_and_rows_agree()


def test_findings_may_come_last(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    findings_last(root, case)
    run(root)
    assert_imported(case)


def test_one_finding_may_come_without_its_axis(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    case = mini.Case(case.name, case.ct, case.masks[:1], case.sentences[:1], case.categories[:1])
    mini.one_scan(root, case)
    mini.save(mini.mask_path(root, case.name), case.masks[0], None)
    run(root)
    assert_imported(case)


def test_the_old_generation_is_read_with_its_metadata(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    old_generation(root, case, table=True)
    outcome = run_one(root)
    assert "old CT-RATE generation" in outcome["warnings"][0]
    volume = assert_imported(case)
    # As the affine of the corrected file: the first voxel at (-141, -120, -60) in LPS.
    assert volume.grid.lps_mm((0, 0, 0)) == pytest.approx((-141, -120, -60))


def test_small_differences_are_warnings(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    case.masks = np.concatenate([case.masks, np.zeros_like(case.masks[:1])])
    case.sentences.append("Something that nobody outlined")
    case.categories.append("2d")
    case.extra = {"unheard": {"of": 1}}
    mini.one_scan(root, case)
    entry = case.entry()
    entry["pixels"]["0"] += 1
    entry["entity_counts"]["1"] = 5
    entry["categories"]["1"] = "9z"
    mini.write_json(root, "dataset.json", train=[entry])
    warnings = " ".join(run_one(root)["warnings"])
    assert "Finding 0 has 27 voxels, the JSON says 28." in warnings
    assert "Finding 1 has 1 instances, the JSON says 5." in warnings
    assert "Finding 2 has an empty mask and is not offered." in warnings
    assert "the category '9z'" in warnings
    assert list(Finding.objects.usable().values_list("channel", flat=True)) == [0]


def test_optional_fields_are_optional(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    entry = {key: value for key, value in case.entry().items() if key in ("name", "findings", "shape", "categories")}
    mini.write_json(root, "dataset.json", train=[entry])
    assert run_one(root)["warnings"] == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "train_1_a_1.nii.gz/..", "train_1_a_1", ""])
def test_names_are_never_paths(root, name):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    mini.write_json(root, "dataset.json", train=[case.entry() | {"name": name}, case.entry()])
    entries = {entry["name"]: entry for entry in run(root)["entries"]}
    assert "not of the form" in entries[name]["reason"]
    assert entries[case.name]["outcome"] == "imported"


def test_a_link_out_of_the_folder_is_not_followed(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    secret = root.parent / "secret.nii.gz"
    mini.mask_path(root, case.name).rename(secret)
    mini.mask_path(root, case.name).symlink_to(secret)
    assert run_one(root)["outcome"] == "skipped"


def test_a_held_back_entry_can_be_taken_on_trust(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    flipped_ct(root, case)
    outcome = run_one(root, trust=[case.name])
    assert outcome["outcome"] == "imported"
    assert "Taken on trust" in outcome["warnings"][-1]


# -- trouble in the machine -------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_no_half_volume(root, monkeypatch):
    mini.mini(root)
    write, count = storage._write, iter(range(10**6))

    def until_full(name, data):
        if "train_9001" in name and next(count) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(name, data)

    monkeypatch.setattr(storage, "_write", until_full)
    entries = {entry["name"]: entry for entry in run(root)["entries"]}
    assert "No space left" in entries["train_9001_a_2.nii.gz"]["reason"]
    assert Volume.objects.filter(name="train_9001_a_2").count() == 0
    assert Volume.objects.count() == 3
    monkeypatch.undo()
    storage_again = run(root)["counts"]
    assert storage_again == {"imported": 1, "unchanged": 3, "skipped": 2}


def test_an_unreadable_file_is_named(root, monkeypatch):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    opened = Path.open

    def refuse(self, *args, **more):
        if self.name == case.name and "segmentations" in str(self):
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, *args, **more)

    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be opened: Permission denied" in run_one(root)["reason"]


def test_a_killed_child_costs_its_own_entry_only(root, monkeypatch):
    mini.mini(root)
    store = ingest.store_volume

    def die(entry, *args, **more):
        if entry.name.startswith("train_9001"):
            os.kill(os.getpid(), signal.SIGKILL)
        return store(entry, *args, **more)

    monkeypatch.setattr(ingest, "store_volume", die)
    report = run(root, workers=2)
    entries = {entry["name"]: entry for entry in report["entries"]}
    assert "was killed" in entries["train_9001_a_2.nii.gz"]["reason"]
    assert report["counts"] == {"imported": 3, "failed": 1, "skipped": 2}


def test_too_much_memory_is_said(root, monkeypatch):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    monkeypatch.setattr(ingest, "store_volume", lambda *args, **more: np.ones(1 << 50, np.uint8))
    assert "GB of memory" in run_one(root)["reason"]


def test_an_endless_entry_is_given_up(root, monkeypatch):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    monkeypatch.setattr(imports, "CHILD_SECONDS", 1)
    monkeypatch.setattr(ingest, "store_volume", lambda *args, **more: signal.pause())
    assert "was given up" in run_one(root)["reason"]


# -- dry run, check, errors of use -------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing(root, store):
    mini.mini(root)
    report = run(root, dry_run=True)
    assert report["counts"] == {"would be imported": 4, "skipped": 2}
    assert not Volume.objects.exists()
    assert not list(store.rglob("*.gz"))


def test_a_dry_run_says_what_headers_tell(root):
    case = mini.plain("train_9002_a_1.nii.gz")
    mini.one_scan(root, case)
    one_too_few(root, case)
    assert "fits neither" in run_one(root, dry_run=True)["reason"]


def test_check_finds_damage_and_the_next_import_mends_it(root, store):
    mini.mini(root)
    run(root)
    assert run(root, check=True)["counts"] == {"sound": 4}
    before = snapshot()
    hurt = Volume.objects.get(name="train_9001_a_2")
    (store / hurt.slices_key / "0003.gz").write_bytes(b"x")
    (store / Volume.objects.get(name="train_9002_b_1").slices_key / "0004.gz").unlink()
    (store / Finding.objects.get(volume__name="train_9006_a_1", channel=0).truth_key).write_bytes(b"x")
    with pytest.raises(CommandError, match="damaged"):
        run(root, check=True)
    entries = json.loads((root.parent / "report.json").read_text())["entries"]
    reasons = {entry["name"]: entry["reason"] for entry in entries if entry["outcome"] == "damaged"}
    assert set(reasons) == {"train_9001_a_2.nii.gz", "train_9002_b_1.nii.gz", "train_9006_a_1.nii.gz"}
    assert "k = 3" in reasons["train_9001_a_2.nii.gz"]
    assert run(root)["counts"] == {"imported": 3, "unchanged": 1, "skipped": 2}
    assert run(root, check=True)["counts"] == {"sound": 4}
    assert snapshot() == before


def test_nothing_imported_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="holds neither"):
        call_command("import_rexgroundingct", str(tmp_path))


def test_the_whole_ontology_is_there():
    # 12 parents; 6+8+11+4+3+5+5+7+6+3+3 = 61 sub-categories.
    assert Category.objects.filter(parent=None).count() == 12
    assert Category.objects.exclude(parent=None).count() == 61
    assert sorted(Category.objects.filter(annotated=True).values_list("code", flat=True)) == [
        "1a", "1b", "1c", "1d", "1e", "1f", "2a", "2b", "2c", "2d", "2e", "2f", "2g", "2h",
    ]  # fmt: skip
    assert Category.objects.get(code="11b").parent_id == "11"


# -- the place it goes to ----------------------------------------------------------------------------------------------


def test_a_store_that_does_not_answer_fails_entries_in_words(root, settings, tmp_path):
    mini.one_scan(root, mini.rich())
    settings.STORAGES = {
        **settings.STORAGES,
        "volumes": {"BACKEND": "tests.cases.test_storage.Away", "OPTIONS": {"location": str(tmp_path / "other")}},
    }
    entry = run_one(root)
    assert entry["outcome"] == "failed"
    assert "no route to the bucket" in entry["reason"]
    assert not Volume.objects.exists()


def test_without_tables_the_line_to_run_is_said(root, monkeypatch):
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [object()])
    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        run(root)
