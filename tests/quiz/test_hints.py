"""The ladder from words to a model's outline: what comes when, what it costs, and what leaves the server before."""

import base64
import re
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz import attempts, hints, jobs, opinions
from quiz.grounding import shown
from quiz.models import Attempt, Grounding, HintModel, Work
from tests.fake_engine import NODULE, OPPOSITE, Fake, versions, work_off

SPOT = (6, 22, 12)  # k, j, i: a first mark on the wrong side


@pytest.fixture
def answered(model, fake, library):
    """The model has looked at every finding: right on the nodule at the left, wrong on the effusion at the right."""
    jobs.want(model, library)
    work_off(fake)
    return {row.finding_id: row for row in Grounding.objects.all()}


@pytest.fixture
def attempt(trainee, finding):
    return attempts.open_attempt(trainee, finding)


def climb(attempt, paint, rungs):
    """Mark something, then take so many rungs."""
    attempts.save_draft(attempt, paint(*SPOT))
    attempt.refresh_from_db()
    taken = []
    for _ in range(rungs):
        taken.append(hints.take_hint(attempt))
        attempt.refresh_from_db()
    return taken


def test_rung_three_comes_after_a_mark_or_half_a_minute(attempt, paint, finding):
    hints.take_hint(attempt), hints.take_hint(attempt)
    with pytest.raises(hints.HintRefused, match="30 s on the scan"):
        hints.take_hint(attempt)
    for seconds, may in ((20, False), (31, True)):  # with time to spare: the clock goes on
        Attempt.objects.filter(pk=attempt.pk).update(opened_at=timezone.now() - timedelta(seconds=seconds))
        attempt.refresh_from_db()
        assert (hints.ladder(attempt)[2].when == "") is may
    assert hints.take_hint(attempt).kind == "slices"


def test_an_empty_draft_is_no_mark(attempt, paint):
    attempts.save_draft(attempt, {"size": [24, 40, 48], "runs": {}})
    assert hints.ladder(attempt)[2].when
    attempts.save_draft(attempt, paint(*SPOT))
    assert not hints.ladder(attempt)[2].when


def test_an_opinion_comes_after_a_mark_however_long_one_looks(attempt, answered, paint):
    Attempt.objects.filter(pk=attempt.pk).update(opened_at=timezone.now() - timedelta(hours=1))
    attempt.refresh_from_db()
    for _ in range(3):
        hints.take_hint(attempt)
    with pytest.raises(hints.HintRefused, match="after your own first mark"):
        hints.take_hint(attempt)
    attempts.save_draft(attempt, paint(*SPOT))
    assert hints.take_hint(attempt).source == "model"


def test_prices_before_taking_are_the_same_for_every_finding(trainee, library, answered):
    ladders = [[rung.bits for rung in hints.ladder(attempts.open_attempt(trainee, one))] for one in library]
    assert ladders == [[0.0, 1.0 + np.log2(3), 4.0, 7.2, 15.4]] * 4


def test_the_heat_is_coarse_and_lies_where_the_model_points(attempt, answered, paint, finding):
    heat = climb(attempt, paint, 4)[3]
    picture = hints.picture_of(heat)["heat"]
    # Voxels of 5 x 6 x 6 mm: two to a cell of about 10 mm along each axis.
    assert picture["step"] == [2, 2, 2]
    assert picture["size"] == [12, 20, 24]
    values = np.frombuffer(base64.b64decode(picture["values"]), np.uint8).reshape(picture["size"])
    a, b, c = np.unravel_index(values.argmax(), values.shape)
    middle = [(box.start + box.stop) / 2 / 2 for box in NODULE]
    assert np.abs(np.array([a + 0.5, b + 0.5, c + 0.5]) - middle).max() <= 1
    # Half as strong at least over the volume of a ball of 4 cm: 33.5 ml; a cell holds 10 x 12 x 12 mm = 1.44 ml.
    assert (values >= 128).sum() * 1.44 >= 33.5
    # It gave away no more than log2(5000 / 33.5) = 7.2 bits, less what was known.
    assert 0 <= heat.bits <= 7.2 - 1.0
    assert heat.opinion["engine"] == "fake"
    assert heat.opinion["checked"] is True


