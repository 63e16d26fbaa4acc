"""The engine that asks the others: what two engines agree on is nearly always right, and the rest is not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from quiz.grounding import registry
from quiz.grounding.base import (
    EngineError,
    EngineUnavailable,
    Grounder,
    Grounding,
    GroundingCancelled,
    Heat,
    Progress,
)
from quiz.grounding.confidence import OUTLINES, agreed, agreement, trust
from quiz.grounding.shown import checked

MEMBERS = ("classical", "tiny")
"""Asked in this order; one that cannot run here is left out, and the version says so."""
AGREE = 0.3
"""Dice from which two masks mark the same thing. Source: see ``confidence.AGREEMENT``."""
ALONE_HERE = "Only one engine answered, so nothing confirms this."
APART = "The engines mark different places; this is the likelier one."


class Combined:
    """Of the members' answers the likelier mask, by how far each is to be trusted for the category, or where they agree the
    one whose outlines are better; heat from all."""

    name = "combined"

    def __init__(self, members: Sequence[Grounder]) -> None:
        if not members:
            raise EngineUnavailable("None of the engines that this one asks can run here.")
        self.members = list(members)
        self.version = "2:" + "+".join(f"{member.name}-{member.version}" for member in self.members)

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """As ``Grounder``. A member that fails is left out; if all fail the last one's EngineError goes on."""
        answers: dict[str, list[Grounding]] = {}
        failure: EngineError | None = None
        for n, member in enumerate(self.members):
            try:
                given = member.ground(voxels, grid, sentences, progress=self._part(n, len(sentences), progress))
                answers[member.name] = [checked(one, grid) for one in given]
            except GroundingCancelled:
                raise
            except EngineError as error:
                failure = error
        if not answers and failure is not None:
            raise failure
        return [
            together({name: given[n] for name, given in answers.items()}, asked=len(self.members))
            for n in range(len(sentences))
        ]

    def _part(self, n: int, count: int, progress: Progress | None) -> Progress | None:
        """A member's progress as part of the whole."""
        if progress is None:
            return None
        return lambda done, _total: progress(n * count + min(done, count), len(self.members) * count)


def together(answers: dict[str, Grounding], *, asked: int) -> Grounding:
    """One answer of several engines' answers to one sentence, by name of the engine. ``asked``: how many were asked."""
    by_trust = sorted(answers, key=lambda name: -_weight(name, answers[name]))
    best = answers[by_trust[0]]
    if best.mask.is_empty:
        return best
    others = [answers[name] for name in by_trust[1:] if not answers[name].mask.is_empty]
    heat = mean_heat([best, *others])
    if not others:
        note = f"{best.note} {ALONE_HERE}".strip() if asked > 1 else best.note
        return replace(best, heat=heat, note=note)
    dice = max(agreement(best.mask, other.mask) for other in others)
    finer = answers.get(OUTLINES.get(best.attributes.get("category", ""), ""), best)
    if agreement(best.mask, finer.mask) >= AGREE:
        best = finer
    # Agreement says more than any engine's own confidence; where it is missing, neither does the engine's own help.
    confidence = agreed(dice) if dice >= AGREE else min(agreed(dice), max(best.confidence, agreed(0.0)))
    note = best.note if dice >= AGREE else f"{best.note} {APART}".strip()
    return replace(best, heat=heat, confidence=confidence, note=note)


def _weight(name: str, answer: Grounding) -> float:
    if answer.mask.is_empty:
        return -1.0
    return trust(name, answer.attributes.get("category", "")) * (0.5 + answer.confidence / 2)


def mean_heat(answers: Sequence[Grounding]) -> Heat | None:
    """Mean of the heats there are, in the cells of the first of them."""
    heats = [answer.heat for answer in answers if answer.heat is not None]
    if len(heats) < 2:
        return heats[0] if heats else None
    first = heats[0]
    total = np.zeros(first.values.shape, dtype=np.float32)
    for heat in heats:
        lines = [
            np.minimum((np.arange(n) * s + s // 2) // t, m - 1)
            for n, s, t, m in zip(first.values.shape, first.step, heat.step, heat.values.shape, strict=True)
        ]
        total += heat.values[np.ix_(*lines)]
    values = np.rint(total / len(heats)).astype(np.uint8)
    return Heat(values, first.step) if values.any() else None


def make() -> Combined:
    """With every member that can run here."""
    members = []
    for name in MEMBERS:
        try:
            members.append(registry.make(name))
        except EngineUnavailable:
            continue
    return Combined(members)
