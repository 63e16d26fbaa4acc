"""Ask the model: one's own sentence, after submission, only on one's own scan, slowly, and never stuck."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cases.imaging import masks
from quiz import assignments, attempts, jobs, opinions, questions
from quiz.models import Attempt, Grounding, Question, Work
from tests.fake_engine import OPPOSITE, versions, work_off

RIGHT = (6, 22, 35)


@pytest.fixture
def worker(model):
    jobs.say_alive("here", versions(), {})


@pytest.fixture
def done(trainee, finding, paint):
    return attempts.submit_attempt(attempts.open_attempt(trainee, finding), payload=paint(*RIGHT))


def test_a_question_is_asked_queued_and_answered(done, model, worker, fake, as_user, trainee):
    client = as_user(trainee)
    address = f"/api/v1/attempts/{done.pk}/questions/"
    asked = client.post(address, {"sentence": "nodule on the RIGHT"}, content_type="application/json")
    assert asked.status_code == 201
    assert (asked.json()["state"], asked.json()["outline"]) == ("queued", None)
    page = client.get(f"/attempts/{done.pk}/").content.decode()
    assert "it is next" in page
    work_off(fake)
    one = client.get(f"{address}{asked.json()['id']}/").json()
    assert one["state"] == "done"
    expected = np.zeros((24, 40, 48), np.uint8)
    expected[OPPOSITE] = 1
    assert (masks.from_wire(one["outline"], (24, 40, 48)).dense() == expected).all()
    fragment = client.get(f"/attempts/{done.pk}/questions/{one['id']}/").content.decode()
    assert "Marks 22.50 ml, slices 16 to 20" in fragment  # k 4 to 8 of 24: numbers 24 - 8 and 24 - 4
    assert "could not be read" in fragment  # the fake engine names no category
    assert "hx-get" not in fragment  # it has stopped asking


def test_the_same_question_is_one_question(done, model, worker):
    first = questions.ask(done, "nodule on the left")
    assert questions.ask(done, "  Nodule  on the LEFT ") == first
    assert Grounding.objects.count() == 1


def test_two_people_share_an_answer_but_not_a_question(done, model, worker, other_trainee, finding, paint):
    theirs = attempts.submit_attempt(attempts.open_attempt(other_trainee, finding), payload=paint(*RIGHT))
    one, two = questions.ask(done, "nodule on the left"), questions.ask(theirs, "nodule on the left")
    assert one != two
    assert one.grounding == two.grounding


def test_before_submission_nothing_can_be_asked(trainee, finding, model):
    with pytest.raises(questions.QuestionRefused, match="Answer first"):
        questions.ask(attempts.open_attempt(trainee, finding), "nodule on the left")


def test_not_while_another_finding_of_the_scan_is_open(done, model, trainee, library):
    attempts.open_attempt(trainee, library[2])
    with pytest.raises(questions.QuestionRefused, match="1 finding on this scan is still for you"):
        questions.ask(done, "right pleural effusion")


def test_not_while_an_assignment_waits_on_the_scan(trainee, model, assignment, library, paint):
    done = attempts.submit_attempt(attempts.open_attempt(trainee, library[0]), payload=paint(*RIGHT))
    with pytest.raises(questions.QuestionRefused, match="still for you"):
        questions.ask(done, "two nodules at the right")
    attempts.submit_attempt(attempts.open_attempt(trainee, library[1]), payload=paint(*RIGHT))
    assert questions.ask(done, "two nodules at the right")


def test_an_exam_answers_no_questions(trainee, model, assignment, library, paint):
    done = attempts.submit_attempt(attempts.open_attempt(trainee, library[0]), payload=paint(*RIGHT))
    assignment.exam = True
    assignment.save()
    with pytest.raises(questions.QuestionRefused, match="no model’s opinion"):
        questions.ask(Attempt.objects.get(pk=done.pk), "nodule on the left")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [("", "Write what to look for"), ("12 ?!", "Write what to look for"), ("x" * 10_000, "10000 letters long")],
)
def test_what_is_no_sentence_is_said(done, model, as_user, trainee, sentence, said):
    response = as_user(trainee).post(f"/attempts/{done.pk}/ask/", {"sentence": sentence}, HTTP_HX_REQUEST="true")
    assert response.status_code == 409
    assert said in response.content.decode()
    assert len(response.content) < 6000  # ten thousand letters are not sent back


def test_markup_in_a_question_is_text(done, model, worker, as_user, trainee):
    client = as_user(trainee)
    client.post(f"/attempts/{done.pk}/ask/", {"sentence": "<script>alert(1)</script> left"}, HTTP_HX_REQUEST="true")
    assert "<script>alert" not in client.get(f"/attempts/{done.pk}/").content.decode()


def test_another_language_is_answered_with_the_engines_note(done, model, worker, fake, as_user, trainee):
    question = questions.ask(done, "Rundherd im Oberlappen")
    work_off(fake)
    page = as_user(trainee).get(f"/attempts/{done.pk}/questions/{question.pk}/").content.decode()
    assert "Marks nothing for this sentence" in page
    assert "names no place" in page


def test_three_wait_at_once_and_twenty_in_an_hour(done, model, worker, fake, as_user, trainee):
    for n in range(3):
        questions.ask(done, f"nodule {n}")
    client = as_user(trainee)
    refused = client.post(f"/attempts/{done.pk}/ask/", {"sentence": "one more"}, HTTP_HX_REQUEST="true")
    assert refused.status_code == 429
    assert refused["Retry-After"] == "30"
    assert "3 of your questions wait" in refused.content.decode()
    work_off(fake)
    for n in range(3, 20):
        questions.ask(done, f"nodule {n}")
        work_off(fake)
    with pytest.raises(questions.QuestionRefused, match="20 questions within an hour") as slow:
        questions.ask(done, "nodule 21")
    assert 3500 < slow.value.retry_after <= 3601
    Question.objects.update(asked_at=timezone.now() - timedelta(minutes=61))
    assert questions.ask(done, "nodule 21")


def test_without_a_worker_it_says_so_and_stops_turning(done, model, as_user, trainee):
    question = questions.ask(done, "nodule on the left")
    fragment = as_user(trainee).get(f"/attempts/{done.pk}/questions/{question.pk}/").content.decode()
    assert "No worker for fake 1 is running" in fragment
    assert 'class="busy"' not in fragment
    jobs.say_alive("here", versions(), {})
    fragment = as_user(trainee).get(f"/attempts/{done.pk}/questions/{question.pk}/").content.decode()
    assert 'class="busy"' in fragment


def test_a_worker_that_died_while_answering_is_not_believed_in(done, model, worker, as_user, trainee):
    question = questions.ask(done, "nodule on the left")
    jobs.claim("here", versions())
    assert opinions.standing(question.grounding).state == "queued"  # read before the claim
    question.refresh_from_db()
    question.grounding.refresh_from_db()
    assert opinions.standing(question.grounding).state == "running"
    from quiz.models import HintWorker

    HintWorker.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    assert opinions.standing(question.grounding).state == "no_worker"


def test_what_failed_says_why_and_can_be_asked_again(done, model, worker, fake, as_user, trainee):
    question = questions.ask(done, "this refuses")
    work_off(fake)
    fragment = as_user(trainee).get(f"/attempts/{done.pk}/questions/{question.pk}/").content.decode()
    assert "could not answer: The lungs cannot be found" in fragment
    assert 'class="busy"' not in fragment
    assert questions.ask(done, "this refuses") == question
    assert Grounding.objects.get().state == Work.QUEUED


def test_without_a_model_the_page_has_no_such_box(done, as_user, trainee):
    assert 'id="ask"' not in as_user(trainee).get(f"/attempts/{done.pk}/").content.decode()
    with pytest.raises(questions.QuestionRefused, match="No model is set up"):
        questions.ask(done, "nodule on the left")


@pytest.mark.parametrize(
    ("category", "confidence", "says"), [("2d", 0.9, ""), ("2d", 0.2, "not sure"), ("1b", 0.9, "half of the time")]
)
def test_an_answer_that_nothing_can_be_held_against_says_its_doubt(done, model, fake, category, confidence, says):
    row = jobs.want_sentence(model, done.finding.volume, "nodule on the left")
    asked = Question.objects.create(attempt=done, sentence=row.sentence, grounding=row)
    work_off(fake)
    Grounding.objects.filter(pk=row.pk).update(attributes={"category": category}, confidence=confidence)
    told = questions.told(Question.objects.select_related("grounding__model").get(pk=asked.pk))
    assert says in told.doubt
    assert bool(told.doubt) is bool(says)


def test_an_answer_is_withheld_while_another_finding_of_the_scan_is_to_be_answered(
    done, model, worker, fake, as_user, trainee, library, paint
):
    question = questions.ask(done, "nodule on the right")
    work_off(fake)
    client = as_user(trainee)
    api, page = f"/api/v1/attempts/{done.pk}/questions/", f"/attempts/{done.pk}/questions/{question.pk}/"
    assert client.get(api).json()[0]["outline"]
    other = attempts.open_attempt(trainee, library[2])
    for told in (client.get(api).json()[0], client.get(f"{api}{question.pk}/").json()):
        assert (told["outline"], told["confidence"], told["note"]) == (None, None, "")
        assert "1 finding on this scan is still for you to answer" in told["detail"]
    for address in (page, f"/attempts/{done.pk}/"):
        content = client.get(address).content.decode()
        assert "would give away where to look" in content
        assert "22.50 ml" not in content
        assert "slices 16" not in content
    attempts.submit_attempt(other, payload=paint(*RIGHT))
    assert client.get(api).json()[0]["outline"]
    assert "22.50 ml" in client.get(page).content.decode()


def test_an_answered_finding_withholds_nothing_when_it_is_opened_again(done, trainee, finding):
    attempts.open_attempt(trainee, finding)
    assert questions.withheld_from(done) == ""


def test_an_exam_that_comes_later_withholds_it_too(done, model, worker, fake, case_set, cohort, faculty):
    question = questions.ask(done, "nodule on the right")
    work_off(fake)
    question = Question.objects.get()
    assert questions.told(question).slices
    now = timezone.now()
    assignments.assign(
        case_set, cohort=cohort, opens_at=now, closes_at=now + timedelta(days=1), by=faculty, exam=True
    )  # two findings of this scan, of which one was answered in practice
    assert "1 finding on this scan is still for you to answer" in questions.withheld_from(done)
    assert questions.told(question).slices is None


def test_what_an_answer_gave_away_counts_as_help_only_where_it_lies(model, worker, fake, trainee, library, paint):
    """The fake engine marks 22.5 ml at the left, on the nodule: log2(5000 / 22.5) = 7.8 bits."""
    asked_of = attempts.submit_attempt(attempts.open_attempt(trainee, library[1]), payload=paint(*RIGHT))
    questions.ask(asked_of, "nodule on the left")
    work_off(fake)
    on_it = attempts.open_attempt(trainee, library[0])
    assert on_it.hint_bits == 0  # before submission it would say that the answer was right
    one = attempts.submit_attempt(on_it, payload=paint(*RIGHT))
    two = attempts.submit_attempt(attempts.open_attempt(trainee, library[2]), payload=paint(*RIGHT))
    assert one.hint_bits == pytest.approx(7.8, abs=0.01)
    assert two.hint_bits == 0


def test_an_answer_that_came_while_it_was_withheld_is_no_help(model, worker, fake, trainee, library, paint):
    asked_of = attempts.submit_attempt(attempts.open_attempt(trainee, library[1]), payload=paint(*RIGHT))
    questions.ask(asked_of, "nodule on the left")
    on_it = attempts.open_attempt(trainee, library[0])
    work_off(fake)  # the mark lies on the nodule, but it was not shown
    assert attempts.submit_attempt(on_it, payload=paint(*RIGHT)).hint_bits == 0


def test_a_sentence_on_which_the_model_fails_is_asked_twice_and_no_more(done, model, worker, fake):
    for _ in range(2):
        question = questions.ask(done, "this refuses")
        work_off(fake)
    question.refresh_from_db()
    assert question.times == 2
    calls = len(fake.calls)
    with pytest.raises(questions.QuestionRefused, match="word it another way"):
        questions.ask(done, "this refuses")
    work_off(fake)
    assert len(fake.calls) == calls


def test_what_the_model_cannot_be_asked_is_said(done, model, worker, fake, as_user, trainee):
    question = questions.ask(done, "nodule on the left")
    work_off(fake)
    Grounding.objects.update(asked=False, note="VoxTell was not asked: no embedding.", mask_key="")
    fragment = as_user(trainee).get(f"/attempts/{done.pk}/questions/{question.pk}/").content.decode()
    assert "fake 1 cannot be asked this: VoxTell was not asked: no embedding." in fragment
    assert "Marks nothing" not in fragment
    assert 'class="busy"' not in fragment


@pytest.mark.parametrize("address", ["/attempts/{}/", "/api/v1/attempts/{}/questions/"], ids=["page", "api"])
def test_many_questions_cost_no_more_queries_than_one(done, model, worker, fake, as_user, trainee, address):
    client = as_user(trainee)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address.format(done.pk)).content.count(b" on the left") > 0
        return len(captured)

    questions.ask(done, "nodule on the left")
    work_off(fake)
    one = cost()
    for n in range(6):
        questions.ask(done, f"nodule {n} on the left")
        work_off(fake)
    assert cost() == one