def test_the_outline_is_the_models_own_mask(attempt, answered, paint):
    outline = climb(attempt, paint, 5)[4]
    expected = np.zeros((24, 40, 48), np.uint8)
    expected[NODULE] = 1
    assert (masks.from_wire(hints.picture_of(outline)["outline"], (24, 40, 48)).dense() == expected).all()
    attempt.refresh_from_db()
    # 125 voxels of 0.18 ml = 22.5 ml: log2(5000 / 22.5) = 7.8 bits in all, the side's bit in the sentence among them.
    assert attempt.hint_bits == pytest.approx(7.8 - 1.0, abs=0.05)


def test_what_the_model_says_costs_by_what_it_claims_right_or_wrong(trainee, library, answered, assignment, paint):
    assignment.opinions = "raw"
    assignment.save()
    wrong = library[1]  # two nodules in the right upper lobe; the model marks a place in the right lower zone
    assert answered[wrong.pk].hit is False
    attempt = attempts.open_attempt(trainee, wrong)
    heat = climb(attempt, paint, 4)[3]
    assert heat.opinion["checked"] is False
    values = hints.picture_of(heat)["heat"]["values"]
    assert values
    known = sum(one.bits for one in attempt.hints.all()[:3]) + 1.0
    ml = answered[wrong.pk].heat_ml
    assert heat.bits == pytest.approx(max(0, min(7.2, np.log2(5000 / ml)) - known), abs=0.02)


def test_a_wrong_opinion_is_held_back_and_replaced_in_practice_by_the_reference(trainee, library, answered, paint):
    attempt = attempts.open_attempt(trainee, library[1])
    heat, outline = climb(attempt, paint, 5)[3:]
    assert heat.source == "reference"
    assert "not its opinion" in heat.text
    values = hints.picture_of(heat)["heat"]
    k = np.frombuffer(base64.b64decode(values["values"]), np.uint8).reshape(values["size"]).argmax() // (20 * 24)
    assert 14 <= 2 * k <= 20  # the upper zone, where the nodules are; the model points at slice 6
    assert outline.picture_key == ""
    assert "is not shown" in outline.text
    attempt.refresh_from_db()
    assert attempt.opinion_at is None  # no opinion was shown


def test_in_an_assignment_a_wrong_opinion_is_held_back_without_replacement(
    trainee, library, answered, assignment, paint
):
    attempt = attempts.open_attempt(trainee, library[1])
    heat = climb(attempt, paint, 4)[3]
    assert (heat.picture_key, heat.bits) == ("", 0.0)
    assert hints.picture_of(heat) == {}


@pytest.mark.parametrize(
    ("change", "rungs", "ending"),
    [
        ({"exam": True, "opinions": "raw"}, 1, "an exam gives only the words that are free"),
        ({"opinions": "off"}, 3, "no model’s opinion"),
    ],
)
def test_exams_have_one_rung_and_assignments_without_opinions_three(
    trainee, library, answered, assignment, change, rungs, ending, paint
):
    for name, value in change.items():
        setattr(assignment, name, value)
    assignment.save()
    attempt = attempts.open_attempt(trainee, library[0])
    climb(attempt, paint, rungs)
    assert len(hints.ladder(attempt)) == rungs
    with pytest.raises(hints.HintRefused, match=ending):
        hints.take_hint(attempt)
    attempts.submit_attempt(attempt, payload=paint(*SPOT))
    assert attempts.truth_of(attempt)["model"] is None
    assert opinions.compared(attempt) is None


def test_practice_gives_no_hints_of_what_an_assignment_asks(attempt, assignment, answered, paint):
    """It was opened before the finding was assigned; an exam would give the words alone."""
    (words,) = climb(attempt, paint, 1)
    assert words.bits == 0
    with pytest.raises(hints.HintRefused, match="take its hints there"):
        hints.take_hint(attempt)
    assignment.closes_at = timezone.now() - timedelta(minutes=1)
    assignment.save()
    assert hints.take_hint(attempt).kind == "side"


