"""The demo's cases: eight synthetic people with known findings, and a tiny one for tests."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.phantom import lesions
from cases.imaging.phantom.chest import Body, Chest, finish, make_chest
from cases.imaging.phantom.lesions import Place, Truth

VERSION = 1
"""Raised when the pictures change: the demo then writes its cases again."""

RIGHT, LEFT = 1, 2
UPPER, MIDDLE, LOWER = 1, 2, 3
MOST_ANNOTATED = 3
"""Instances that a partly annotated case shows of each finding, as in the data set's train split."""


@dataclass(frozen=True)
class PhantomFinding:
    """truth: instance numbers, uint8 [k, j, i]."""

    sentence: str
    category: str
    truth: Truth


@dataclass(frozen=True)
class PhantomCase:
    """voxels: int16 HU [k, j, i]."""

    name: str
    split: str
    voxels: NDArray[np.int16]
    grid: Grid
    findings: tuple[PhantomFinding, ...]


@dataclass(frozen=True)
class CaseSpec:
    """How to make one case: the person, and what is wrong with them."""

    name: str
    split: str
    body: Body
    build: Callable[[Chest], list[tuple[str, str, Truth]]]


def build(spec: CaseSpec) -> PhantomCase:
    """Make a case; the same spec gives the same voxels."""
    chest = make_chest(spec.body)
    found = spec.build(chest)
    findings = []
    for sentence, category, truth in found:
        shown = truth if spec.split != "train" else np.where(truth <= MOST_ANNOTATED, truth, 0).astype(np.uint8)
        findings.append(PhantomFinding(sentence, category, shown))
    return PhantomCase(spec.name, spec.split, finish(chest), spec.body.grid, tuple(findings))


def _mm(truth: Truth, grid: Grid, number: int = 1) -> int:
    """Diameter in whole mm of the sphere with an instance's volume: what the sentence may honestly say."""
    return round(float((6 * np.count_nonzero(truth == number) * grid.voxel_ml * 1000 / np.pi) ** (1 / 3)))


def _solid(chest: Chest, where: list[tuple[Place, float, int, int]], **how: float) -> Truth:
    placed = [
        (lesions.settle(chest, place, diameter / 2 + 2, chest.inside(side, lobe)), diameter)
        for place, diameter, side, lobe in where
    ]
    return lesions.nodules(chest, placed, **how)


def _hazy(chest: Chest, where: list[tuple[Place, float, int, int]], **how: float) -> Truth:
    placed = [
        (lesions.settle(chest, place, diameter * 0.4, chest.inside(side, lobe)), diameter)
        for place, diameter, side, lobe in where
    ]
    return lesions.ground_glass(chest, placed, **how)


def _nodule_pair(chest: Chest) -> list[tuple[str, str, Truth]]:
    left = _solid(chest, [((66, 44, 70), 9, LEFT, LOWER)])
    right = _solid(chest, [((-62, -30, 200), 15, RIGHT, UPPER)], rough=0.16)
    band = lesions.bands(chest, [((-70, -20, 96), (0.3, 0.5, 0.9), 40)], side=RIGHT)
    grid = chest.body.grid
    return [
        (f"{_mm(left, grid)} mm solid nodule in the posterobasal segment of the left lower lobe", "2d", left),
        (f"Spiculated nodule, {_mm(right, grid)} mm, in the anterior segment of the right upper lobe", "2d", right),
        ("Linear atelectasis in the right middle lobe", "2a", band),
    ]


def _effusion(chest: Chest) -> list[tuple[str, str, Truth]]:
    fluid = lesions.effusion(chest, side=RIGHT, depth_mm=46, top_mm=190)
    dense = lesions.consolidation(chest, (58, 52, 62), (34, 26, 34), side=LEFT, lobe=LOWER)
    return [
        ("Moderate right pleural effusion", "2e", fluid),
        ("Consolidation with air bronchograms in the posterobasal segment of the left lower lobe", "2b", dense),
    ]


