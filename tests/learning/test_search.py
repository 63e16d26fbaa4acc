"""Why it was missed, by hand: a nodule of 8 mm on slices 10 to 13 of 40, right of the middle of the picture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quiz.learning import looks, search

SIZE = (40, 100, 200)  # K, J, I
SPACING = (2.0, 1.0, 0.5)
LUNG, MEDIASTINUM = (-600, 1500), (40, 400)

# Centre at j 60 of 100, i 30 of 200: in the 4 x 4 parts of the axial picture row 2, column 0, which is bit 8.
NODULE = search.Target(
    box=((10, 14), (56, 64), (22, 38)), centroid=(11.5, 60.0, 30.0), diameter_mm=8.0, mean_hu=30.0, contrast_hu=880.0
)
GROUND_GLASS = search.Target(NODULE.box, NODULE.centroid, 8.0, mean_hu=-600.0, contrast_hu=250.0)


def look(*slices, window=LUNG, scale=1.0, field=looks.FULL_FIELD, view="axial", panes=1):
    return looks.Look(view, *window, scale, field, slices, panes)


def why(*seen, target=NODULE, covers=True):
    log = looks.Log(covers=covers, duration_ms=60_000, first_mark_ms=None, looks=seen)
    found = search.diagnose(log, target, size=SIZE, spacing_mm=SPACING, where="slice 29")
    return found and found.kind


def test_never_on_screen():
    assert why(look(0, 10, 3000, 14, 26, 3000)) == "search"  # slices 0 to 9 and 14 to 39: just not 10 to 13
    assert why() == "search"


def test_scrolled_past():
    assert why(look(0, 40, 124)) == "brief"  # 4 slices of 124 ms are 496 ms
    assert why(look(0, 40, 125)) == "recognition"  # 4 slices of 125 ms are 500 ms
    assert why(look(13, 1, 400), look(9, 1, 5000)) == "brief"  # the last of its slices only
    assert why(look(13, 1, 300), look(10, 1, 200, view="axial", window=MEDIASTINUM)) == "recognition"


def test_a_window_that_hides_it():
    # Ground glass at -600 in lung of -850: both are black in the mediastinum window, which begins at -160.
    assert why(look(11, 1, 9000, window=MEDIASTINUM), target=GROUND_GLASS) == "window"
    # In the lung window they are 250 of 1500 HU apart: a sixth of the grey scale.
    assert why(look(11, 1, 9000, window=LUNG), target=GROUND_GLASS) == "recognition"
    # A solid nodule is grey (190/400) on black in the mediastinum window.
    assert why(look(11, 1, 9000, window=MEDIASTINUM)) == "recognition"
    unknown = search.Target(NODULE.box, NODULE.centroid, 8.0, None, None)
    assert why(look(11, 1, 9000, window=MEDIASTINUM), target=unknown) == "recognition"


def test_too_small():
    # 8 mm are 16 voxels of 0.5 mm: at a quarter of a pixel per voxel 4 pixels, at a fifth 3.2.
    assert why(look(11, 1, 9000, scale=0.25)) == "recognition"
    assert why(look(11, 1, 9000, scale=0.20)) == "small"
    # In the sagittal view voxels are 1 mm: 8 mm are 8 voxels, so half a pixel per voxel is needed.
    assert why(look(30, 1, 9000, scale=0.5, view="sagittal")) == "recognition"
    assert why(look(30, 1, 9000, scale=0.4, view="sagittal")) == "small"


def test_zoomed_in_elsewhere_it_was_not_on_screen():
    left_part, right_part = 1 << 8, 1 << 11  # row 2, columns 0 and 3
    assert why(look(11, 1, 9000, field=right_part)) == "search"
    assert why(look(11, 1, 9000, field=left_part)) == "recognition"
    # Coronal: k 11.5 of 40 is part 1, i 30 of 200 part 0: bit 4. Its slices there are j 56 to 63.
    assert why(look(60, 1, 9000, field=1 << 4, view="coronal")) == "recognition"
    assert why(look(60, 1, 9000, field=1 << 5, view="coronal")) == "search"
    assert why(look(64, 1, 9000, field=1 << 4, view="coronal")) == "search"


def test_panes_beside_each_other_are_looked_at_in_the_same_time():
    axial, coronal = look(11, 1, 400, panes=3), look(60, 1, 300, view="coronal", panes=3)
    assert why(axial, coronal) == "brief"  # 400 ms, not 700
    assert why(axial, coronal, look(11, 1, 100)) == "recognition"  # and 100 ms by itself
    assert why(axial, look(12, 1, 100, panes=3)) == "recognition"  # one after the other in the same pane
    log = looks.Log(covers=True, duration_ms=1, first_mark_ms=None, looks=(axial, coronal, look(0, 1, 100)))
    assert log.window_ms() == {LUNG: 500}


def test_a_log_that_begins_late_proves_only_what_it_shows():
    assert why(look(0, 5, 3000), covers=False) is None
    assert why(look(11, 1, 100), covers=False) is None
    assert why(look(11, 1, 900), covers=False) == "recognition"


def test_the_sentence_says_what_was_measured():
    log = looks.Log(covers=True, duration_ms=1, first_mark_ms=None, looks=(look(11, 1, 12_400),))
    said = search.diagnose(log, NODULE, size=SIZE, spacing_mm=SPACING, where="slice 29")
    assert said.note == "It was on screen for 12 s (slice 29): looked at, and not recognised."


GOOD = {
    "version": 1, "covers": True, "duration_ms": 84000, "first_mark_ms": 21000,
    "looks": [{"view": "axial", "level": -600, "width": 1500, "scale": 1.5, "field": 65535, "slices": [3, 2, 400],
               "panes": 1}],
}  # fmt: skip


def test_a_log_is_read_and_rebuilt():
    log = looks.read(GOOD | {"name": "Robin"}, SIZE)
    assert log.as_json() == GOOD  # what does not belong is gone
    assert log.looks[0].ms_between(4, 9) == 400
    assert log.window_ms() == {(-600, 1500): 800}
    plain = {key: value for key, value in GOOD["looks"][0].items() if key != "panes"}
    assert looks.read(GOOD | {"looks": [plain]}, SIZE) == log  # as it was sent before there were several


def with_look(**changed):
    return GOOD | {"looks": [GOOD["looks"][0] | changed]}


@pytest.mark.parametrize(
    "sent",
    [
        None, 7, "text", [], {}, GOOD | {"version": 2}, GOOD | {"looks": None}, GOOD | {"looks": [7]},
        GOOD | {"looks": GOOD["looks"] * 65}, GOOD | {"duration_ms": -1}, GOOD | {"duration_ms": True},
        GOOD | {"first_mark_ms": 1.5}, with_look(view="oblique"), with_look(view=[]), with_look(slices=[3, 2]),
        with_look(slices="abc"), with_look(slices=[39, 2, 1]), with_look(slices=[-1, 1, 1]),
        with_look(slices=[0, 0, 1]), with_look(slices=[0, 1, 10**12]), with_look(slices=[0, 1, 1] * 10_001),
        with_look(scale="1"), with_look(scale=float("nan")), with_look(field=65536), with_look(width=0), with_look(panes=0),
        with_look(panes=4),
        with_look(level=10**400),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_no_log(sent):
    assert looks.read(sent, SIZE) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*GOOD, *GOOD["looks"][0]]), inner),
    max_leaves=20,
)


@given(anything)
def test_anything_at_all_is_a_log_or_none(sent):
    for payload in (sent, GOOD | {"looks": [sent]}, with_look(slices=sent), with_look(view=sent, scale=sent)):
        looks.read(payload, SIZE)
