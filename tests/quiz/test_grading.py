"""Grades on rows: completeness from the library, explanations, and grading again with history."""

import json

import numpy as np
import pytest
from django.core.management import call_command

from cases import storage
from cases.imaging import masks
from cases.models import Category, Finding, Volume
from quiz import attempts, explanations, grading
from quiz.models import Attempt
from quiz.scoring import rules

NODULE = (6, 22, 35)  # k, j, i of the left lower nodule of the tiny chest


@pytest.fixture
def done(trainee, finding, paint):
    return attempts.submit_attempt(attempts.open_attempt(trainee, finding), payload=paint(*NODULE))


def move_truth(finding, k, j, i):
    """A changed mask, as an import would record it."""
    other = np.zeros((24, 40, 48), np.uint8)
    other[k - 1 : k + 2, j - 2 : j + 3, i - 2 : i + 3] = 1
    key = f"truth/moved-{k}-{j}-{i}.mask"
    storage.save_truth(key, masks.pack(masks.from_dense(other)))
    Finding.objects.filter(pk=finding.pk).update(truth_key=key, truth_version=finding.truth_version + 1)


def rescore(tmp_path, **options):
    report = tmp_path / "report.json"
    call_command("rescore", report=report, **options)
    return json.loads(report.read_text())


# -- grading again -------------------------------------------------------------------------------------------------------


def test_a_changed_truth_is_graded_again_and_the_old_grade_kept(done, finding, tmp_path, capsys):
    assert rescore(tmp_path)["graded"] == 0
    move_truth(finding, 17, 14, 12)
    report = rescore(tmp_path)
    assert (report["graded"], report["problems"]) == (1, 0)
    (row,) = report["attempts"]
    assert (row["before"]["verdict"], row["after"]["verdict"]) == ("found", "missed")
    assert "1 from found to missed" in capsys.readouterr().out
    again = Attempt.objects.get(pk=done.pk)
    assert (again.verdict, again.score, again.truth_version) == ("missed", 0.0, done.truth_version + 1)
    assert again.result["truth_version"] == again.truth_version
    (past,) = again.past_grades.all()
    assert (past.verdict, past.score, past.truth_version) == ("found", done.score, done.truth_version)
    assert past.result == done.result
    assert rescore(tmp_path)["graded"] == 0, "a second run has nothing to do"


def test_a_dry_run_changes_nothing(done, finding, tmp_path):
    move_truth(finding, 17, 14, 12)
    assert rescore(tmp_path, dry_run=True)["graded"] == 1
    unchanged = Attempt.objects.get(pk=done.pk)
    assert (unchanged.verdict, unchanged.past_grades.count()) == ("found", 0)


def test_an_old_scorer_version_is_graded_again(done, tmp_path):
    Attempt.objects.filter(pk=done.pk).update(scorer_version="0", score=12.0)
    assert rescore(tmp_path)["graded"] == 1
    again = Attempt.objects.get(pk=done.pk)
    assert (again.scorer_version, again.score) == (rules.SCORER_VERSION, done.score)
    assert again.past_grades.get().score == 12.0


def test_what_cannot_be_graded_again_keeps_its_grade_and_is_said(done, finding, tmp_path, capsys):
    Finding.objects.filter(pk=finding.pk).update(truth_key="truth/gone.mask", truth_version=9)
    report = rescore(tmp_path)
    assert (report["graded"], report["problems"]) == (0, 1)
    assert "cannot be read" in capsys.readouterr().out
    assert Attempt.objects.get(pk=done.pk).score == done.score


def test_a_finding_that_left_the_data_set_keeps_its_grades(done, finding, tmp_path):
    Finding.objects.filter(pk=finding.pk).update(voxels=0, truth_version=9)
    (row,) = rescore(tmp_path)["attempts"]
    assert row["problem"] == "Its finding is no longer in the data set; the grade stays."


def test_two_runs_at_once_put_one_grade_away(done, finding):
    move_truth(finding, 17, 14, 12)
    one, other = (Attempt.objects.select_related("finding__volume").get(pk=done.pk) for _ in range(2))
    grading.regrade(one, write=True)
    grading.regrade(other, write=True)
    assert done.past_grades.count() == 1


