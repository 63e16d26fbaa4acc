from datetime import UTC, datetime, timedelta

import pytest

from quiz.learning.calibration import calibration
from quiz.learning.mastery import Point, credit, mastery

START = datetime(2026, 1, 1, tzinfo=UTC)


def point(score, day, *, bits=0.0, confidence=None, found=True, credit=1.0):
    return Point(score, found, bits, confidence, START + timedelta(days=day), credit)


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
    # Three times said 0.95 and found, twice said 0.55 and missed.
    # Brier (3 * 0.05^2 + 2 * 0.55^2) / 5 = (0.0075 + 0.605) / 5 = 0.1225; said (3 * 0.95 + 2 * 0.55) / 5 = 0.79.
    points = [point(90, 0, confidence=4)] * 3 + [point(0, 1, confidence=2, found=False)] * 2
    got = calibration(points)
    assert got is not None
    assert got.brier == pytest.approx(0.1225)
    assert got.stated == pytest.approx(0.79)
    assert got.actual == pytest.approx(0.6)


def test_calibration_says_nothing_of_four_answers():
    sure = [point(90, day, confidence=4) for day in range(4)]
    assert calibration([*sure, point(90, 4)]) is None  # the fifth stated nothing
    assert calibration([*sure, point(90, 4, confidence=1)]) is not None
