"""Tables over findings whose numbers can be added up by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiz.scoring.benchmark import FindingScore
from quiz.scoring.evaluation import CONFIDENCE, Judged, by_category, hits_by, interval, report, summary
from quiz.scoring.official import InstanceCounts, Official


def row(
    dice, *, patient="p1", category="2d", recall=0.5, confidence=0.5, agreement=None, finding=1, pointing=True, **rungs
):
    numbers = Official(dice, dice, InstanceCounts(int(dice >= 0.2), int(dice < 0.2), int(dice < 0.2)), int(dice > 0))
    score = FindingScore(f"case_{patient}", 0, category, "Nodule", numbers)
    return Judged(score, patient, recall, rungs, pointing, confidence, agreement, finding)


def test_means_by_hand():
    rows = [
        row(0.8, patient="a", side=True, zone=True),
        row(0.0, patient="a", side=False, pointing=False),
        row(0.15, patient="b", side=True, zone=False),
    ]
    got = summary(rows)
    assert got["dice_per_finding"] == pytest.approx(0.95 / 3)
    assert got["dice_per_case"] == pytest.approx((0.4 + 0.15) / 2)
    assert got["hit_rate"] == pytest.approx(2 / 3)  # 0.8 and 0.15 are 0.1 or more
    assert (got["instance_precision"], got["instance_recall"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (got["n"], got["cases"], got["patients"]) == (3, 2, 2)
    assert got["rungs"]["side"] == {"n": 3, "rate": pytest.approx(2 / 3)}
    assert got["rungs"]["zone"] == {"n": 2, "rate": 0.5}  # the third could not be told
    assert got["rungs"]["outline"] == {"n": 0, "rate": None}
    assert got["pointing"] == {"n": 3, "rate": pytest.approx(2 / 3)}
    assert got["dice_interval"] is None  # two patients are too few


def test_categories_are_kept_apart():
    got = by_category([row(0.8), row(0.2, category="2e"), row(0.4)])
    assert {code: one["dice_per_finding"] for code, one in got.items()} == {"2d": pytest.approx(0.6), "2e": 0.2}


def test_nothing_is_nothing():
    got = report([], lambda one: True)
    assert (got["n"], got["dice_per_finding"], got["categories"], got["partial"]["n"]) == (0, None, {}, 0)


def test_partly_annotated_findings_are_no_part_of_the_headline():
    rows = [row(0.8, finding=1), row(0.2, finding=2, recall=0.9), row(0.4, finding=3, recall=0.7)]
    got = report(rows, lambda one: one.finding == 1)
    assert (got["n"], got["dice_per_finding"]) == (1, 0.8)
    assert got["partial"] == {"n": 2, "dice_per_finding": pytest.approx(0.3), "recall": pytest.approx(0.8)}


def test_bins_hold_their_lower_bound_and_the_last_its_upper():
    rows = [row(0.5, confidence=c) for c in (0.0, 0.25, 0.5, 0.75, 1.0)] + [row(0.0, confidence=0.3)]
    got = hits_by(rows, lambda one: one.confidence, CONFIDENCE)
    assert [(one["n"], one["hit_rate"]) for one in got] == [(1, 1.0), (2, 0.5), (1, 1.0), (2, 1.0)]


def test_what_nobody_asked_is_in_no_bin():
    got = hits_by([row(0.5)], lambda one: one.agreement, (0.0, 1.0))
    assert got == [{"from": 0.0, "to": 1.0, "n": 0, "hit_rate": None}]


def test_an_interval_of_equal_patients_is_a_point():
    rows = [row(0.4, patient=str(n)) for n in range(6)]
    assert interval(rows, lambda one: one.score.numbers.dice) == [pytest.approx(0.4), pytest.approx(0.4)]


def test_an_interval_is_of_patients_not_of_findings():
    """Six patients, half of them always hit: many findings of each make it no narrower."""
    few = [row(float(n % 2), patient=str(n)) for n in range(6)]
    many = few * 50
    one, other = (interval(rows, lambda row: row.score.numbers.dice) for rows in (few, many))
    assert one == other
    assert one[1] - one[0] > 0.5


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), min_size=1, max_size=40))
def test_an_interval_lies_within_what_was_seen_and_does_not_hang_on_order(pairs):
    rows = [row(dice, patient=str(patient)) for patient, dice in pairs]
    got = interval(rows, lambda one: one.score.numbers.dice)
    if got is None:
        assert len({patient for patient, _ in pairs}) < 5
        return
    dices = [dice for _, dice in pairs]
    assert min(dices) - 1e-9 <= got[0] <= got[1] <= max(dices) + 1e-9
    assert interval(rows[::-1], lambda one: one.score.numbers.dice) == pytest.approx(got)


def test_the_row_of_a_finding_is_json():
    import json

    line = json.loads(json.dumps(row(0.8, agreement=float(np.float64(0.25)), side=True).as_row()))
    assert (line["dice"], line["hit"], line["agreement"], line["rungs"]) == (0.8, True, 0.25, {"side": True})