# -- completeness --------------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(db):
    """Exhaustive nodules: 40 with one instance, 20 with two, 40 with five; partial ones: 50, 25, and 25 at the cap."""
    from cases.ontology import put_categories

    put_categories(Category)
    volume = Volume.objects.create(
        name="train_1_a_1", split="train", patient_key="a", study_key="b", size_k=1, size_j=1, size_i=1,
        spacing_k=1, spacing_j=1, spacing_i=1, affine=[], slices_key="none",
    )  # fmt: skip
    wanted = [(True, 1, 40), (True, 2, 20), (True, 5, 40), (False, 1, 50), (False, 2, 25), (False, 3, 25)]
    rows = [(full, n) for full, n, count in wanted for _ in range(count)]
    Finding.objects.bulk_create(
        Finding(
            volume=volume, channel=channel, sentence="Nodule", category_id="2d", exhaustive=full, truth_key="x",
            truth_sha256="x", voxels=1, volume_ml=1, diameter_mm=1, box=[], centroid=[], largest_k=0,
            instance_count=n, cap_reached=not full and n >= 3,
        )
        for channel, (full, n) in enumerate(rows)
    )  # fmt: skip


def test_the_prior_is_counted_from_the_library(counted):
    # One: 0.40 / 0.50 = 0.8. Two: 0.20 / 0.25 = 0.8, times 0.85 = 0.68. At the cap: nothing is known.
    of = {(f.exhaustive, f.instance_count): grading.completeness_of(f) for f in Finding.objects.all()}
    assert of[False, 1] == pytest.approx(0.8)
    assert of[False, 2] == pytest.approx(0.68)
    assert of[False, 3] == 0.0
    assert of[True, 5] == 1.0


def test_a_small_library_knows_nothing_of_completeness(library):
    assert grading.count_completeness() == {}


# -- how it was scored ---------------------------------------------------------------------------------------------------


def test_the_explanation_of_an_answer(done, as_user, trainee):
    answer = as_user(trainee).get(f"/api/v1/attempts/{done.pk}/explanation/").json()
    assert [part["name"] for part in answer["parts"]] == ["find", "outline", "restraint", "score"]
    assert answer["parts"][0]["value"] == 1.0
    assert "found, full credit" in answer["parts"][0]["sentences"][1]
    # One slice of 5 x 5 voxels was painted: what counted as hit and as too wide is all of it.
    count = {kind: sum(sum(runs[1::2]) for runs in area["runs"].values()) for kind, area in answer["areas"].items()}
    assert count["hit"] + count["too_wide"] == 25
    assert count["wrong"] == 0
    names = {number["name"] for number in answer["numbers"]}
    assert {"SHARP_TOLERANCE_MM", "MATCH_DICE", "BLOCK_MM"} <= names


def test_the_panel_shows_pictures_of_what_counted(done, as_user, trainee):
    page = as_user(trainee).get(f"/attempts/{done.pk}/explained/").content.decode()
    assert page.count("data:image/png;base64,") == len(explanations.pictures_of(done)) >= 1
    assert "on the finding" in page
    assert "found, full credit" in page


def test_pictures_of_another_truth_are_not_shown(done, finding, as_user, trainee):
    move_truth(finding, 17, 14, 12)
    page = as_user(trainee).get(f"/attempts/{done.pk}/explained/").content.decode()
    assert "no pictures of this score" in page
    assert "data:image" not in page


def test_a_damaged_slice_costs_the_pictures_only(done, finding, as_user, trainee):
    storage.drop_slices(finding.volume.slices_key, finding.volume.size_k)
    page = as_user(trainee).get(f"/attempts/{done.pk}/explained/").content.decode()
    assert "cannot be made" in page
    assert "found, full credit" in page


def test_past_grades_are_named_on_the_page(done, finding, tmp_path, as_user, trainee):
    Attempt.objects.filter(pk=done.pk).update(scorer_version="0")
    rescore(tmp_path)
    assert "by scorer version 0" in as_user(trainee).get(f"/attempts/{done.pk}/").content.decode()


def test_paint_beyond_the_border_of_a_hit_is_judged_where_the_reference_is_partial(library, trainee, paint):
    """Too wide a mark and one that may be right: only the second is not judged, on the picture as in the grade."""
    finding = Finding.objects.get(volume__split="train", channel=0)
    apart, wide = paint(6, 12, 36, 1), paint(6, 22, 35, 4)  # rows 11 to 13, and 18 to 26
    answer = {"size": [24, 40, 48], "runs": {"6": apart["runs"]["6"] + wide["runs"]["6"]}}
    attempt = attempts.submit_attempt(attempts.open_attempt(trainee, finding), payload=answer)
    truth = attempts.truth_of(attempt)
    assert truth["partial"]
    assert truth["unjudged"] == apart
    assert truth["unjudged"] == explanations.explanation_of(attempt)["areas"]["not_judged"]
    exhaustive = attempts.submit_attempt(attempts.open_attempt(trainee, library[0]), payload=answer)
    assert attempts.truth_of(exhaustive)["unjudged"]["runs"] == {}
