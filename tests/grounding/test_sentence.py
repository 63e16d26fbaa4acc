"""Sentences as reports word them, and what must be read from them."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiz.grounding.sentence import ATTRIBUTES, CATEGORIES, MAX_CHARACTERS, attributes, parse


@pytest.mark.parametrize(
    ("sentence", "category"),
    [
        ("Peribronchial thickening in both lungs", "1a"),
        ("Thickening of the segmental bronchi walls in the lower lobes", "1a"),
        ("Tubular bronchiectasis in the left lower lobe", "1b"),
        ("Dilated bronchi in the middle lobe", "1b"),
        ("Cystic bronchiectasis in the lingula", "1b"),
        ("Paraseptal emphysema at both apices", "1c"),
        ("Bulla of 3 cm in the right upper lobe", "1c"),
        ("Interlobular septal thickening in both lower lobes", "1d"),
        ("Subpleural reticular opacities at the bases", "1d"),
        ("Tree-in-bud opacities in the right lower lobe", "1e"),
        ("Centrilobular nodules in both upper lobes", "1e"),
        ("Mosaic attenuation pattern in both lungs", "1f"),
        ("Linear atelectasis in the lingular segment", "2a"),
        ("Fibrotic bands in the left upper lobe", "2a"),
        ("Pleuroparenchymal sequelae changes at both apices", "2a"),
        ("Consolidation with air bronchogram in the right lower lobe", "2b"),
        ("Passive atelectasis of the left lower lobe", "2b"),
        ("Nodular consolidation in the lower lobes", "2b"),
        ("Patchy ground-glass opacities in both lungs", "2c"),
        ("Part-solid nodule of 12 mm in the right upper lobe", "2c"),
        ("Ground glass nodule in the left upper lobe", "2c"),
        ("8 mm solid nodule in the left lower lobe", "2d"),
        ("Spiculated mass, 42 x 35 mm, in the right upper lobe", "2d"),
        ("Calcified nodule in the middle lobe", "2d"),
        ("Pleural effusion on the right, 1.5 cm thick", "2e"),
        ("Minimal pleural thickening on the left", "2e"),
        ("Honeycombing at both bases", "2f"),
        ("Minimal pneumothorax at the left apex", "2g"),
        ("Thick-walled cavity in the right upper lobe", "2h"),
        ("Thin-walled air cyst in the left lower lobe", "2h"),
    ],
)
def test_the_category(sentence, category):
    assert parse(sentence).category == category
    assert parse(sentence.upper()).category == category
    assert not parse(sentence).note


@pytest.mark.parametrize(
    ("sentence", "side"),
    [
        ("Nodule in the right lung", "right"),
        ("Nodule in the left lung", "left"),
        ("Right-sided pleural effusion", "right"),
        ("Left-sided pneumothorax", "left"),
        ("Nodule in the RLL", "right"),
        ("Nodule in the LUL", "left"),
        ("Nodule in the lingula", "left"),  # only the left lung has one
        ("Consolidation in the middle lobe", "right"),  # only the right lung has one
        ("Bilateral pleural effusion", "both"),
        ("Emphysema in both lungs", "both"),
        ("Atelectasis in the right middle lobe and the left lingula", "both"),
        ("Nodules in the upper lobes", ""),
        ("Brightness of a nodule, leftover contrast", ""),  # neither word is a side
    ],
)
def test_the_side(sentence, side):
    assert parse(sentence).side == side


@pytest.mark.parametrize(
    ("sentence", "lobes", "zones", "front", "depth"),
    [
        ("Nodule in the right upper lobe", {"upper"}, set(), "", ""),
        ("Nodule in the posterobasal segment of the left lower lobe", {"lower"}, {"lower"}, "posterior", ""),
        ("Nodule in the anterior segment of the right upper lobe", {"upper"}, set(), "anterior", ""),
        ("Nodule in the lingular segment of the left upper lobe", {"lingula"}, set(), "", ""),
        ("Nodule in the superior segment of the left lower lobe", {"lower"}, set(), "", ""),
        ("Nodules in the right upper and lower lobes", {"upper", "lower"}, set(), "", ""),
        ("Emphysema in the upper zones", set(), {"upper"}, "", ""),
        ("Scar at the left apex", set(), {"upper"}, "", ""),
        ("Ground-glass opacity at the lung bases", set(), {"lower"}, "", ""),
        ("Subpleural nodule in the left lung", set(), set(), "", "rim"),
        ("Perihilar mass in the left lung", set(), set(), "", "core"),
        ("Centrilobular emphysema in the left lung", set(), set(), "", ""),  # of the lobule, not of the lung
    ],
)
def test_the_place(sentence, lobes, zones, front, depth):
    read = parse(sentence)
    assert (read.lobes, read.zones, read.front, read.depth) == (lobes, zones, front, depth)


@pytest.mark.parametrize(
    ("words", "mm"),
    [
        ("8 mm", 8), ("8mm", 8), ("1.5 cm", 15), ("1,5 cm", 15), ("12 x 9 mm", 12), ("9x12 mm", 12), ("2 cm x 3 cm", 30),
        ("42 × 35 mm", 42), ("", 0), ("T8 level", 0), ("999 cm", 0), ("4.5-mm", 4.5),
    ],
)  # fmt: skip
def test_the_largest_size(words, mm):
    assert parse(f"Nodule, {words}, in the right lung").size_mm == mm


@pytest.mark.parametrize(
    ("sentence", "plural"),
    [
        ("Multiple nodules in both lungs", True),
        ("Nodules in the right lung", True),
        ("A nodule in the right lung", False),
        ("Consolidation in the right lung", False),
    ],
)
def test_one_or_several(sentence, plural):
    assert parse(sentence).plural is plural


@pytest.mark.parametrize(
    ("sentence", "negated"),
    [
        ("No nodule in the right lung", True),
        ("Pleural effusion was not detected", True),
        ("Lungs free of consolidation", True),
        ("Nodule in the right lung without calcification", False),
        ("No effusion, but a nodule in the right lung", False),
        ("Pleural effusion is absent", True),
        ("No nodule, mass or consolidation", True),
        ("The effusion on the left has completely resolved", True),
        ("There is no evidence of consolidation in the left lung", True),
        ("No significant change in the size of the nodule in the left upper lobe", False),
        ("A nodule that was not previously seen in the left lung", False),
    ],
)
def test_absence(sentence, negated):
    assert parse(sentence).negated is negated
    assert bool(parse(sentence).note) is negated


@pytest.mark.parametrize(
    ("sentence", "says"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("x" * (MAX_CHARACTERS + 1), "characters"),
        ("Nódulo pulmonar sólido no lobo superior", "not understood"),
        ("Nodule du lobe inférieur droit avec une consolidation", "not understood"),
        ("Rundherd im rechten Oberlappen mit Erguss", "not understood"),
        ("Sağ akciğer üst lobda nodül izlendi", "not understood"),
        ("'; DROP TABLE findings; --", "understood"),
        ("Pericardial effusion is seen", "No finding of lung or pleura"),
        ("右肺上葉に結節", "not understood"),
        ("The heart is of normal size", "No finding of lung or pleura"),
    ],
)
def test_what_cannot_be_read_is_said(sentence, says):
    read = parse(sentence)
    assert says in read.note
    assert read.category == ""


@given(st.text(max_size=300))
def test_any_text_gives_an_answer(text):
    read = parse(text)
    assert read.category in ("", *CATEGORIES)
    numbers = attributes(read)
    assert numbers.shape == (len(ATTRIBUTES),)
    assert np.isfinite(numbers).all()


@pytest.mark.parametrize(
    ("sentence", "category", "side", "lobes", "mm"),
    [
        ("No pleural effusion, but a 6 mm nodule in the right middle lobe", "2d", "right", {"middle"}, 6),
        ("Mass in the left lung extending into the lower lobe", "2d", "left", set(), 0),
        ("Emphysema in both lungs, more prominent in the upper lobes", "1c", "both", set(), 0),
        ("Emphysema, more prominent in the upper lobes", "1c", "", {"upper"}, 0),
        ("Left atrium is enlarged; nodule in the right lung", "2d", "right", set(), 0),
        ("Linear opacities in left upper, right middle and lower lobes", "2a", "both", {"upper", "middle", "lower"}, 0),
        ("Consolidation in the right upper lobe and left lower lobe", "2b", "both", {"upper", "lower"}, 0),
        ("Nodule in the right lung, 10 mm from the pleura", "2d", "right", set(), 0),
        ("CONSOLIDATION IN THE LEFT\nLOWER  LOBE", "2b", "left", {"lower"}, 0),
        ("A 5 mm nodule in the laterobasal segment of the lower lobe of the right lung", "2d", "right", {"lower"}, 5),
    ],
)
def test_what_is_said_beside_the_finding_is_told_apart(sentence, category, side, lobes, mm):
    read = parse(sentence)
    assert (read.category, read.side, read.lobes, read.size_mm, read.note) == (category, side, lobes, mm, "")


@pytest.mark.parametrize("piece", ["1x", "1 mm x ", "right upper ", "thicken ", "no ", "bronch ", "pleural a "])
def test_no_sentence_takes_long(piece):
    started = time.process_time()
    parse((piece * MAX_CHARACTERS)[:MAX_CHARACTERS])
    assert time.process_time() - started < 2  # a pattern that backtracks takes minutes


@pytest.mark.parametrize(
    ("one", "other"),
    [("right", "left"), ("left", "right")],
)
def test_sides_change_places_and_nothing_else_does(one, other):
    a = attributes(parse(f"Nodule of 8 mm in the {one} upper lobe"))
    b = attributes(parse(f"Nodule of 8 mm in the {other} upper lobe"))
    assert {ATTRIBUTES[n] for n in np.flatnonzero(a != b)} == {"right", "left"}
    assert a[ATTRIBUTES.index(one)] == b[ATTRIBUTES.index(other)] == 1


def test_the_numbers_by_hand():
    numbers = dict(zip(ATTRIBUTES, attributes(parse("Nodules up to 9 mm in both lower lobes")).tolist(), strict=True))
    said = {name for name, value in numbers.items() if value == 1}
    assert said == {"2d", "right", "left", "lower lobe", "plural", "has size"}
    assert numbers["log size"] == pytest.approx(1 / 1.5)  # log10(1 + 9) = 1
