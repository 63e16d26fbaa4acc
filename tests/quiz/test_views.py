from django.test import Client

from quiz import attempts

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
