"""The engine without a network: lungs, the words for the place, what the category looks like. numpy and scipy only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cases.imaging import masks
from cases.imaging.geometry import Grid
from quiz.grounding.base import Grounding, GroundingCancelled, Progress
from quiz.grounding.confidence import alone
from quiz.grounding.looks import JOINED, regions_for
from quiz.grounding.lungs import find_lungs, widened
from quiz.grounding.prior import prior, words_used
from quiz.grounding.regions import Region, heat_of, paint
from quiz.grounding.scene import Scene
from quiz.grounding.sentence import Parsed, parse

MANY_SHARE = 0.45
"""Of several findings, those are marked that score at least this share of the best one."""
FILLING = frozenset({"2b", "2e"})
"""What takes the place of air: the air that is left then says little of where the lung was."""
NOTHING_SEEN = "Nothing on this scan looks like what the sentence says, where it says it."


class Classical:
    """Works on cells of 3 and 1.5 mm, so its memory beside the CT is bounded by the size of a chest, not of a file."""

    name = "classical"
    version = "2"

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """As ``Grounder``. Heat is 255 at the best proposal, less at the others."""
        _tell(progress, 0, len(sentences))
        scene = _scene(voxels, grid) if sentences else None
        answers = []
        for n, sentence in enumerate(sentences):
            _tell(progress, n, len(sentences))
            answers.append(_answer(sentence, parse(sentence), scene, grid))
        _tell(progress, len(sentences), len(sentences))
        return answers


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None and not progress(done, total):
        raise GroundingCancelled("Stopped.")


def _scene(voxels: NDArray[np.int16], grid: Grid) -> Scene | None:
    lungs = find_lungs(voxels, grid)
    return None if lungs is None else Scene(voxels, grid, lungs)


def _answer(sentence: str, parsed: Parsed, scene: Scene | None, grid: Grid) -> Grounding:
    said = parsed.as_attributes()
    if scene is None or parsed.note or not parsed.category:
        note = parsed.note or words_used(None, parsed)
        return Grounding(sentence, masks.empty(grid.size), None, 0.0, said, note)
    if parsed.category in FILLING:
        scene = Scene(scene.voxels, scene.grid, widened(scene.lungs))
    regions = regions_for(scene, parsed, prior(scene.lungs, parsed))
    mask = paint(chosen(regions, parsed), scene.voxels, grid)
    if mask.is_empty:
        return Grounding(sentence, mask, None, 0.0, said, NOTHING_SEEN)
    heat = heat_of(regions, scene.lungs)
    scores = [region.score for region in regions]
    confidence = alone(scores, whole=scene.lungs.whole, joined=parsed.category in JOINED)
    return Grounding(sentence, mask, heat, confidence, said, words_used(scene.lungs, parsed))


def chosen(regions: Sequence[Region], parsed: Parsed) -> list[Region]:
    """The best one; of several findings all that come near it."""
    several = parsed.plural or parsed.side == "both" or len(parsed.lobes) > 1
    least = MANY_SHARE * regions[0].score if regions else 0.0
    return [region for n, region in enumerate(regions) if n == 0 or (several and region.score >= least)]


def make() -> Classical:
    return Classical()
