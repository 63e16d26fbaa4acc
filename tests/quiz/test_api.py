import json
import re
import struct

import numpy as np
import pytest
from django.test import Client

from cases import storage
from cases.imaging import slices
from cases.imaging.phantom.cases import tiny
from tests.conftest import PASSWORD


@pytest.fixture
def call(trainee, library):
    """Call the API as a script does: by token."""
    client = Client()
    answer = client.post(
        "/api/v1/token/", json.dumps({"username": "trainee", "password": PASSWORD}), "application/json"
    )
    token = f"Token {answer.json()['token']}"

    def send(method, address, body=None):
        data = body if isinstance(body, str) else json.dumps(body)
        kwargs = {} if body is None else {"data": data, "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1/{address}", HTTP_AUTHORIZATION=token, **kwargs)

    return send


@pytest.fixture
def attempt(call, finding):
    return call("post", "attempts/", {"finding": finding.pk, "mode": "slice"}).json()


def test_the_whole_loop(call, attempt, finding, paint):
    assert attempt["state"] == "opened"
    assert attempt["result"] is None
    address = f"attempts/{attempt['id']}/"
    assert call("get", address + "truth/").status_code == 403
    assert call("put", address + "draft/", {"mask": paint(6, 22, 35)}).status_code == 200
    assert call("post", address + "hints/").json()["rung"] == 1
    body = {"mask": paint(6, 22, 35), "confidence": 3}
    result = call("post", address + "submit/", body).json()["result"]
    assert result["verdict"] == "found"
    assert call("post", address + "submit/", body).json()["result"] == result
    assert call("post", address + "submit/", {"mask": paint(6, 22, 34)}).status_code == 409
    assert call("put", address + "draft/", {"mask": paint(6, 22, 35)}).status_code == 409
    truth = call("get", address + "truth/").json()
    assert truth["largest_k"] == 6
    assert truth["painted"] == paint(6, 22, 35)
    assert [one["outcome"] for one in truth["instances"]] == ["found"]
    progress = {row["category"]: row for row in call("get", "progress/").json()}
    assert progress["2d"]["attempts"] == 1
    assert progress["2e"]["attempts"] == 0


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[" * 100_000,
        {},
        {"mask": None},
        {"mask": {"size": [24, 40, 49], "runs": {}}},
        {"mask": {"size": [24, 40, 48], "runs": {"24": [0, 1]}}},
        {"mask": {"size": [24, 40, 48], "runs": {"0": [1919, 2]}}},
        {"mask": {"size": [24, 40, 48], "runs": {}}},
        {"mask": {"size": [24, 40, 48], "runs": {"0": [0, 1]}}, "confidence": 5},
        {"mask": {"size": [24, 40, 48], "runs": {"0": [0, 1]}}, "absent": True},
        "9" * (8 * 1024 * 1024 + 1),
    ],
    ids=["text", "deep", "none", "null", "volume", "slice", "run", "empty", "confidence", "both", "large"],
)
def test_bad_answers_get_400_and_a_sentence(call, attempt, body):
    response = call("post", f"attempts/{attempt['id']}/submit/", body)
    assert response.status_code == 400
    assert response.json()
    assert call("get", f"attempts/{attempt['id']}/").json()["state"] == "opened"


def test_slices_are_the_house_array(call, volume):
    expected = tiny("valid_9201_a_1", "val", 0).voxels
    for k in (0, 7, 23):
        raw = call("get", f"volumes/{volume.pk}/slices/{k}/?format=raw")
        assert raw["Content-Type"] == "application/octet-stream"
        assert (np.frombuffer(raw.content, "<i2").reshape(40, 48) == expected[k]).all()
        plain = call("get", f"volumes/{volume.pk}/slices/{k}/")  # no Accept-Encoding: sent unpacked
        assert plain.content == slices.gunzip(storage.read_slice(volume.slices_key, k))
    assert call("get", f"volumes/{volume.pk}/slices/24/").status_code == 404


