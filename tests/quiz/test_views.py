import re

import pytest
from django.test import Client

from quiz import attempts
from quiz.models import User
from quiz.templatetags.sightline import sentence_case

EMPTY = '{"size": [24, 40, 48], "runs": {}}'


def test_unknown_addresses_get_the_sites_own_page(trainee, as_user):
    for client in (Client(), as_user(trainee)):
        response = client.get("/nowhere/")
        assert response.status_code == 404
        assert "Nothing here" in response.content.decode()


def test_a_category_without_findings_is_said(trainee, library, as_user):
    response = as_user(trainee).post("/practice/", {"category": "2g"})
    assert "Nothing to practise here yet" in response.content.decode()


def test_a_refused_answer_is_said_beside_the_form(trainee, finding, as_user):
    attempt = attempts.open_attempt(trainee, finding)
    address = f"/attempts/{attempt.pk}/submit/"
    response = as_user(trainee).post(address, {"mask": EMPTY}, HTTP_HX_REQUEST="true")
    assert response.status_code == 400
    assert "Nothing is painted yet" in response.content.decode()
    broken = as_user(trainee).post(address, {"mask": "{"}, HTTP_HX_REQUEST="true")
    assert "not JSON" in broken.content.decode()


def test_feedback_survives_a_reload(trainee, finding, as_user, paint):
    import json

    attempt = attempts.open_attempt(trainee, finding)
    client = as_user(trainee)
    swapped = client.post(
        f"/attempts/{attempt.pk}/submit/", {"mask": json.dumps(paint(6, 22, 35))}, HTTP_HX_REQUEST="true"
    )
    assert "data-feedback" in swapped.content.decode()
    page = client.get(f"/attempts/{attempt.pk}/").content.decode()
    assert "You found it." in page
    assert 'state="submitted"' in page


def test_a_sentence_is_text_never_markup(trainee, finding, as_user):
    finding.sentence = "<script>alert(1)</script>"
    finding.save()
    attempt = attempts.open_attempt(trainee, finding)
    page = as_user(trainee).get(f"/attempts/{attempt.pk}/").content.decode()
    assert "<script>alert" not in page


def test_sign_up_and_go(db):
    client = Client()
    fields = {"username": "newcomer", "password1": "quite a long secret 9", "password2": "quite a long secret 9"}
    assert client.post("/accounts/signup/", fields).status_code == 302
    assert "Assigned to you" in client.get("/").content.decode()


def test_a_site_may_close_sign_up(client, db, settings):
    assert 'href="/accounts/signup/"' in client.get("/").content.decode()
    settings.SIGNUP_OPEN = False
    assert 'href="/accounts/signup/"' not in client.get("/").content.decode()
    fields = {"username": "stranger", "password1": "quite a long secret 9", "password2": "quite a long secret 9"}
    client.post("/accounts/signup/", fields)
    assert not User.objects.filter(username="stranger").exists()


def test_practice_is_answered_in_the_mode_one_likes(trainee, library, as_user):
    client = as_user(trainee)
    attempt = attempts.open_attempt(trainee, library[0])
    swapped = client.post(f"/attempts/{attempt.pk}/mode/", {"mode": "locate"}, HTTP_HX_REQUEST="true")
    assert "at most three" in swapped.content.decode()
    attempt.refresh_from_db()
    assert attempt.mode == "locate"
    assert attempts.open_attempt(trainee, library[1]).mode == "locate"  # the next one begins as the last
    assert client.post(f"/attempts/{attempt.pk}/mode/", {"mode": "guess"}).status_code == 400


def test_a_case_set_fixes_the_mode(trainee, assignment, library, as_user):
    attempt = attempts.open_attempt(trainee, library[0], assignment=assignment)
    client = as_user(trainee)
    assert 'name="mode"' not in client.get(f"/attempts/{attempt.pk}/").content.decode()
    assert client.post(f"/attempts/{attempt.pk}/mode/", {"mode": "locate"}).status_code == 409
    attempt.refresh_from_db()
    assert attempt.mode == "slice"


