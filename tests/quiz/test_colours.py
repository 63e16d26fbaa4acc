"""Every colour that words are written in is read on every ground: a contrast of 4.5 to 1, as WCAG asks for text."""

import re
from pathlib import Path

import pytest

STYLES = (Path(__file__).parents[2] / "static/css/site.css").read_text()
COLOURS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", STYLES))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_is_21_to_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("ink", ["text", "dim", "faint", "accent", "good", "part", "bad"])
@pytest.mark.parametrize("ground", ["ground", "panel", "raised"])
def test_words_are_read(ink, ground):
    assert contrast(COLOURS[ink], COLOURS[ground]) >= 4.5
