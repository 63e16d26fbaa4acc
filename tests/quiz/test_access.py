"""Every address by every role, and what leaves the server before an answer is in."""

import json
import re
from datetime import timedelta

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from quiz import attempts, jobs
from quiz.models import Attempt, EngineEvaluation, Question
from quiz.scoring import evaluation
from tests.fake_engine import Fake

ROLES = ["anonymous", "trainee", "other_trainee", "faculty", "other_faculty"]
SIGN_IN = 302  # to the sign-in page
PAGE = {"anonymous": SIGN_IN, "trainee": 200, "other_trainee": 200, "faculty": 200, "other_faculty": 200}
PUBLIC = dict.fromkeys(ROLES, 200)
OWN = {"anonymous": SIGN_IN, "trainee": 200, "other_trainee": 404, "faculty": 404, "other_faculty": 404}
TAUGHT = {"anonymous": SIGN_IN, "trainee": 403, "other_trainee": 403, "faculty": 200, "other_faculty": 404}
FACULTY = {"anonymous": SIGN_IN, "trainee": 403, "other_trainee": 403, "faculty": 200, "other_faculty": 200}
API = {"anonymous": 401, "trainee": 200, "other_trainee": 200, "faculty": 200, "other_faculty": 200}
API_OWN = {"anonymous": 401, "trainee": 200, "other_trainee": 404, "faculty": 404, "other_faculty": 404}
POST_OWN = {"anonymous": SIGN_IN, "trainee": 302, "other_trainee": 404, "faculty": 404, "other_faculty": 404}
POST_ANY = dict.fromkeys(ROLES, 302)

# name -> (method, address with {attempt} {done} {assignment} {case_set} {cohort} {finding} {volume}, expected per role)
TABLE = {
    "home": ("get", "/", PUBLIC),
    "practice-next": ("post", "/practice/", POST_ANY),
    "finding-open": ("post", "/findings/{finding}/open/", POST_ANY),
    "attempt-detail": ("get", "/attempts/{attempt}/", OWN),
    "attempt-submit": ("post", "/attempts/{attempt}/submit/", {**OWN, "trainee": 400}),
    "attempt-mode": ("post", "/attempts/{attempt}/mode/", {**OWN, "trainee": 400}),
    "attempt-forget": ("post", "/attempts/{done}/forget/", POST_OWN),
    "recorded": ("get", "/recorded/", PUBLIC),
    "recorded-forget": ("post", "/recorded/forget/", POST_ANY),
    "recorded-switch": ("post", "/recorded/switch/", POST_ANY),
    "attempt-hint": ("post", "/attempts/{attempt}/hint/", POST_OWN),
    "attempt-hint-standing": ("get", "/attempts/{attempt}/hint/standing/", OWN),
    "attempt-ask": ("post", "/attempts/{attempt}/ask/", {**OWN, "trainee": 409}),
    "attempt-question": ("get", "/attempts/{done}/questions/{question}/", OWN),
    "attempt-next": ("post", "/attempts/{attempt}/next/", POST_OWN),
    "attempt-explained": ("get", "/attempts/{attempt}/explained/", {**OWN, "trainee": 404}),
    "assignment-detail": ("get", "/assignments/{assignment}/", OWN),
    "assignment-next": ("post", "/assignments/{assignment}/next/", POST_OWN),
    "progress": ("get", "/progress/", PAGE),
    "reliance": ("get", "/progress/opinions/", PAGE),
    "how-scored": ("get", "/scoring/", PUBLIC),
    "about": ("get", "/about/", PUBLIC),
    "faculty-home": ("get", "/faculty/", FACULTY),
    "faculty-findings": ("get", "/faculty/findings/", FACULTY),
    "faculty-case-sets": ("get", "/faculty/case-sets/", FACULTY),
    "faculty-case-set-new": ("get", "/faculty/case-sets/new/", FACULTY),
    "faculty-case-set": ("get", "/faculty/case-sets/{case_set}/", TAUGHT),
    "faculty-case-set-copy": ("post", "/faculty/case-sets/{case_set}/copy/", {**TAUGHT, "faculty": 302}),
    "faculty-assign": ("get", "/faculty/case-sets/{case_set}/assign/", TAUGHT),
    "faculty-assignment": ("get", "/faculty/assignments/{assignment}/", TAUGHT),
    # Without a time the form is refused: 422.
    "faculty-assignment-closing": ("post", "/faculty/assignments/{assignment}/closing/", {**TAUGHT, "faculty": 422}),
    "faculty-assignment-csv": ("get", "/faculty/assignments/{assignment}/csv/", TAUGHT),
    "faculty-cohort": ("get", "/faculty/cohorts/{cohort}/", TAUGHT),
    "faculty-attempt": ("get", "/faculty/attempts/{done}/", TAUGHT),
    "faculty-models": ("get", "/faculty/models/", FACULTY),
    "faculty-evaluation": ("get", "/faculty/models/{evaluation}/", FACULTY),
    "api-token": ("post", "/api/v1/token/", dict.fromkeys(ROLES, 400)),
    "api-categories": ("get", "/api/v1/categories/", API),
    "api-findings": ("get", "/api/v1/findings/", API),
    "api-attempts": ("post", "/api/v1/attempts/", {**dict.fromkeys(ROLES, 400), "anonymous": 401}),
    "api-attempt": ("get", "/api/v1/attempts/{attempt}/", API_OWN),
    "api-attempt-draft": ("put", "/api/v1/attempts/{attempt}/draft/", {**API_OWN, "trainee": 400}),
    "api-attempt-hints": ("post", "/api/v1/attempts/{attempt}/hints/", API_OWN),
    "api-attempt-questions": ("post", "/api/v1/attempts/{attempt}/questions/", {**API_OWN, "trainee": 400}),
    "api-attempt-question": ("get", "/api/v1/attempts/{done}/questions/{question}/", API_OWN),
    "api-attempt-submit": ("post", "/api/v1/attempts/{attempt}/submit/", {**API_OWN, "trainee": 400}),
    "api-attempt-truth": ("get", "/api/v1/attempts/{attempt}/truth/", {**API_OWN, "trainee": 403}),
    "api-attempt-explanation": ("get", "/api/v1/attempts/{attempt}/explanation/", {**API_OWN, "trainee": 403}),
    "api-attempt-masks": ("get", "/api/v1/attempts/{attempt}/masks/truth.nii.gz", {**API_OWN, "trainee": 403}),
    "api-progress": ("get", "/api/v1/progress/", API),
    "volume-manifest": ("get", "/api/v1/volumes/{volume}/", API),
    "volume-slice": ("get", "/api/v1/volumes/{volume}/slices/3/", API),
    "volume-block": ("get", "/api/v1/volumes/{volume}/blocks/0/", API),
    "api-schema": ("get", "/api/v1/schema/", PUBLIC),
    "api-docs": ("get", "/api/v1/docs/", PUBLIC),
}