def test_without_any_model_the_ladder_ends_with_the_slices(attempt, paint):
    climb(attempt, paint, 3)
    with pytest.raises(hints.HintRefused, match="no further hints"):
        hints.take_hint(attempt)


def test_a_missing_opinion_is_asked_for_and_comes(attempt, model, fake, paint):
    climb(attempt, paint, 3)
    with pytest.raises(hints.HintRefused, match="No worker") as refused:
        hints.take_hint(attempt)
    assert not refused.value.waiting
    assert Grounding.objects.get(finding=attempt.finding).priority == 1
    jobs.say_alive("worker", versions(), {})
    with pytest.raises(hints.HintRefused, match="it is next") as refused:
        hints.take_hint(attempt)
    assert refused.value.waiting
    assert attempt.hints.count() == 3
    work_off(fake)
    assert hints.take_hint(attempt).kind == "heat"


def test_what_failed_is_said(attempt, model, fake, paint):
    climb(attempt, paint, 3)
    jobs.want(model, [attempt.finding])
    Grounding.objects.update(state=Work.FAILED, reason="The lungs cannot be found on this scan.")
    with pytest.raises(hints.HintRefused, match="could not answer: The lungs cannot be found"):
        hints.take_hint(attempt)


def test_an_overrun_queue_is_said_with_429(attempt, model, paint, as_user, trainee, settings):
    climb(attempt, paint, 3)
    settings.HINT_QUEUE_LIMIT = 0
    client = as_user(trainee)
    for address, kind in ((f"/attempts/{attempt.pk}/hint/", "htmx"), (f"/api/v1/attempts/{attempt.pk}/hints/", "api")):
        response = client.post(address, **({"HTTP_HX_REQUEST": "true"} if kind == "htmx" else {}))
        assert response.status_code == 429
        assert int(response["Retry-After"]) > 0
        assert "waiting for the model already" in response.content.decode()


def test_nobody_fills_the_queue_alone(trainee, other_trainee, library, model, paint):
    def ask(user, finding):
        attempt = attempts.open_attempt(user, finding)
        climb(attempt, paint, 3)
        with pytest.raises(hints.HintRefused, match="No worker"):
            hints.take_hint(attempt)
        return attempt

    ask(trainee, library[0]), ask(trainee, library[1]), ask(trainee, library[2])
    fourth = attempts.open_attempt(trainee, library[3])
    climb(fourth, paint, 3)
    with pytest.raises(jobs.QueueFull, match="3 of your questions wait"):
        hints.take_hint(fourth)
    ask(other_trainee, library[3])


def test_an_empty_answer_is_an_answer(trainee, library, model, fake, paint):
    finding = library[3]
    finding.sentence = "Emphysema"  # names no side: the fake engine marks nothing
    finding.save()
    jobs.want(model, [finding])
    work_off(fake)
    attempt = attempts.open_attempt(trainee, finding)
    heat, outline = climb(attempt, paint, 5)[3:]
    assert "marks nothing" in heat.text
    assert "names no place" in heat.text
    assert (heat.bits, outline.bits) == (0.0, 0.0)
    assert heat.opinion["checked"] is None  # nothing was there to be held against the reference
    done = attempts.submit_attempt(attempt, payload=paint(*SPOT))
    assert done.ai_outcome == ""  # nor to be followed or resisted


def test_a_model_that_was_not_asked_hides_no_answer_of_another(attempt, answered, finding, settings, paint):
    settings.HINT_MODELS = ["better", "fake"]
    better = Fake("1")
    better.name = "better"
    jobs.want(jobs.register(better), [finding])
    work_off(better)
    assert opinions.opinion_on(finding).model.engine == "better"
    assert hints.offered(attempt) is None  # three words come first
    climb(attempt, paint, 3)
    assert hints.offered(attempt).engine == "better"
    Grounding.objects.filter(model__engine="better").update(asked=False, note="No embedding.", dice=None, hit=None)
    assert opinions.opinion_on(finding).model.engine == "fake"
    assert hints.offered(attempt).engine == "fake"  # who will speak, though the better one is preferred
    assert hints.take_hint(attempt).opinion["engine"] == "fake"
    Grounding.objects.filter(model__engine="fake").delete()
    assert "better 1 cannot be asked this: No embedding." in opinions.standing(opinions.waiting_for(finding)).sentence


