"""Phantoms to learn from: a chest, three to seven findings, a sentence for each, and what a scanner saw of it.

Everything follows from one seed. In three draws of five a finding of the same category lies in another place as well, with
a sentence of its own: only the words for the place tell the two apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from quiz.grounding.training import chest, findings, scanner, wording
from quiz.grounding.training.space import Frame

STEP_MM = 3.0
SIZE = (104, 80, 104)
FINE_MM = 1.5
FINE_SIZE = (32, 32, 32)
TWIN_CHANCE = 0.6
LEAST_ML = 0.03
"""A finding that left less than this in the lungs is not spoken of."""
HALF = 0.35
"""A voxel of 3 mm belongs to a finding from this share on: a 4 mm nodule then still has a voxel."""


@dataclass(frozen=True)
class Told:
    """One finding as it is learned. truth: bool [k, j, i] like the voxels. twin: index of the finding of the same category
    elsewhere, -1 if there is none. fine, fine_truth: the surroundings of a nodule at 1.5 mm, None for others.
    fine_low: voxel (k, j, i) at 3 mm, fractions allowed, of the first voxel of fine."""

    sentence: str
    category: str
    target: findings.Target
    size_mm: float
    truth: NDArray[np.bool_]
    twin: int = -1
    fine: NDArray[np.int16] | None = None
    fine_truth: NDArray[np.bool_] | None = None
    fine_low: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Phantom:
    """voxels: int16 HU [k, j, i], cubes of ``step_mm``."""

    seed: int
    voxels: NDArray[np.int16]
    told: tuple[Told, ...]
    step_mm: float = STEP_MM

    @property
    def grid(self) -> Grid:
        mm = self.step_mm
        affine = ((mm, 0.0, 0.0, 0.0), (0.0, mm, 0.0, 0.0), (0.0, 0.0, mm, 0.0), (0.0, 0.0, 0.0, 1.0))
        return Grid(self.voxels.shape, (mm, mm, mm), affine)


def make(seed: int, step_mm: float = STEP_MM) -> Phantom:
    """The phantom of a seed; the same seed gives the same voxels and sentences. With another step it is the same person
    on finer voxels, for testing, perhaps in other words; only at 3 mm are there surroundings of nodules to learn from."""
    rng = np.random.default_rng([seed, 20_261])
    anatomy = chest.random_anatomy(rng)
    frame = Frame.around((0.0, 0.0, 0.0), SIZE, STEP_MM)
    drawn = chest.draw(anatomy, frame)
    device = scanner.random_scanner(rng)
    placed: list[tuple[findings.Finding, int]] = []
    for _ in range(int(rng.integers(2, 5))):
        category = str(rng.choice(findings.CATEGORIES, p=np.array(findings.WEIGHTS) / sum(findings.WEIGHTS)))
        if any(finding.category == category for finding, _ in placed):
            continue
        target = findings.random_target(rng, category)
        first = findings.random_finding(rng, drawn, category, target)
        if first is None:
            continue
        placed.append((first, -1))
        if rng.random() < TWIN_CHANCE:
            other = findings.elsewhere(rng, category, target) if target.side else None
            second = findings.random_finding(rng, drawn, category, other) if other else None
            if second is not None:
                placed[-1] = (first, len(placed))
                placed.append((second, len(placed) - 1))
    size = SIZE
    if step_mm != STEP_MM:
        size = tuple(round(n * STEP_MM / step_mm) for n in SIZE)  # type: ignore[assignment]
        frame = Frame.around((0.0, 0.0, 0.0), size, step_mm)
        drawn = chest.draw(anatomy, frame)
    # What fills the pleural space comes first: it takes lung away from the others.
    order = sorted(range(len(placed)), key=lambda n: placed[n][0].category not in findings.PLEURAL)
    regions = {n: placed[n][0].target.region(drawn) for n in order}
    shares = {n: placed[n][0].paint(drawn, regions[n]) for n in order}
    part = scanner.field(device, size)
    hu = scanner.scan(device, drawn.hu, step_mm)[part]
    taken = np.zeros(size, dtype=bool)
    truths = {}
    for n in order:
        truths[n] = shares[n] >= (HALF if step_mm == STEP_MM else 0.5)
        if placed[n][0].category in findings.PLEURAL:
            taken |= truths[n]
        else:
            truths[n] &= ~taken
    kept = [n for n in range(len(placed)) if truths[n][part].sum() * step_mm**3 / 1000 >= LEAST_ML]
    told = []
    for n in kept:
        finding, twin = placed[n]
        extra = ()
        if step_mm == STEP_MM:
            extra = _fine(rng, anatomy, device, [placed[m][0] for m in order], finding, frame, part)
        told.append(
            Told(
                wording.word(rng, finding),
                finding.category,
                finding.target,
                finding.size_mm,
                np.ascontiguousarray(truths[n][part]),
                kept.index(twin) if twin in kept else -1,
                *extra,
            )
        )
    return Phantom(seed, np.ascontiguousarray(hu), tuple(told), step_mm)


def _fine(rng, anatomy, device, placed, finding, frame, part):  # type: ignore[no-untyped-def]
    """A nodule's surroundings drawn at 1.5 mm, a little off its middle."""
    if finding.category != "2d" or finding.radii.max() * 2 > 0.75 * FINE_MM * FINE_SIZE[0]:
        return ()
    place = finding.places[int(rng.integers(finding.count))]
    z, y, x = (float(c + rng.normal(0, 4)) for c in place)
    close = Frame.around((z, y, x), FINE_SIZE, FINE_MM)
    drawn = chest.draw(anatomy, close)
    truth = np.zeros(FINE_SIZE, dtype=bool)
    for other in placed:
        # Zones cannot be seen in so small a frame; the surfaces of lobes can.
        target = findings.Target(other.target.side, other.target.lobe, lingula=other.target.lingula)
        share = other.paint(drawn, target.region(drawn))
        if other is finding:
            truth = share >= 0.5
    if not truth.any():
        return ()
    hu = scanner.scan(device, drawn.hu, FINE_MM)
    low = tuple(
        (float(axis.flat[0]) - float(whole.flat[0])) / STEP_MM - cut.start
        for axis, whole, cut in zip((close.z, close.y, close.x), (frame.z, frame.y, frame.x), part, strict=True)
    )
    return hu, truth, low
