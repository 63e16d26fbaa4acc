"""The engine that reads the sentence and looks at nothing: always there, and the first rung of the ladder."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cases.imaging import masks
from cases.imaging.geometry import Grid
from quiz.grounding.base import Grounding, GroundingCancelled, Progress
from quiz.grounding.sentence import parse


class Text:
    """Marks nothing; its answers hold what was read."""

    name = "text"
    version = "1"

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """As ``Grounder``. confidence: 0, since nothing is marked."""
        answers = []
        for n, sentence in enumerate(sentences):
            if progress is not None and not progress(n, len(sentences)):
                raise GroundingCancelled("Stopped.")
            parsed = parse(sentence)
            nothing = masks.empty(grid.size)
            answers.append(Grounding(sentence, nothing, None, 0.0, parsed.as_attributes(), parsed.note))
        if progress is not None:
            progress(len(sentences), len(sentences))
        return answers


def make() -> Text:
    return Text()