def test_a_neighbourhood_of_the_reference_does_not_have_it_in_its_middle(trainee, library, answered, settings):
    """For other findings and other keys of the site the middle lies elsewhere, up to 18 mm away; the region holds it."""
    grid = library[0].volume.grid
    dense = np.zeros(grid.size, np.uint8)
    dense[12, 20, 24] = 1
    mask = masks.from_dense(dense)
    away = []
    for n in range(12):
        settings.SECRET_KEY = f"{n}" * 50
        offset = hints._somewhere("neighbourhood", library[0])
        assert hints._somewhere("neighbourhood", library[0]) == offset  # asked twice it says the same
        heat = shown.neighbourhood(mask, offset, grid)
        assert heat.values[12 // 2, 20 // 2, 24 // 2] >= shown.FAINT
        cells = np.argwhere(heat.values >= 128)
        weights = heat.values[heat.values >= 128]
        middle = (cells * weights[:, None]).sum(0) / weights.sum() + 0.5
        away.append(np.linalg.norm((middle * 2 - [12.5, 20.5, 24.5]) * grid.spacing_mm))
    assert np.median(away) > 8
    assert max(away) < 18 + 9  # a cell is 10 x 12 x 12 mm


def test_where_the_scan_tells_no_side_the_sentence_does(trainee, library, paint):
    finding = library[0]
    finding.side = finding.zone = ""
    finding.save()
    side = climb(attempts.open_attempt(trainee, finding), paint, 2)[1]
    assert side.source == "sentence"
    assert "The sentence itself says: the left, the lower lobe." in side.text
    assert side.bits == 0


# -- reliability ------------------------------------------------------------------------------------------------------


def rated(model, finding, hits, first=50):
    """Rows of as many exhaustive findings of one category, hit or not."""
    volume = finding.volume
    for n, hit in enumerate(hits):
        finding.pk, finding.channel = None, first + n
        finding.save()
        Grounding.objects.create(
            model=model, volume=volume, finding=finding, sentence=str(n), sentence_sha256="", slices_key="",
            state=Work.DONE, queued_at=timezone.now(), hit=hit, dice=0.5 if hit else 0.0,
        )  # fmt: skip


def test_how_often_it_is_right_is_not_told_from_few(model, finding):
    rated(model, finding, [True, False, True, False])
    few = opinions.reliability(model, "2d")
    assert (few.n, few.hit_rate) == (4, None)
    assert "not measured yet (4 findings so far)" in few.sentence


def test_an_answer_that_somebody_waited_for_is_not_told_by_the_difference(model, fake, finding, trainee, paint):
    rated(model, Finding.objects.get(pk=finding.pk), [True, False, True, False, True])
    before = opinions.reliability(model, "2d")
    attempt = attempts.open_attempt(trainee, finding)
    climb(attempt, paint, 3)
    with pytest.raises(hints.HintRefused):
        hints.take_hint(attempt)
    work_off(fake)
    assert opinions.opinion_on(finding).dice is not None
    assert opinions.reliability(model, "2d") == before


def test_how_often_it_is_right_by_hand(model, finding):
    rated(model, finding, [True, False, True, False, True, True])
    measured = opinions.reliability(model, "2d")
    # 4 of 6 hit; Dice 0.5 on four and 0 on two.
    assert (measured.n, measured.hits, measured.dice) == (6, 4, pytest.approx(2 / 6))
    assert "found 4 of 6 (67%), mean Dice 0.33: wrong about 1 in 3" in measured.sentence
    assert opinions.reliability(model, "2e").n == 0


def test_five_right_answers_are_no_proof(model, finding):
    rated(model, finding, [True] * 5)
    assert opinions.reliability(model, "2d").sentence.endswith("found 5 of 5 (100%), mean Dice 0.50.")
    rated(model, finding, [True] * 15, first=60)
    assert "20 of 20 (100%), mean Dice 0.50: hardly ever wrong" in opinions.reliability(model, "2d").sentence


def test_a_newer_version_takes_over_where_it_has_answered(attempt, answered, finding, library):
    newer = Fake("2")
    jobs.want(jobs.register(newer), [finding])
    assert opinions.opinion_on(finding).model.version == "1"
    claimed = jobs.claim("test", versions())
    jobs.perform(claimed, newer)
    assert opinions.opinion_on(finding).model.version == "2"
    assert opinions.opinion_on(library[2]).model.version == "1"
    HintModel.objects.update(active=False)
    assert opinions.opinion_on(finding) is None


# -- what it did to the answer ----------------------------------------------------------------------------------------

RIGHT, WRONG = (6, 22, 35), (6, 22, 12)


@pytest.mark.parametrize(
    ("before", "after", "right", "expected"),
    [
        (WRONG, RIGHT, True, "rescued"),
        (RIGHT, RIGHT, True, "agreed"),
        (WRONG, WRONG, True, "ignored"),
        (RIGHT, WRONG, True, "dropped"),
        (RIGHT, RIGHT, False, "resisted"),
        (WRONG, RIGHT, False, "alone"),
        (RIGHT, WRONG, False, "misled"),
        (WRONG, WRONG, False, "both_missed"),
    ],
)
def test_what_the_opinion_did_is_recorded(trainee, finding, answered, paint, before, after, right, expected):
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(*before))
    for _ in range(4):
        hints.take_hint(attempt)
    Grounding.objects.filter(finding=finding).update(hit=right)
    attempts.save_draft(attempt, paint(*after))
    hints.take_hint(attempt)  # the outline: the paint of before the first opinion is what counts
    done = attempts.submit_attempt(attempt, payload=paint(*after))
    assert done.unaided_verdict == ("found" if before == RIGHT else "missed")
    assert done.ai_outcome == expected
    assert (
        done.score == attempts.submit_attempt(attempts.open_attempt(trainee, finding), payload=paint(*after)).score
    )  # the geometric score is never cut