@pytest.fixture
def world(trainee, other_trainee, faculty, other_faculty, cohort, case_set, assignment, library, paint):
    """One open and one finished attempt of the trainee within the assignment."""
    done = attempts.open_attempt(trainee, library[1], assignment=assignment)
    attempts.submit_attempt(done, payload=paint(17, 14, 12))
    # What the trainee asks the model about this scan is asked before the next finding on it is opened.
    row = jobs.want_sentence(jobs.register(Fake()), library[1].volume, "nodule on the left")
    asked = Question.objects.create(attempt=done, sentence=row.sentence, grounding=row)
    attempt = attempts.open_attempt(trainee, library[0], assignment=assignment)
    evaluated = EngineEvaluation.objects.create(
        engine="fake", version="1", findings=0, report=evaluation.report([], bool)
    )
    people = {
        "anonymous": None,
        "trainee": trainee,
        "other_trainee": other_trainee,
        "faculty": faculty,
        "other_faculty": other_faculty,
    }
    ids = {
        "attempt": attempt.pk,
        "done": done.pk,
        "assignment": assignment.pk,
        "case_set": case_set.pk,
        "cohort": cohort.pk,
        "finding": library[2].pk,
        "volume": library[0].volume_id,
        "question": asked.pk,
        "evaluation": evaluated.pk,
    }
    return people, ids


def ask(client, method, address):
    if method == "get":
        return client.get(address)
    if address.startswith("/api/"):
        return getattr(client, method)(address, "{}", content_type="application/json")
    return getattr(client, method)(address)


