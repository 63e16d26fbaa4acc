import csv

from quiz import attempts
from quiz.models import CaseSet


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
