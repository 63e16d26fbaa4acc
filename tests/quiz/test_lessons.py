"""What a feedback page teaches beside the grade."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz import attempts
from quiz.lessons import lesson
from quiz.models import Attempt

LEFT_LOWER, RIGHT_UPPER = (6, 22, 35), (18, 22, 12)  # k, j, i of the tiny chest


@pytest.fixture
def answer(trainee, paint):
    def give(finding, place):
        return attempts.submit_attempt(attempts.open_attempt(trainee, finding), payload=paint(*place))

    return give


def test_a_nodule_looked_for_on_the_wrong_side_at_the_wrong_height(answer, finding, as_user, trainee):
    done = answer(finding, RIGHT_UPPER)  # solid nodule in the left lower lobe
    assert lesson(done).against == "“left”, “lower lobe”"
    page = as_user(trainee).get(f"/attempts/{done.pk}/").content.decode()
    assert '<u class="against">left</u>' in page
    assert "19 residents" in page


def test_what_was_found_goes_against_nothing_and_needs_no_tip(answer, finding):
    seen = lesson(answer(finding, LEFT_LOWER))
    assert (seen.against, seen.tip) == ("", "")
    assert [text for text, where, _ in seen.echo if where] == ["left", "lower lobe"]


def test_before_the_answer_the_page_has_none_of_it(finding, as_user, trainee):
    attempt = attempts.open_attempt(trainee, finding)
    page = as_user(trainee).get(f"/attempts/{attempt.pk}/").content.decode()
    assert "residents" not in page
    assert "Compare with" not in page


def exactly(finding, user):
    """An answer that is the reference itself."""
    truth = masks.to_wire(storage.load_truth(finding.truth_key))
    return attempts.submit_attempt(attempts.open_attempt(user, finding, mode="volume"), payload=truth)


def alike(*findings, zone="lower", mm=10):
    Finding.objects.filter(pk__in=[one.pk for one in findings]).update(diameter_mm=mm, zone=zone)


def test_a_finding_of_the_same_kind_is_one_that_this_person_found(answer, library, trainee, other_trainee):
    nodule, nodules = library[:2]
    alike(nodule, nodules)
    exactly(nodules, other_trainee)
    done = answer(Finding.objects.get(pk=nodule.pk), LEFT_LOWER)
    assert lesson(done).sibling is None
    mine = exactly(nodules, trainee)
    assert lesson(done).sibling == mine
    alike(nodules, mm=21)  # more than twice as large
    assert lesson(done).sibling is None


def test_a_finding_of_another_kind_is_as_large_and_in_the_same_zone(answer, library, as_user, trainee):
    nodule, effusion = library[0], library[2]
    alike(nodule, effusion)
    done, other = answer(Finding.objects.get(pk=nodule.pk), LEFT_LOWER), answer(effusion, LEFT_LOWER)
    assert lesson(done).confuser == other  # found or not
    assert f'href="/attempts/{other.pk}/"' in as_user(trainee).get(f"/attempts/{done.pk}/").content.decode()
    alike(effusion, zone="upper")
    assert lesson(done).confuser is None


def test_many_answers_cost_one_query(answer, library, trainee):
    alike(*library)
    done = answer(Finding.objects.get(pk=library[0].pk), LEFT_LOWER)
    exactly(library[1], trainee), exactly(library[2], trainee), exactly(library[3], trainee)
    done = Attempt.objects.select_related("finding__volume", "user").get(pk=done.pk)
    with CaptureQueriesContext(connection) as captured:
        found = lesson(done)
        assert found.sibling.finding.category.name
        assert found.confuser.finding.category.name
    assert len(captured) == 1