@pytest.mark.parametrize("name", TABLE)
def test_address_by_role(name, world, as_user):
    people, ids = world
    method, template, expected = TABLE[name]
    got = {}
    for role in ROLES:
        response = ask(as_user(people[role]), method, template.format(**ids))
        got[role] = response.status_code
        if response.status_code == SIGN_IN and role == "anonymous":
            assert response["Location"].startswith("/accounts/login/")
    assert got == expected


@pytest.mark.parametrize("which", ["painted", "truth"])
def test_masks_of_a_submitted_answer_are_their_owners_alone(which, world, as_user):
    people, ids = world
    address = f"/api/v1/attempts/{ids['done']}/masks/{which}.nii.gz"
    got = {role: as_user(people[role]).get(address).status_code for role in ROLES}
    assert got == API_OWN
    assert as_user(people["trainee"]).get(address.replace(which, "other")).status_code == 404


def names(patterns):
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin" and "accounts" not in str(pattern.pattern):
                yield from names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


def test_every_address_is_in_the_table():
    assert set(names(get_resolver().url_patterns)) == set(TABLE)


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] == "post" and "api" not in name])
def test_addresses_that_change_things_refuse_get(name, world, as_user):
    people, ids = world
    response = as_user(people["trainee"]).get(TABLE[name][1].format(**ids))
    assert response.status_code == 405
    assert b"Sightline" in response.content


def everything(client, ids):
    """Every page, fragment and API answer of an open attempt, with its headers, without what names the request."""
    addresses = [
        "/", "/progress/", "/assignments/{assignment}/", "/attempts/{attempt}/", "/api/v1/attempts/{attempt}/",
        "/api/v1/categories/", "/api/v1/findings/", "/api/v1/progress/", "/api/v1/volumes/{volume}/",
        "/api/v1/volumes/{volume}/slices/6/", "/api/v1/attempts/{attempt}/truth/",
        "/api/v1/attempts/{attempt}/explanation/", "/attempts/{attempt}/explained/",
        "/api/v1/volumes/{volume}/blocks/1/", "/recorded/",
        "/api/v1/attempts/{attempt}/masks/truth.nii.gz", "/api/v1/attempts/{attempt}/masks/painted.nii.gz",
    ]  # fmt: skip
    seen = []
    for address in addresses:
        response = client.get(address.format(**ids))
        body = re.sub(rb"(csrf\w*|X-CSRFToken)[^>]*?[\w-]{40,}", b"", response.content)
        headers = {name: value for name, value in response.headers.items() if name != "Expires"}  # the time of asking
        seen.append((address, response.status_code, headers, body))
    return seen


def test_nothing_before_submission_varies_with_the_truth(world, as_user, library):
    """Move the truth of the open finding elsewhere: not a byte of any answer may change."""
    import numpy as np

    from cases import storage
    from cases.imaging import masks

    people, ids = world
    client = as_user(people["trainee"])
    # Long ago: what a page says in the first half minute only would differ by when it is asked for.
    Attempt.objects.filter(pk=ids["attempt"]).update(opened_at=timezone.now() - timedelta(hours=1))
    before = everything(client, ids)
    finding = library[0]
    other = np.zeros((24, 40, 48), np.uint8)
    other[15:20, 10:20, 10:20] = 1
    other[3, 3, 3] = 2
    storage.save_truth("truth/moved.mask", masks.pack(masks.from_dense(other)))
    type(finding).objects.filter(pk=finding.pk).update(
        truth_key="truth/moved.mask", truth_sha256="0" * 64, voxels=501, volume_ml=90.2, diameter_mm=55.6,
        box=[[15, 20], [10, 20], [10, 20]], centroid=[17, 14, 14], largest_k=16, side="right", zone="upper",
        mean_hu=-1, rim_contrast_hu=3,
    )  # fmt: skip
    finding.instances.all().delete()
    after = everything(client, ids)
    for one, two in zip(before, after, strict=True):
        assert one == two


def test_the_manifest_says_nothing_of_the_data_set(world, as_user, volume):
    people, ids = world
    content = as_user(people["trainee"]).get(f"/api/v1/volumes/{ids['volume']}/").content.decode()
    assert volume.name not in content
    assert set(json.loads(content)) == {
        "id", "size", "spacing_mm", "slices", "slice_filter", "blocks", "block_slices", "window_presets", "credit",
    }  # fmt: skip