def test_graded_again_on_another_reference_it_is_said_anew(trainee, finding, answered, paint):
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(*WRONG))
    for _ in range(4):
        hints.take_hint(attempt)
    done = attempts.submit_attempt(attempt, payload=paint(*RIGHT))
    assert (done.unaided_verdict, done.ai_outcome) == ("missed", "rescued")
    key = "truth/elsewhere.mask"  # where the first paint was: it was right, the model and the answer are not
    storage.save_truth(key, masks.pack(masks.from_wire(paint(*WRONG), finding.volume.size)))
    Finding.objects.filter(pk=finding.pk).update(truth_key=key, truth_sha256="0" * 64, truth_version=2)
    call_command("rescore", dry_run=True)
    done.refresh_from_db()
    assert done.ai_outcome == "rescued"
    call_command("rescore")
    done.refresh_from_db()
    assert (done.verdict, done.unaided_verdict, done.ai_outcome) == ("missed", "found", "misled")


def test_without_an_opinion_nothing_is_recorded(attempt, answered, paint):
    climb(attempt, paint, 3)
    done = attempts.submit_attempt(attempt, payload=paint(*RIGHT))
    assert (done.opinion_at, done.unaided_verdict, done.ai_outcome) == (None, "", "")


def test_after_submission_the_models_mask_lies_beside_the_truth(attempt, answered, paint, as_user, trainee):
    attempts.submit_attempt(attempt, payload=paint(*WRONG))
    truth = attempts.truth_of(attempt)
    expected = np.zeros((24, 40, 48), np.uint8)
    expected[NODULE] = 1
    assert (masks.from_wire(truth["model"], (24, 40, 48)).dense() == expected).all()
    page = as_user(trainee).get(f"/attempts/{attempt.pk}/").content.decode()
    assert "You and the model" in page
    dice = opinions.compared(attempt).numbers["dice"]
    assert f"{dice:.2f}" in re.search(r"<th scope=\"row\">Model.*?</tr>", page, re.S).group(0)


