import csv
from datetime import timedelta

import pytest
from django.utils import timezone

from quiz import assignments, attempts
from quiz.models import Assignment, CaseSet


def test_a_case_set_is_made_assigned_and_followed(faculty, trainee, cohort, library, as_user, paint):
    client = as_user(faculty)
    chosen = [library[2].pk, library[0].pk]
    made = client.post("/faculty/case-sets/new/", {"name": "Two", "mode": "slice", "finding": chosen})
    assert made.status_code == 302
    case_set = CaseSet.objects.get(name="Two")
    assert list(case_set.items.values_list("finding", flat=True)) == chosen
    window = {"cohort": cohort.pk, "opens_at": "2026-01-01T08:00", "closes_at": "2099-01-01T08:00"}
    address = client.post(f"/faculty/case-sets/{case_set.pk}/assign/", window)["Location"]
    attempt = attempts.open_attempt(trainee, library[0])
    attempts.submit_attempt(attempt, payload=paint(6, 22, 35))
    page = client.get(address).content.decode()
    assert "1 of 1 started, 0 finished" in page
    rows = list(csv.DictReader(b"".join(client.get(f"{address}csv/")).decode().splitlines()))
    assert [(row["position"], row["state"], row["verdict"], row["found"]) for row in rows] == [
        ("1", "not begun", "", ""),
        ("2", "submitted", "found", "True"),
    ]
    assert ("Official hits" in page, "is in the CSV only" in page) == (False, True)  # it was answered in slice mode
    CaseSet.objects.update(mode="volume")
    assert "Official hits" in client.get(address).content.decode()


def test_the_search_narrows_by_words_category_and_size(faculty, library, as_user):
    client = as_user(faculty)

    def found(query):
        return client.get(f"/faculty/findings/?{query}").content.decode().count("data-pick")

    assert found("words=effusion") == 2  # one in each scan
    assert found("words=effusion&exhaustive=on") == 1
    assert found("category=2d&exhaustive=on") == 2
    assert found("smallest_mm=500") == 0


def test_closing_before_opening_is_said(faculty, cohort, case_set, as_user):
    window = {"cohort": cohort.pk, "opens_at": "2026-01-02T08:00", "closes_at": "2026-01-01T08:00"}
    response = as_user(faculty).post(f"/faculty/case-sets/{case_set.pk}/assign/", window)
    assert response.status_code == 422
    assert "must close after it opens" in response.content.decode()


def test_a_name_is_needed(faculty, as_user):
    assert as_user(faculty).post("/faculty/case-sets/new/", {"name": "", "mode": "slice"}).status_code == 422


WINDOW = {"opens_at": "2026-01-01T08:00", "closes_at": "2099-01-01T08:00"}


def test_an_exam_with_all_opinions_is_refused_once(faculty, cohort, case_set, as_user):
    sent = {"cohort": cohort.pk, **WINDOW, "exam": "on", "opinions": "raw"}
    response = as_user(faculty).post(f"/faculty/case-sets/{case_set.pk}/assign/", sent)
    assert response.status_code == 422
    assert response.content.decode().count("An exam shows no opinion of a model.") == 1
    assert not Assignment.objects.exists()


def test_teacher_and_trainee_read_what_an_assignment_is(faculty, trainee, cohort, case_set, as_user):
    sent = {"cohort": cohort.pk, **WINDOW, "exam": "on", "opinions": "checked"}
    address = as_user(faculty).post(f"/faculty/case-sets/{case_set.pk}/assign/", sent)["Location"]
    made = Assignment.objects.get()
    assert (made.exam, made.opinions) == (True, "off")
    for person, page in ((faculty, address), (trainee, f"/assignments/{made.pk}/")):
        words = as_user(person).get(page).content.decode()
        assert '<span class="code-chip">Exam</span> Slice: outline it where it is largest.' in words
        assert "Opens 1 Jan 2026, 08:00, closes 1 Jan 2099, 08:00 (UTC)." in words
        assert "No opinion of a model is shown" in words
        Assignment.objects.update(exam=False, opinions="raw")
        assert "all of them, wrong ones included" in as_user(person).get(page).content.decode()
        Assignment.objects.update(exam=True, opinions="off")


