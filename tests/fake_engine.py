"""An engine with known answers for tests, and what real engines do on a bad day, asked for by words in the sentence."""

import os
import signal
import time
from collections.abc import Sequence

import numpy as np

from cases.imaging import masks
from quiz.grounding import registry
from quiz.grounding.base import EngineError, EngineUnavailable, Grounding, GroundingCancelled, Heat

NODULE = (slice(4, 9), slice(20, 25), slice(33, 38))  # k, j, i: around the left lower nodule of the tiny chest
OPPOSITE = (slice(4, 9), slice(20, 25), slice(10, 15))  # its mirror image at the patient's right


def versions(engine: str = "fake"):
    """The registered versions of an engine, as a worker that runs all of them would name them."""
    from quiz.models import HintModel  # workers read this module before Django is set up

    return HintModel.objects.filter(engine=engine)


class Fake:
    """Marks NODULE for a sentence with "left", OPPOSITE for one with "right", nothing else."""

    name = "fake"

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.calls: list[list[str]] = []

    def ground(self, voxels, grid, sentences: Sequence[str], *, progress=None) -> list[Grounding]:
        self.calls.append(list(sentences))
        for n, sentence in enumerate(sentences):
            self.misbehave(sentence)
            if progress is not None and not progress(n, len(sentences)):
                raise GroundingCancelled("stopped")
        return [self.answer(sentence, grid) for sentence in sentences]

    def misbehave(self, sentence: str) -> None:
        if "kills" in sentence:
            os.kill(os.getpid(), signal.SIGKILL)
        if "slow" in sentence:
            time.sleep(float(os.environ.get("FAKE_SECONDS", "1")))
        if "hangs" in sentence:
            time.sleep(600)
        if "breaks" in sentence:
            raise ZeroDivisionError
        if "refuses" in sentence:
            raise EngineError("The lungs cannot be found on this scan.")
        if "leaves" in sentence:
            raise EngineUnavailable("The GPU has gone away.")
        if "memory" in sentence:
            raise MemoryError

    def answer(self, sentence: str, grid) -> Grounding:
        dense = np.zeros(grid.size, np.uint8)
        for word, box in (("left", NODULE), ("right", OPPOSITE)):
            if word in sentence.lower():
                dense[box] = 1
        mask = masks.from_dense(dense)
        if "misfit" in sentence:
            mask = masks.empty((1, 2, 3))
        cells = dense[::2, ::2, ::2] * np.uint8(200)
        confidence = float("nan") if "number" in sentence else 0.75
        note = "This sentence names no place." if mask.is_empty else ""
        heat = Heat(cells, (2, 2, 2)) if dense.any() else None
        return Grounding(sentence, mask, heat, confidence, {"side": "left"}, note)


def make() -> Fake:
    return Fake()


def install() -> None:
    """Make it one of the engines there are."""
    registry._WHERE["fake"] = "tests.fake_engine:make"


def work_off(fake: Fake) -> None:
    """Do all that waits for the fake engine, in this process."""
    from quiz import jobs  # workers read this module before Django is set up

    while (claimed := jobs.claim("test", [jobs.register(fake)])) is not None:
        jobs.perform(claimed, fake)