def _emphysema(chest: Chest) -> list[tuple[str, str, Truth]]:
    holes = lesions.emphysema(chest, sides=(RIGHT, LEFT), lobe=UPPER, count=620)
    one = _solid(chest, [((-74, 30, 84), 12, RIGHT, LOWER)])
    return [
        ("Centrilobular emphysema in the upper lobes of both lungs", "1c", holes),
        (f"{_mm(one, chest.body.grid)} mm nodule in the superior segment of the right lower lobe", "2d", one),
    ]


def _glass(chest: Chest) -> list[tuple[str, str, Truth]]:
    where: list[tuple[Place, float, int, int]] = [
        ((-82, 36, 78), 34, RIGHT, LOWER), ((80, 42, 84), 38, LEFT, LOWER), ((-84, -20, 180), 28, RIGHT, UPPER),
        ((78, 10, 190), 26, LEFT, UPPER), ((-66, 52, 116), 24, RIGHT, LOWER),
    ]  # fmt: skip
    haze = _hazy(chest, where)
    band = lesions.bands(chest, [((72, -30, 110), (-0.2, 0.5, 0.9), 44)], side=LEFT)
    return [
        ("Patchy peripheral ground-glass opacities in both lungs", "2c", haze),
        ("Band atelectasis in the lingula of the left upper lobe", "2a", band),
    ]


def _pneumothorax(chest: Chest) -> list[tuple[str, str, Truth]]:
    air = lesions.pneumothorax(chest, side=LEFT, depth_mm=24)
    band = lesions.bands(chest, [((60, 34, 70), (0.1, 0.4, 0.9), 46)], side=LEFT)
    one = _solid(chest, [((-58, 10, 150), 7, RIGHT, 0)])
    return [
        ("Left pneumothorax along the anterior chest wall", "2g", air),
        ("Linear atelectasis in the left lower lobe", "2a", band),
        (f"{_mm(one, chest.body.grid)} mm nodule in the right lung", "2d", one),
    ]


def _infection(chest: Chest) -> list[tuple[str, str, Truth]]:
    buds = lesions.micronodules(chest, [((-74, 30, 96), 34), ((-70, -8, 150), 30)], side=RIGHT)
    tubes = lesions.bronchiectasis(
        chest, [((58, 24, 92), (0.3, 0.3, -0.9), 4.4), ((66, 40, 84), (0.2, 0.5, -0.8), 3.8)], side=LEFT
    )
    dense = lesions.consolidation(chest, (-74, -34, 128), (22, 26, 16), side=RIGHT, lobe=MIDDLE)
    return [
        ("Centrilobular micronodules with a tree-in-bud pattern in the right lung", "1e", buds),
        ("Cylindrical bronchiectasis in the left lower lobe", "1b", tubes),
        ("Consolidation in the right middle lobe", "2b", dense),
    ]


def _fibrosis(chest: Chest) -> list[tuple[str, str, Truth]]:
    comb = lesions.honeycombing(chest, sides=(RIGHT, LEFT))
    haze = _hazy(chest, [((70, -40, 170), 30, LEFT, UPPER)], rise=300)
    return [
        ("Subpleural honeycombing at the bases of both lungs", "2f", comb),
        ("Ground-glass opacity in the anterior segment of the left upper lobe", "2c", haze),
    ]


def _metastases(chest: Chest) -> list[tuple[str, str, Truth]]:
    where: list[tuple[Place, float, int, int]] = [
        ((-70, 40, 90), 14, RIGHT, LOWER), ((76, 30, 110), 11, LEFT, LOWER), ((-60, -24, 190), 9, RIGHT, UPPER),
        ((64, 4, 214), 12, LEFT, UPPER), ((-88, 10, 130), 8, RIGHT, 0), ((60, 54, 66), 10, LEFT, LOWER),
        ((84, -20, 150), 7, LEFT, UPPER),
    ]  # fmt: skip
    many = _solid(chest, where)
    fluid = lesions.effusion(chest, side=LEFT, depth_mm=22, top_mm=110)
    many[fluid > 0] = 0
    return [
        ("Multiple solid nodules in both lungs", "2d", many),
        ("Small left pleural effusion", "2e", fluid),
    ]


