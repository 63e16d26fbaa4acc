"""What was on screen: kept with an answer, used to say why something was missed, and deleted when asked."""

import json

import pytest

from cases import storage
from quiz import attempts, telemetry
from quiz.models import Attempt

EMPTY = {"size": [24, 40, 48], "runs": {}}


def log(*slices, covers=True, window=(-600, 1500), scale=10):
    look = {
        "view": "axial", "level": window[0], "width": window[1], "scale": scale, "field": 65535, "slices": list(slices),
    }  # fmt: skip
    return {"version": 1, "covers": covers, "duration_ms": 60_000, "first_mark_ms": 4200, "looks": [look]}


# The left lower nodule of the tiny chest lies on slices 5 to 7 or so of 24; slice 6 is its largest, number 18.
@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (log(12, 12, 1000), "search", "It was never on screen (slice 18)."),
        (log(6, 1, 300), "brief", "It was on screen for 0.3 s in all (slice 18): too briefly to be seen."),
        (log(6, 1, 9000), "recognition", "It was on screen for 9.0 s (slice 18): looked at, and not recognised."),
        (log(6, 1, 9000, window=(2000, 100)), "window", "hardly stands out in the window you used (level 2000, width 100)"),
        (log(6, 1, 9000, scale=0.01), "small", "too small to be made out; zoom in."),
        (log(12, 12, 1000, covers=False), "", ""),
        (None, "", ""),
        ({"version": 1, "looks": [[["deep"]]]}, "", ""),
    ],
)  # fmt: skip
def test_why_it_was_missed(trainee, finding, sent, kind, words):
    done = attempts.submit_attempt(attempts.open_attempt(trainee, finding), payload=EMPTY, absent=True, looks=sent)
    assert (done.verdict, done.error_type) == ("missed", kind)
    assert words in done.error_note


def test_what_was_found_needs_no_reason(trainee, finding, paint):
    done = attempts.submit_attempt(
        attempts.open_attempt(trainee, finding), payload=paint(6, 22, 35), looks=log(6, 1, 9000)
    )
    assert (done.verdict, done.error_type, done.error_note) == ("found", "", "")
    told = telemetry.summary(done)
    assert told == {
        "seconds": 60, "first_mark_seconds": 4, "slices_seen": 1, "slices": 24,
        "windows": [{"level": -600, "width": 1500, "seconds": 9}],
    }  # fmt: skip


def test_paint_on_a_diffuse_finding_was_recognised(trainee, library):
    # Voxels of 5 x 6 x 6 mm: blocks of 1 x 1 x 1 voxels in a slice, so any paint fills one. Of 10 mm and 1 mm they are
    # 11 x 11, of which one voxel is less than a tenth.
    finding = library[3]
    finding.volume.spacing_k = finding.volume.spacing_j = finding.volume.spacing_i = 1.0
    finding.volume.save()
    truth = storage.load_truth(finding.truth_key)
    k, j, i = (int(axis[0]) for axis in truth.dense().nonzero())
    one = {"size": list(truth.size), "runs": {str(k): [j * truth.size[2] + i, 1]}}
    attempt = attempts.open_attempt(trainee, finding, mode="slice")
    done = attempts.submit_attempt(attempt, payload=one, looks=log(0, 24, 9000))
    assert (done.verdict, done.score, done.error_type, done.error_note) == ("missed", 0.0, "", "")
    assert "You are in the right place but marked too little of it" in done.result["feedback"][0]
    assert "elsewhere" not in " ".join(done.result["feedback"])


def test_a_retry_with_a_longer_log_is_the_same_answer(trainee, finding, paint):
    attempt = attempts.open_attempt(trainee, finding)
    first = attempts.submit_attempt(attempt, payload=paint(6, 22, 12), looks=log(6, 1, 9000))
    again = attempts.submit_attempt(Attempt.objects.get(), payload=paint(6, 22, 12), looks=log(6, 1, 9900))
    assert again.telemetry == first.telemetry


def test_it_can_be_deleted_and_switched_off(trainee, library, as_user, paint):
    client = as_user(trainee)
    for finding in library[:3]:
        attempts.submit_attempt(
            attempts.open_attempt(trainee, finding), payload=EMPTY, absent=True, looks=log(0, 24, 1000)
        )
    one = Attempt.objects.order_by("pk")[0]
    assert one.error_type
    page = client.get(f"/attempts/{one.pk}/").content.decode()
    assert one.error_note in page
    assert "24 of 24" in page
    assert client.post(f"/attempts/{one.pk}/forget/")["Location"] == f"/attempts/{one.pk}/"
    one.refresh_from_db()
    assert (one.telemetry, one.error_type, one.error_note, one.verdict) == (None, "", "", "missed")
    assert "We hold it for 2 of your answers" in client.get("/recorded/").content.decode()
    client.post("/recorded/forget/")
    assert not telemetry.kept(Attempt.objects.all()).exists()
    client.post("/recorded/switch/", {"keep": "off"})
    assert "It is not recorded." in client.get("/recorded/").content.decode()
    fourth = attempts.open_attempt(type(trainee).objects.get(pk=trainee.pk), library[3])
    assert "data-records" not in client.get(f"/attempts/{fourth.pk}/").content.decode()
    done = attempts.submit_attempt(fourth, payload=EMPTY, absent=True, looks=log(0, 24, 1000))
    assert done.telemetry is None
    client.post("/recorded/switch/", {"keep": "on"})
    assert type(trainee).objects.get(pk=trainee.pk).records_looks


def test_a_teacher_does_not_see_it(trainee, faculty, assignment, library, as_user):
    attempt = attempts.open_attempt(trainee, library[0], assignment=assignment)
    done = attempts.submit_attempt(attempt, payload=EMPTY, absent=True, looks=log(12, 12, 1000))
    assert done.error_note
    page = as_user(faculty).get(f"/faculty/attempts/{done.pk}/").content.decode()
    assert done.error_note not in page
    assert "never on screen" not in page


def test_an_answer_never_fails_for_what_is_sent_beside_it(trainee, library, as_user, paint):
    client = as_user(trainee)
    for n, sent in enumerate(["{", "[" * 100_000, json.dumps({"version": 1}), json.dumps(log(0, 99, 10))]):
        attempt = attempts.open_attempt(trainee, library[n])
        body = {"mask": json.dumps(paint(6, 22, 35)), "telemetry": sent}
        answer = client.post(f"/attempts/{attempt.pk}/submit/", body, HTTP_HX_REQUEST="true")
        assert answer.status_code == 200
        attempt.refresh_from_db()
        assert attempt.telemetry is None
