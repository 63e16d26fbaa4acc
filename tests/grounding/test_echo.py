"""The words of a sentence that say where, and what paint goes against."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiz.grounding.echo import gone_against, pieces


def where(sentence):
    return {(piece.text, *sorted(piece.places)) for piece in pieces(sentence) if piece.places}


def test_the_words_that_say_where():
    found = where("8 mm solid Nodule in the posterobasal segment of the LEFT lower lobe, subpleural")
    assert found == {
        ("posterobasal", "depth", "height"), ("LEFT", "side"), ("lower lobe", "height"), ("subpleural", "depth"),
    }  # fmt: skip
    assert where("Band in the RUL") == {("RUL", "height", "side")}
    assert where("Emphysema") == set()


@given(st.text(max_size=60))
def test_the_pieces_are_the_sentence(sentence):
    assert "".join(piece.text for piece in pieces(sentence)) == sentence


@pytest.mark.parametrize(
    ("side", "zone", "against"),
    [
        ("left", "lower", set()), ("right", "lower", {"side"}), ("right", "upper", {"side", "height"}),
        ("left", "middle", set()), ("both", "several", set()), ("", "", set()), ("left", "upper", {"height"}),
    ],
)  # fmt: skip
def test_paint_against_a_nodule_in_the_left_lower_lobe(side, zone, against):
    assert gone_against("Nodule in the left lower lobe", side, zone) == against


def test_what_is_not_said_cannot_be_gone_against():
    assert gone_against("Bilateral effusion", "left", "upper") == set()
    assert gone_against("Nodules in the upper and lower lobes of the right lung", "right", "lower") == set()
    assert gone_against("Nodule in the middle lobe", "right", "upper") == set()
