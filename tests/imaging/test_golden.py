"""The golden files that the browser's modules are held against are what Python works out, and what hands worked out."""

import json

import numpy as np
import pytest

from cases.imaging import window
from tests import golden_cases


@pytest.mark.parametrize("name", golden_cases.FILES)
def test_the_files_are_what_python_works_out(name):
    written = (golden_cases.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == golden_cases.text_of(name), "run  python -m tests.golden_cases  and look at what changed"


def case_of(name, what):
    return next(case for case in json.loads(golden_cases.text_of(name)) if case["what"].startswith(what))


def test_a_run_is_cut_at_the_end_of_its_row():
    # Voxels 3 to 6 of a slice of 4 rows of 5: 3 and 4 end row 0, 5 and 6 begin row 1; slice 1 begins at voxel 20.
    case = case_of("runs", "a run over the end")
    assert case["mask"]["runs"] == {"1": [3, 2, 5, 2]}
    assert case["voxels"] == [23, 24, 25, 26]


def test_the_grey_of_a_window_by_hand():
    # Level 40, width 400: black at -160, white at 240. 40 is (2 * 0 + 400) * 255 / 800 = 127.5, rounded up: 128.
    # 39 is 398 * 255 / 800 = 126.86: 127. 140 is 600 * 255 / 800 = 191.25: 191.
    hu = np.array([-161, -160, 39, 40, 140, 240, 241], dtype=np.int16)
    assert window.to_uint8(hu, window.MEDIASTINUM).tolist() == [0, 0, 127, 128, 191, 255, 255]


def test_a_blend_by_hand():
    # A disc of 12 cells at slice 0 and its middle 4 at slice 4. Half-way (t = 1/2) a cell belongs if its two signed
    # distances add up to more than 0. Middle cells: the nearest cell outside the disc is sqrt(2) off diagonally for
    # ... (row 2, col 2: (1, 1) is outside), and 1 off in the small one: in. The disc's other cells, as (1, 2): 1 to the
    # outside below, 1 to the inside above: 1 - 1 = 0, on the border, out.
    case = case_of("between", "a large and a small")
    assert case["added"]["2"] == ["......", "......", "..##..", "..##..", "......", "......"]
    # A quarter of the way up: 3/4 * 1 - 1/4 * 1 = 1/2 > 0: the disc's other cells are in.
    assert case["added"]["1"] == case["painted"]["0"]