def test_slices_are_not_sent_twice(trainee, volume, as_user):
    client = as_user(trainee)
    first = client.get(f"/api/v1/volumes/{volume.pk}/slices/3/", HTTP_ACCEPT_ENCODING="gzip")
    assert first["Content-Encoding"] == "gzip"
    assert "immutable" in first["Cache-Control"]
    assert "private" in first["Cache-Control"]
    again = client.get(f"/api/v1/volumes/{volume.pk}/slices/3/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert again.status_code == 304


@pytest.mark.parametrize("part", ["slices/3", "blocks/1"])
def test_the_bytes_of_a_scan_do_not_name_its_file(trainee, volume, as_user, part):
    """Who knows the name finds the reference in the data set."""
    headers = dict(as_user(trainee).get(f"/api/v1/volumes/{volume.pk}/{part}/").headers)
    assert len(headers["ETag"]) > 16
    assert not any(piece in str(headers) for piece in (volume.name, volume.study_key, volume.patient_key, "valid"))


@pytest.mark.parametrize("damage", ["missing", "corrupt"])
def test_a_damaged_slice_is_said_and_the_rest_works(call, volume, store, damage, caplog):
    path = store / volume.slices_key / "0005.gz"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"\x1f\x8bnonsense")
    response = call("get", f"volumes/{volume.pk}/slices/5/?format=raw")
    assert response.status_code == 503
    assert "cannot be read" in response.json()["detail"]
    assert response.json()["code"] == "damaged"  # which no server that is down for a moment says
    assert f"slice 5 of volume {volume.pk}" in caplog.text
    assert call("get", f"volumes/{volume.pk}/slices/6/?format=raw").status_code == 200


def test_blocks_hold_the_slices_as_they_are_stored(call, trainee, volume, as_user):
    """24 slices are three blocks of 8."""
    for n in range(3):
        body = call("get", f"volumes/{volume.pk}/blocks/{n}/").content
        lengths, at = struct.unpack("<8I", body[:32]), 32
        for k, length in enumerate(lengths, start=8 * n):
            assert body[at : at + length] == storage.read_slice(volume.slices_key, k)
            at += length
        assert at == len(body)
    assert call("get", f"volumes/{volume.pk}/blocks/3/").status_code == 404
    assert call("get", "volumes/99999/blocks/0/").status_code == 404
    first = as_user(trainee).get(f"/api/v1/volumes/{volume.pk}/blocks/1/")
    assert {"private", "immutable"} <= set(re.split(r",\s*", first["Cache-Control"]))
    again = as_user(trainee).get(f"/api/v1/volumes/{volume.pk}/blocks/1/", HTTP_IF_NONE_MATCH=first["ETag"])
    assert again.status_code == 304
    manifest = call("get", f"volumes/{volume.pk}/").json()
    assert manifest["blocks"].partition("?")[0] == f"/api/v1/volumes/{volume.pk}/blocks/{{n}}/"
    assert manifest["block_slices"] == 8


def test_a_block_with_a_missing_slice_has_a_gap_and_is_not_kept(call, volume, store, caplog):
    (store / volume.slices_key / "0009.gz").unlink()
    response = call("get", f"volumes/{volume.pk}/blocks/1/")
    lengths = struct.unpack("<8I", response.content[:32])
    assert [k for k, length in enumerate(lengths, start=8) if not length] == [9]
    assert len(response.content) == 32 + sum(lengths)
    assert response["Cache-Control"] == "no-store"
    assert "slice 9" in caplog.text


def test_findings_can_be_filtered_and_say_nothing_of_the_mask(call, library):
    rows = call("get", "findings/?category=2e").json()["results"]
    assert len(rows) == 2  # one effusion in each of the two scans
    assert all(set(row) == {"id", "sentence", "category", "volume"} for row in rows)
    assert len(call("get", "findings/?exhaustive=true").json()["results"]) == 4
    assert call("get", "findings/?exhaustive=maybe").status_code == 400


def test_unknown_addresses_answer_in_json(call):
    assert call("get", "nowhere/").status_code == 404
    assert "detail" in call("get", "nowhere/").json()


def test_csrf_is_asked_of_sessions(trainee, finding):
    client = Client(enforce_csrf_checks=True)
    client.force_login(trainee)
    body = json.dumps({"finding": finding.pk})
    assert client.post("/api/v1/attempts/", body, "application/json").status_code == 403


COUNTED = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def test_guessing_passwords_is_slowed_down(settings, trainee):
    settings.CACHES = {"default": COUNTED | {"LOCATION": "guesses"}}
    client = Client()
    body = {"username": "trainee", "password": "wrong"}
    # Five in five minutes for one name, as on the sign-in page, and together with those made there.
    page = [client.post("/accounts/login/", {"login": "trainee", "password": f"wrong {n}"}) for n in range(2)]
    codes = [client.post("/api/v1/token/", body, "application/json").status_code for _ in range(4)]
    assert ([one.status_code for one in page], codes) == ([200, 200], [400, 400, 400, 429])
    refused = client.post("/api/v1/token/", body | {"password": PASSWORD}, "application/json")
    assert (refused.status_code, refused["Retry-After"]) == (429, "300")


