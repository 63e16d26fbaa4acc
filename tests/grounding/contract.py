"""What every engine must do. test_contract.py asks it of those that run beside the web server, tests/gpu/real of those that
need VoxTell's package; each brings two fixtures of a module's scope, ``engine`` and ``chest``.

A chest holds a nodule in each of some places. What an engine marks must be where the words say, whatever the orientation of
the file that the CT was read from.
"""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from cases.imaging import nifti
from cases.imaging.geometry import Grid
from quiz.grounding import registry
from quiz.grounding.base import Grounder, Grounding, GroundingCancelled
from quiz.grounding.sentence import parse
from quiz.grounding.shown import checked
from tests.grounding import quadrants

WITH_VOXTELL = ("voxtell", "voxtell-http")
"""The engines that are asked in VoxTell's own environment."""
MARKS_NOTHING = ("text",)
"""The engines that only read."""

ABSURD = [
    "The quick brown fox jumps over the lazy dog",
    "nodule " * 1429,  # 10,003 characters
    "Nódulo pulmonar sólido en el lóbulo superior derecho",
    "No nodule in the right lung",
    "",
]
ABOUT_EMPTY_SCANS = ["Nodule in the right lung", "Left pleural effusion"]
ABOUT_SMALL_SCANS = "Consolidation in the left lower lobe"

Place = tuple[str, str]
"""Side and lobe: ("right", "upper")."""


@dataclass(frozen=True)
class Chest:
    """voxels: HU [k, j, i]. places: those with a nodule, on both sides and in upper and lower lobes. middle_mm: (x, z)
    between the sides and between the lobes, in LPS."""

    voxels: np.ndarray
    grid: Grid
    places: tuple[Place, ...]
    middle_mm: tuple[float, float]

    @property
    def sentences(self) -> list[str]:
        return [quadrants.sentence(*place) for place in self.places]

    def is_at(self, place: Place, x_mm: float, z_mm: float) -> bool:
        """Whether a point, in LPS, is on the side and at the height of a place."""
        side, lobe = place
        return (x_mm > self.middle_mm[0]) == (side == "left") and (z_mm > self.middle_mm[1]) == (lobe == "upper")


Answers = dict[Place, Grounding]


def marked(engine: Grounder, answers: Answers) -> Answers:
    """Those that mark something: all, but for an engine that marks nothing."""
    found = {place: answer for place, answer in answers.items() if not answer.mask.is_empty}
    assert set(found) == (set() if engine.name in MARKS_NOTHING else set(answers))
    return found


class Contract:
    """values: HU of scans with nothing in them. sizes: of scans of hardly any voxels."""

    values = {"water": 0, "air": -1000, "lung": -850, "metal": 3071, "lowest": -1024}
    sizes = [(1, 1, 1), (1, 40, 40), (60, 1, 2)]

    @pytest.fixture(scope="module")
    @classmethod
    def asked(cls, engine: Grounder, chest: Chest) -> Answers:
        """A sentence for each place, in one go."""
        answers = engine.ground(chest.voxels, chest.grid, chest.sentences)
        return dict(zip(chest.places, answers, strict=True))

    def test_it_says_who_it_is(self, engine):
        assert engine.name in registry.names()
        assert isinstance(engine.version, str)
        assert engine.version

    def test_answers_come_in_order_and_fit_the_scan(self, asked, chest):
        for answer, sentence in zip(asked.values(), chest.sentences, strict=True):
            assert answer.sentence == sentence
            checked(answer, chest.grid)
            assert answer.asked
            assert set(answer.mask.values.tolist()) <= {1}
            assert 0 <= answer.confidence <= 1
            assert all(isinstance(word, str) for pair in answer.attributes.items() for word in pair)
            if answer.heat is not None:
                assert answer.heat.values.any()

    def test_it_says_what_it_read(self, asked):
        for (side, lobe), answer in asked.items():
            assert answer.attributes["category"] == "2d"
            assert answer.attributes["side"] == side
            assert lobe in answer.attributes["lobe"]

    def test_left_is_left_and_up_is_up(self, engine, asked, chest):
        for place, answer in marked(engine, asked).items():
            x, _, z = chest.grid.lps_mm(answer.mask.centroid())
            assert chest.is_at(place, x, z), place

    @pytest.mark.parametrize("codes", ["LPS", "RAS"])
    def test_in_a_file_of_either_orientation_left_is_left_and_up_is_up(self, engine, chest, codes, tmp_path):
        """The mask in the file's own voxels, and the file's own affine to RAS mm as nibabel reads it: x towards the right."""
        path = quadrants.write(tmp_path / f"{codes}.nii.gz", chest.voxels, chest.grid, codes=codes)
        ct = nifti.read_ct(path)
        answers = dict(zip(chest.places, engine.ground(ct.voxels, ct.grid, chest.sentences), strict=True))
        affine = nib.load(path).affine
        for place, answer in marked(engine, answers).items():
            voxels = np.argwhere(ct.frame.as_file(answer.mask.dense()))
            x, _, z = apply_affine(affine, voxels.mean(axis=0))
            assert chest.is_at(place, -x, z), place

    def test_nothing_asked_nothing_answered(self, engine, chest):
        assert engine.ground(chest.voxels, chest.grid, []) == []

    def test_a_sentence_that_cannot_be_answered_gets_a_note(self, engine, chest):
        """The parser's; or, of an engine that would have to be set up for the sentence, that it was not asked."""
        for sentence, answer in zip(ABSURD, engine.ground(chest.voxels, chest.grid, ABSURD), strict=True):
            assert answer.mask.is_empty, sentence[:40]
            if answer.asked:
                assert answer.note == parse(sentence).note != "", sentence[:40]
            else:
                assert engine.name in WITH_VOXTELL
                assert "was not asked" in answer.note
            assert answer.confidence == 0

    def test_progress_only_grows_and_reaches_the_end(self, engine, chest):
        told = []

        def progress(done: int, total: int) -> bool:
            told.append(done / total)
            return True

        engine.ground(chest.voxels, chest.grid, [quadrants.sentence("left", "lower")], progress=progress)
        assert told == sorted(told)
        assert told[-1] == 1

    def test_it_stops_when_told_to(self, engine, chest):
        with pytest.raises(GroundingCancelled):
            engine.ground(
                chest.voxels, chest.grid, [quadrants.sentence("left", "lower")], progress=lambda done, total: False
            )

    def test_a_scan_without_lungs_is_answered_in_words(self, engine):
        for what, hu in self.values.items():
            voxels, grid = uniform((20, 24, 22), hu)
            for answer in engine.ground(voxels, grid, ABOUT_EMPTY_SCANS):
                checked(answer, grid)
                assert answer.asked, what
                assert answer.mask.is_empty, what
                assert answer.note or engine.name in MARKS_NOTHING, what

    def test_a_scan_of_hardly_any_voxels_does_no_harm(self, engine):
        for size in self.sizes:
            voxels, grid = uniform(size, -850)
            (answer,) = engine.ground(voxels, grid, [ABOUT_SMALL_SCANS])
            checked(answer, grid)
            assert answer.asked, size


def uniform(size: tuple[int, int, int], hu: int) -> tuple[np.ndarray, Grid]:
    """A scan of one value."""
    affine = ((3.0, 0.0, 0.0, 0.0), (0.0, 3.0, 0.0, 0.0), (0.0, 0.0, 5.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    return np.full(size, hu, dtype=np.int16), Grid(size, (5.0, 3.0, 3.0), affine)
