from datetime import UTC, datetime, timedelta

import pytest

from quiz.learning.calibration import calibration
from quiz.learning.mastery import Point, credit, mastery

START = datetime(2026, 1, 1, tzinfo=UTC)


def point(score, day, *, bits=0.0, confidence=None, hit=True, credit=1.0):
    return Point(score, hit, bits, confidence, START + timedelta(days=day), credit)


def test_mastery_needs_four_good_of_five_over_a_week():
    good = [point(80, day) for day in (0, 1, 2, 8)]
    assert mastery([]) == "new"
    assert mastery(good[:3]) == "learning"
    assert mastery(good) == "mastered"
    assert mastery([point(80, day) for day in (0, 1, 2, 3)]) == "learning"
    assert mastery([*good, point(20, 9)]) == "mastered"
    assert mastery([*good, point(20, 9), point(20, 10)]) == "learning"


def test_an_answer_counts_as_much_as_the_hints_had_left_of_it():
    days = (0, 1, 2, 8, 9)
    # 4 x 0.9 = 3.6 of the 4 that are needed; 5 x 0.8 = 4.
    assert mastery([point(80, day, credit=0.9) for day in days[:4]]) == "learning"
    assert mastery([point(80, day, credit=0.8) for day in days]) == "mastered"
    assert mastery([point(80, day, credit=0.79) for day in days]) == "learning"


def test_credit_by_hand():
    assert credit(0.0, 15.0) == 1.0
    assert credit(2.25, 15.0) == pytest.approx(0.85)  # the lobe of a small nodule
    assert credit(2.25, 2.5) == pytest.approx(0.1)  # the lobe of a consolidation of that lobe
    assert credit(20.0, 15.0) == 0.0
    assert credit(0.5, 0.0) == 0.5  # an answer as large as the lungs: a hint cannot cost more than it gives


def test_calibration_by_hand():
    # Said 0.95 and hit, said 0.55 and missed: Brier ((0.05)^2 + 0.55^2) / 2 = (0.0025 + 0.3025) / 2 = 0.1525.
    got = calibration([point(90, 0, confidence=4), point(0, 1, confidence=2, hit=False)])
    assert got is not None
    assert got.brier == pytest.approx(0.1525)
    assert got.stated == pytest.approx(0.75)
    assert got.actual == 0.5
    assert calibration([point(90, 0)]) is None