def test_an_assignment_is_closed_now_or_at_another_time(faculty, trainee, assignment, as_user):
    client, address = as_user(faculty), f"/faculty/assignments/{assignment.pk}/closing/"

    def closes():
        assignment.refresh_from_db()
        return assignment.closes_at

    later = timezone.now().replace(second=0, microsecond=0) + timedelta(days=3)
    moved = client.post(address, {"closes_at": later.strftime("%Y-%m-%dT%H:%M"), "exam": "on", "opinions": "raw"})
    assert moved.status_code == 302
    assert closes() == later
    assert (assignment.exam, assignment.opinions) == (False, "checked")  # nothing else is changed here
    past = client.post(address, {"closes_at": (timezone.now() - timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M")})
    assert past.status_code == 422
    assert "close it now" in past.content.decode()
    client.post(address, {"now": "on"})
    assert closes() <= timezone.now()
    assert "Open until then" in client.get(f"/faculty/assignments/{assignment.pk}/").content.decode()
    with pytest.raises(attempts.AttemptRefused):
        attempts.open_attempt(trainee, assignment.case_set.findings.first(), assignment=assignment)


def test_an_exam_that_is_begun_gets_no_less_time(trainee, assignment, library):
    now = timezone.now()
    assignment.exam = True
    sooner, later = now + timedelta(hours=2), now + timedelta(days=2)  # it closes in a day
    assignments.move_closing(assignment, closes_at=later, now=now)
    attempts.open_attempt(trainee, library[0], assignment=assignment)
    with pytest.raises(assignments.AssignmentRefused):
        assignments.move_closing(assignment, closes_at=sooner, now=now)
    assignments.move_closing(assignment, closes_at=now, now=now)
    assert not assignment.is_open(now)


def test_what_is_begun_is_changed_in_a_copy(faculty, trainee, assignment, case_set, library, as_user):
    attempts.open_attempt(trainee, library[0], assignment=assignment)
    client = as_user(faculty)
    page = client.get(f"/faculty/case-sets/{case_set.pk}/").content.decode()
    assert "Somebody has begun this case set" in page
    changed = {"name": "Start", "mode": "volume", "finding": [library[0].pk]}
    refused = client.post(f"/faculty/case-sets/{case_set.pk}/", changed)
    assert refused.content.decode().count("make a copy to change them") == 1
    copied = client.post(f"/faculty/case-sets/{case_set.pk}/copy/", follow=True)
    assert "Somebody has begun" not in copied.content.decode()
    made = CaseSet.objects.get(name="Start (copy)")
    listed = list(made.items.values_list("finding", "position"))
    assert listed == [(library[0].pk, 1), (library[1].pk, 2)] == list(case_set.items.values_list("finding", "position"))
    saved = client.post(f"/faculty/case-sets/{made.pk}/", changed, follow=True)
    assert "is saved with 1 finding." in saved.content.decode()
    CaseSet.objects.filter(pk=made.pk).update(name="x" * 120)
    again = assignments.copy_case_set(CaseSet.objects.get(pk=made.pk), owner=faculty)
    assert again.name == "x" * 113 + " (copy)"  # 120 letters at most, 7 of them the ending


def test_a_teacher_sees_what_was_painted(faculty, trainee, assignment, library, as_user, paint):
    attempt = attempts.open_attempt(trainee, library[0], assignment=assignment)
    attempts.submit_attempt(attempt, payload=paint(6, 22, 35))
    page = as_user(faculty).get(f"/faculty/attempts/{attempt.pk}/").content.decode()
    # Painted on k 6 of 24, number 18: 5 x 5 voxels, the nodule among them.
    assert 'src="data:image/png;base64,' in page
    assert "slice 18: on the finding" in page
    assert 'data-action="jump"' not in page  # there is no reading room beside it


def test_hints_are_marked_in_the_matrix(faculty, trainee, assignment, library, as_user, paint):
    attempt = attempts.open_attempt(trainee, library[0], assignment=assignment)
    attempts.submit_attempt(attempt, payload=paint(6, 22, 35))
    address = f"/faculty/assignments/{assignment.pk}/"
    assert "assisted" not in as_user(faculty).get(address).content.decode()
    type(attempt).objects.update(hint_bits=2.6)
    assert (
        'title="2.6 bits of location came from hints, or from asking a model before">assisted'
        in as_user(faculty).get(address).content.decode()
    )
