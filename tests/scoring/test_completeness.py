import pytest

from quiz.scoring.completeness import priors


def test_the_chance_is_the_share_that_truly_has_so_many():
    # Of 100 full findings 40 have one instance (0.4); of 100 partial ones 50 show one (0.5): 0.4 / 0.5 = 0.8.
    # Two: 0.2 / 0.25 = 0.8, times 0.85. With one category its own value and the overall one are the same.
    full, partial = {"2d": {1: 40, 2: 20, 3: 40}}, {"2d": {1: 50, 2: 25, 3: 25}}
    assert priors(full, partial) == {("2d", 1): pytest.approx(0.8), ("2d", 2): pytest.approx(0.68)}


def test_small_categories_lean_on_the_overall_value():
    full = {"2d": {1: 50, 5: 50}, "2h": {1: 0, 4: 5}}
    partial = {"2d": {1: 100}, "2h": {1: 100}}
    # 2h alone: 0 of 5. Overall: 50 / 105 = 0.476 against a share shown of 1. (5 * 0 + 20 * 0.476) / 25 = 0.381.
    assert priors(full, partial)["2h", 1] == pytest.approx(20 * 50 / 105 / 25)


def test_nothing_is_estimated_from_a_handful():
    assert priors({"2d": {1: 29}}, {"2d": {1: 10}}) == {}


def test_more_than_all_is_all():
    assert priors({"2d": {1: 100}}, {"2d": {1: 10, 2: 90}})["2d", 1] == 1.0