def test_an_answer_as_the_page_sends_it(trainee, finding, as_user, paint):
    from django.core.files.uploadedfile import SimpleUploadedFile

    from cases.imaging import compact, masks

    attempt = attempts.open_attempt(trainee, finding)
    sent = compact.encode(masks.from_wire(paint(6, 22, 35), (24, 40, 48)))

    def post(data, **more):
        body = {"paint": SimpleUploadedFile("blob", data), **more}
        return as_user(trainee).post(f"/attempts/{attempt.pk}/submit/", body, HTTP_HX_REQUEST="true")

    assert "cut short" in post(sent[:-1]).content.decode()
    attempts.save_draft(attempt, paint(6, 22, 12), revision=0, writer="desk")
    stale = post(sent, revision=0, writer="tablet")
    assert (stale.status_code, stale["Sightline-Refused"], stale["Sightline-Revision"]) == (409, "stale", "1")
    assert "data-feedback" in post(sent, revision=1, writer="tablet").content.decode()
    assert "data-feedback" in post(sent, revision=0, writer="tablet").content.decode()  # a retry


def test_the_downloads_lie_on_the_ct_that_was_imported(trainee, library, as_user, paint, tiny_dataset, tmp_path):
    """Right and left, both instances: read back by nibabel and compared with the data set's own files."""
    import nibabel as nib
    import numpy as np

    finding = library[1]  # two nodules of the right upper lobe
    attempt = attempts.open_attempt(trainee, finding)
    attempts.submit_attempt(attempt, payload=paint(17, 14, 12))
    name = finding.volume.name
    ct = nib.load(next(tiny_dataset.rglob(f"ct/**/{name}.nii.gz")))
    truth_file = np.asarray(nib.load(tiny_dataset / "segmentations" / f"{name}.nii.gz").dataobj)[finding.channel]
    got = {}
    for which in ("painted", "truth"):
        response = as_user(trainee).get(f"/api/v1/attempts/{attempt.pk}/masks/{which}.nii.gz")
        assert response["Cache-Control"] == "private, no-store"
        path = tmp_path / f"{which}.nii.gz"
        path.write_bytes(b"".join(response.streaming_content))
        got[which] = nib.load(path)
        assert got[which].shape == ct.shape
        assert (got[which].affine == ct.affine).all()
    assert (np.asarray(got["truth"].dataobj) == truth_file).all()
    assert set(np.unique(truth_file)) == {0, 1, 2}
    # Painted: k 17, j 12 to 16, i 10 to 14; the data set's files are (i, j, k).
    expected = np.zeros(ct.shape, np.uint8)
    expected[10:15, 12:17, 17] = 1
    assert (np.asarray(got["painted"].dataobj) == expected).all()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/accounts/login/", ["<h1>Sign in</h1>", "<title>Sign in · Sightline</title>"]),
        ("/accounts/signup/", ["<h1>Sign up</h1>", "<title>Signup · Sightline</title>"]),
        ("/accounts/password/reset/", ["<h1>Reset your password</h1>"]),
        ("/accounts/password/reset/done/", ["<h1>The link is on its way</h1>"]),
    ],
)
def test_pages_of_the_account_speak_like_the_others(db, address, words):
    page = re.sub(r">\s+|\s+<", lambda found: found[0].strip(), Client().get(address).content.decode())
    for expected in words:
        assert expected in page
    assert not re.search("Sign In|Sign Up|Password Reset|contact us", page)
    main = page[page.index("<main") :]
    assert all('class="button"' in button for button in re.findall("<button[^>]*>", main))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (" Two-Factor Authentication\n", "Two-factor authentication"), ("Set up TOTP", "Set up TOTP"),
        ("A Token", "A token"), ("", ""),
    ],
)  # fmt: skip
def test_sentence_case(words, expected):
    assert sentence_case(words) == expected
