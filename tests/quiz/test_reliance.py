"""What is said of how somebody deals with opinions: only what the answers show."""

import pytest
from django.utils import timezone

from quiz.models import AiOutcome, Attempt, State
from quiz.reliance import Reliance, reliance


def counted(*, right, used, wrong, kept, gained=0, lost=0):
    judged = right + wrong
    return Reliance(judged, judged, [], right, used, wrong, kept, gained, lost, [])


@pytest.mark.parametrize(
    ("reliance", "words"),
    [
        (counted(right=4, used=4, wrong=0, kept=0), "After 5 answers"),
        (counted(right=5, used=5, wrong=0, kept=0), "how you deal with a wrong one is not known yet"),
        (counted(right=5, used=5, wrong=1, kept=1), "You take what is right and leave what is not."),
        (counted(right=5, used=5, wrong=3, kept=1), "check each opinion"),  # 1 of 3 is less than half
        (counted(right=5, used=2, wrong=0, kept=0), "you mostly did not follow"),  # 2 of 5 is less than half
        (counted(right=5, used=5, wrong=1, kept=0, lost=1), "have cost you more than they gave"),
    ],
)
def test_the_sentence_says_what_was_seen(reliance, words):
    assert words in reliance.sentence


def test_answers_given_after_the_truth_was_shown_are_not_counted(trainee, finding):
    now = timezone.now()
    for repeat, outcome in ((False, AiOutcome.MISLED), (True, AiOutcome.RESISTED)):
        Attempt.objects.create(
            user=trainee, finding=finding, state=State.SUBMITTED, submitted_at=now, opinion_at=now, repeat=repeat,
            ai_outcome=outcome,
        )  # fmt: skip
    seen = reliance(trainee)
    assert (seen.taken, seen.wrong, seen.kept) == (1, 1, 0)