def test_tokens_are_not_asked_for_by_the_dozen(settings, db):
    settings.CACHES = {"default": COUNTED | {"LOCATION": "throttle"}}
    client = Client()
    bodies = [json.dumps({"username": f"nobody {n}", "password": "wrong"}) for n in range(21)]
    codes = [client.post("/api/v1/token/", body, "application/json").status_code for body in bodies]
    assert set(codes[10:]) == {429}  # ten wrong ones a minute from one address


def test_who_has_a_second_factor_gets_no_token_for_a_password(trainee):
    from allauth.mfa.totp.internal import auth

    auth.TOTP.activate(trainee, auth.generate_totp_secret())
    body = {"username": "trainee", "password": PASSWORD}
    refused = Client().post("/api/v1/token/", body, "application/json")
    assert refused.status_code == 400
    assert "second factor" in refused.json()["non_field_errors"][0]


def test_a_new_password_ends_the_token_of_the_old_one(trainee, as_user):
    made = Client().post("/api/v1/token/", {"username": "trainee", "password": PASSWORD}, "application/json").json()
    with_token = {"Authorization": f"Token {made['token']}"}
    assert Client(headers=with_token).get("/api/v1/progress/").status_code == 200
    new = {"oldpassword": PASSWORD, "password1": "another long password", "password2": "another long password"}
    assert as_user(trainee).post("/accounts/password/change/", new).status_code == 302
    assert Client(headers=with_token).get("/api/v1/progress/").status_code == 401


def test_a_category_that_is_none_finds_nothing(call):
    for category in ("9z", "2d%00", "x" * 300):
        assert call("get", f"findings/?category={category}").json()["results"] == []


def test_the_admin_is_entered_by_the_sign_in_page(django_user_model):
    django_user_model.objects.create_superuser("boss", password=PASSWORD)
    client = Client()
    sent = client.post("/admin/login/?next=/admin/", {"username": "boss", "password": PASSWORD})
    assert (sent.status_code, sent["Location"]) == (302, "/accounts/login/?next=%2Fadmin%2F")
    assert client.get("/admin/").status_code == 302  # not signed in
    client.post("/accounts/login/", {"login": "boss", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200


def test_a_form_larger_than_any_answer_is_refused_before_it_is_read(trainee, settings):
    from django.core.files.uploadedfile import SimpleUploadedFile

    settings.MAX_MASK_BYTES = 1000
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "x" * 32
    for letters, code in ((1500, 403), (5000, 400)):  # the smaller one is read, and has no token
        sent = client.post("/practice/", {"paint": SimpleUploadedFile("paint", b"x" * letters)})
        assert sent.status_code == code


def test_masks_in_the_compact_form(trainee, finding, paint, as_user):
    from cases.imaging import compact, masks

    client = as_user(trainee)
    made = client.post("/api/v1/attempts/", {"finding": finding.pk}, "application/json").json()
    address = f"/api/v1/attempts/{made['id']}/"
    sent = compact.encode(masks.from_wire(paint(6, 22, 35), (24, 40, 48)))

    def put(body, query=""):
        return client.put(f"{address}draft/{query}", body, compact.CONTENT_TYPE)

    assert put(sent, "?revision=0&writer=desk").json()["revision"] == 1
    refused = put(compact.encode(masks.empty((24, 40, 48))), "?revision=0&writer=tablet")
    assert refused.status_code == 409
    assert (refused.json()["code"], refused.json()["revision"]) == ("stale", 1)
    assert "Nothing was overwritten" in refused.json()["detail"]
    for bad in (b"", b"nonsense", sent[:-1], sent + b"\0", b"\0" * (8 * 2**20 + 1)):
        answer = put(bad)
        assert answer.status_code == 400
        assert answer.json()
    assert put(sent, "?revision=-1").status_code == 400
    assert put(sent, "?writer=a%20b").status_code == 400
    assert put("{}", "").status_code == 400
    done = client.post(f"{address}submit/?confidence=3", sent, compact.CONTENT_TYPE).json()
    assert (done["result"]["verdict"], done["confidence"]) == ("found", 3)
    late = put(sent)
    assert (late.status_code, late.json()["code"]) == (409, "submitted")
