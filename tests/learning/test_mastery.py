from datetime import UTC, datetime, timedelta

import pytest

from quiz.learning.calibration import calibration
from quiz.learning.mastery import Point, mastery

START = datetime(2026, 1, 1, tzinfo=UTC)


def point(score, day, *, bits=0.0, confidence=None, hit=True):
    return Point(score, hit, bits, confidence, START + timedelta(days=day))


def test_mastery_needs_four_good_of_five_over_a_week():
    good = [point(80, day) for day in (0, 1, 2, 8)]
    assert mastery([]) == "new"
    assert mastery(good[:3]) == "learning"
    assert mastery(good) == "mastered"
    assert mastery([point(80, day) for day in (0, 1, 2, 3)]) == "learning"
    assert mastery([*good, point(20, 9)]) == "mastered"
    assert mastery([*good, point(20, 9), point(20, 10)]) == "learning"


def test_hints_that_gave_location_away_do_not_count():
    assert mastery([point(80, day, bits=1.0) for day in (0, 1, 2, 8)]) == "learning"


def test_calibration_by_hand():
    # Said 0.95 and hit, said 0.55 and missed: Brier ((0.05)^2 + 0.55^2) / 2 = (0.0025 + 0.3025) / 2 = 0.1525.
    got = calibration([point(90, 0, confidence=4), point(0, 1, confidence=2, hit=False)])
    assert got is not None
    assert got.brier == pytest.approx(0.1525)
    assert got.stated == pytest.approx(0.75)
    assert got.actual == 0.5
    assert calibration([point(90, 0)]) is None