# -- nothing of a later rung earlier ----------------------------------------------------------------------------------


def test_nothing_of_the_models_answer_leaves_before_its_rung(trainee, library, answered, paint, as_user, finding):
    """Two worlds in which the model marks mirror images: until rung 4 not a byte of any answer differs."""
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(*SPOT))
    # Long ago: what a page says in the first half minute only would differ by when it is asked for.
    Attempt.objects.filter(pk=attempt.pk).update(opened_at=timezone.now() - timedelta(hours=1))
    client = as_user(trainee)
    addresses = (
        f"/attempts/{attempt.pk}/", f"/api/v1/attempts/{attempt.pk}/", f"/api/v1/attempts/{attempt.pk}/hints/",
        f"/attempts/{attempt.pk}/hint/standing/", "/progress/opinions/", f"/api/v1/attempts/{attempt.pk}/questions/",
    )  # fmt: skip

    def everything():
        seen = []
        for address in addresses:
            body = client.get(address).content
            seen.append(re.sub(rb"(csrf\w*|X-CSRFToken)[^>]*?[\w-]{40,}", b"", body))
        return seen

    row = Grounding.objects.filter(finding=finding)
    ours = row.values("mask_key", "heat_key", "mask_ml", "heat_ml", "checks", "confidence", "note").get()
    mirrored = np.zeros((24, 40, 48), np.uint8)
    mirrored[OPPOSITE] = 1
    from cases import storage

    theirs = ours | {
        "mask_key": storage.save_hint("x", "mask", masks.pack(masks.from_dense(mirrored))),
        "heat_key": storage.save_hint(
            "x", "heat", shown.pack_heat(shown.shown_heat(masks.from_dense(mirrored), None, finding.volume.grid))
        ),
        "mask_ml": 1.0, "heat_ml": 99.0, "checks": {"heat": False, "outline": False}, "confidence": 0.1, "note": "Hm.",
    }  # fmt: skip
    for rung in range(4):
        row.update(**ours)
        before = everything()
        row.update(**theirs)
        assert everything() == before, f"after rung {rung}"
        row.update(**ours)
        client.post(f"/attempts/{attempt.pk}/hint/")
    assert attempt.hints.count() == 4
    row.update(**ours)
    page = client.get(f"/attempts/{attempt.pk}/").content.decode()
    assert "data-picture" in page
    api = client.get(f"/api/v1/attempts/{attempt.pk}/hints/").json()
    assert [bool(one["heat"]) for one in api] == [False, False, False, True]
    assert all(one["outline"] is None for one in api)  # the outline is a rung of its own
    assert client.get(f"/api/v1/attempts/{attempt.pk}/truth/").status_code == 403


def test_the_api_gives_a_taken_rung_with_its_picture(trainee, answered, paint, as_user, finding):
    client = as_user(trainee)
    attempt = attempts.open_attempt(trainee, finding)
    attempts.save_draft(attempt, paint(*SPOT))
    rungs = [client.post(f"/api/v1/attempts/{attempt.pk}/hints/").json() for _ in range(5)]
    assert [one["kind"] for one in rungs] == ["words", "side", "slices", "heat", "outline"]
    assert [one["source"] for one in rungs] == ["category", "reference", "reference", "model", "model"]
    assert rungs[3]["opinion"]["measured"] == {"n": 2, "hit_rate": None, "dice": None}
    assert set(rungs[4]["outline"]) == {"size", "runs"}
    assert client.post(f"/api/v1/attempts/{attempt.pk}/hints/").status_code == 409


def test_a_picture_that_is_gone_is_said_and_the_words_stay(attempt, answered, paint, store, as_user, trainee):
    heat = climb(attempt, paint, 4)[3]
    (store / heat.picture_key).unlink()
    assert "cannot be read" in hints.picture_of(heat)["problem"]
    assert as_user(trainee).get(f"/attempts/{attempt.pk}/").status_code == 200