def demo_cases(seed: int = 0) -> list[CaseSpec]:
    """Eight people, nineteen findings of ten categories; three cases are partly annotated, as the data set's train is."""
    s = 1000 * seed
    return [
        CaseSpec("valid_9101_a_1", "val", Body(s + 1), _nodule_pair),
        CaseSpec("valid_9102_a_1", "val", Body(s + 2, girth=1.05, fat_mm=22, heart=1.15), _effusion),
        CaseSpec("valid_9103_a_2", "val", Body(s + 3, girth=0.96, fat_mm=10, heart=0.88, noise_hu=26), _emphysema),
        CaseSpec("train_9104_a_1", "train", Body(s + 4, girth=1.02, fat_mm=18), _glass),
        CaseSpec("valid_9105_a_1", "val", Body(s + 5, girth=0.94, fat_mm=9, heart=0.9), _pneumothorax),
        CaseSpec("valid_9106_a_1", "val", Body(s + 6, girth=0.98, fat_mm=13, heart=0.95, noise_hu=19), _infection),
        CaseSpec("train_9107_a_1", "train", Body(s + 7, girth=1.03, fat_mm=20, heart=1.08, noise_hu=24), _fibrosis),
        CaseSpec("train_9108_a_2", "train", Body(s + 8, girth=1.0, fat_mm=15), _metastases),
    ]


def tiny(name: str = "valid_9201_a_1", split: str = "val", seed: int = 0) -> PhantomCase:
    """A chest of 24 x 40 x 48 voxels for tests, no two axes alike, with findings on known sides.

    Left lower nodule; two nodules right upper; right effusion at the back; left upper emphysema.
    """
    rng = np.random.default_rng(seed)
    K, J, I = 24, 40, 48
    spacing = (5.0, 6.0, 6.0)
    k, j, i = np.mgrid[:K, :J, :I].astype(np.float32)
    body = ((i - 23.5) / 22) ** 2 + ((j - 19) / 16) ** 2 < 1
    voxels = np.full((K, J, I), -1000.0, dtype=np.float32)
    voxels[body] = 40
    right = (((i - 13) / 8) ** 2 + ((j - 18) / 11) ** 2 + ((k - 12) / 11) ** 2) < 1
    left = (((i - 34) / 7) ** 2 + ((j - 18) / 10) ** 2 + ((k - 12) / 10) ** 2) < 1
    voxels[right | left] = -860
    voxels[(((i - 28) / 5) ** 2 + ((j - 12) / 4) ** 2 + ((k - 9) / 5) ** 2) < 1] = 60  # the heart is on the left
    voxels[:, 37, 6:42] = -100  # the table is behind

    def ball(centre: tuple[int, int, int], radius: float) -> NDArray[np.bool_]:
        return np.asarray((k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 < radius**2)

    def mask(*instances: NDArray[np.bool_]) -> Truth:
        out = np.zeros((K, J, I), dtype=np.uint8)
        for number, instance in enumerate(instances, start=1):
            out[instance] = number
        return out

    lower = mask(ball((6, 22, 35), 2.4))
    upper = mask(ball((17, 14, 12), 2.2), ball((16, 22, 16), 1.8))
    fluid = mask(right & (j > 25) & (k < 12))
    holes = mask(left & (k > 15) & (j < 20))
    voxels[(lower > 0) | (upper > 0)] = 30
    voxels[fluid > 0] = 10
    voxels[holes > 0] = -955
    noisy = voxels + rng.normal(0, 12, voxels.shape)
    affine = ((6.0, 0.0, 0.0, -141.0), (0.0, 6.0, 0.0, -120.0), (0.0, 0.0, 5.0, -60.0), (0.0, 0.0, 0.0, 1.0))
    return PhantomCase(
        name,
        split,
        np.clip(np.rint(noisy), -1024, 3071).astype(np.int16),
        Grid((K, J, I), spacing, affine),
        (
            PhantomFinding("Solid nodule in the left lower lobe", "2d", lower),
            PhantomFinding("Two nodules in the right upper lobe", "2d", upper),
            PhantomFinding("Right pleural effusion", "2e", fluid),
            PhantomFinding("Emphysema in the left upper lobe", "1c", holes),
        ),
    )
