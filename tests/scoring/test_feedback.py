"""Forty situations and what a good teacher says first. Each geometry is worked out in its line.

The scan: 40 slices of 2 mm, 80 rows and 120 columns of 1 mm; the midline is column 60 (right of the patient below it),
the lungs fill slices 0 to 39. Slice k is number 40 - k. Unless said otherwise the finding is a nodule of 12 mm, slices 17
to 22 (6 of them), rows 34 to 45, columns 84 to 95: on the left, in the middle zone, largest on slice k 17, number 23.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest

from cases.imaging import masks
from cases.imaging.geometry import Grid
from quiz.scoring.feedback import feedback
from quiz.scoring.grade import grade
from quiz.scoring.question import OtherFinding, Question
from quiz.scoring.where import Landmarks

SIZE = (40, 80, 120)
GRID = Grid(SIZE, (2.0, 1.0, 1.0), ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 2.0, 0), (0, 0, 0, 1.0)))
LANDMARKS = Landmarks(60.0, (0, 40))

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
NODULE: Box = ((17, 23), (34, 46), (84, 96))
SECOND: Box = ((30, 34), (34, 42), (20, 28))  # on the right, upper zone, largest on k 30: slice 10
THIRD: Box = ((4, 8), (50, 56), (90, 96))  # on the left, lower zone, largest on k 4: slice 36
FOURTH: Box = ((4, 7), (20, 25), (20, 25))
FAR: Box = ((34, 36), (60, 64), (100, 104))
LUNGS: Box = ((10, 30), (14, 58), (70, 103))


def block(boxes):
    out = np.zeros(SIZE, np.uint8)
    for n, (k, j, i) in enumerate(boxes, start=1):
        out[k[0] : k[1], j[0] : j[1], i[0] : i[1]] = n
    return out


def on(k, box=NODULE, *, grow=0, di=0, dj=0):
    """One slice of a box, made larger, or moved."""
    (_, (j0, j1), (i0, i1)) = box
    return ((k, k + 1), (j0 + dj - grow, j1 + dj + grow), (i0 + di - grow, i1 + di + grow))


@dataclass
class Situation:
    name: str
    painted: list[Box]
    says: str
    truth: list[Box] = field(default_factory=lambda: [NODULE])
    mode: str = "slice"
    exhaustive: bool = True
    sentence: str = "Solid nodule"
    category: str = "2d"
    others: dict[str, Box] = field(default_factory=dict)
    landmarks: Landmarks | None = LANDMARKS
    joined: bool = False  # the boxes of the truth are one instance
    at: int = 0  # which sentence; the most useful comes first


HERE = "look on the left, in the middle zone, at slice 23, where it is largest"

SITUATIONS = [
    # -- found, and how well
    Situation("exact on one slice", [on(20)], "You found it."),
    Situation("exact: the outline", [on(20)], "Your outline fits.", at=1),
    # 24 x 24 of paint. Within 3 mm of 12 x 12: 18 x 18 without 5 voxels in each corner, 304. 1 - 304 / 576 = 47 %.
    Situation("too wide all round", [on(20, grow=6)], "Your outline is too wide: 47% of it lies beyond the border.", at=1),
    # 12 x 26: columns 84 to 109, on it up to 98 (3 mm): 11 of 26 beyond; their middle is 104 - 89.5 = 14.5 mm to the left.
    Situation(
        "too wide to the left", [((20, 21), (34, 46), (84, 110))],
        "Your outline is too wide towards the patient's left: 42% of it lies beyond the border.", at=1,
    ),
    Situation(
        "too wide to the right", [((20, 21), (34, 46), (70, 96))],
        "Your outline is too wide towards the patient's right: 42% of it lies beyond the border.", at=1,
    ),
    Situation(
        "too wide at the back", [((20, 21), (34, 60), (84, 96))],
        "Your outline is too wide at the back: 42% of it lies beyond the border.", at=1,
    ),
    Situation(
        "too wide at the front", [((20, 21), (20, 46), (84, 96))],
        "Your outline is too wide at the front: 42% of it lies beyond the border.", at=1,
    ),
    # Columns 84 and 85 painted: up to 88 are within 3 mm, 7 of 12 are left out.
    Situation(
        "too narrow, its left side left out", [((20, 21), (34, 46), (84, 86))],
        "Your outline is too narrow towards the patient's left: it leaves out 58% of what is on the slices you painted.",
        at=1,
    ),
    Situation(
        "too narrow, its front left out", [((20, 21), (44, 46), (84, 96))],
        "Your outline is too narrow at the front: it leaves out 58% of what is on the slices you painted.", at=1,
    ),
    Situation("a touch is enough when locating", [((20, 21), (39, 41), (89, 91))], "You found it.", mode="locate"),
    # -- the whole of it
    Situation("the whole of it", [NODULE], "Your outline fits.", mode="volume", at=1),
    # Slices 17 and 18 of 17 to 22: three slices, 19 and up to within 3 mm of 18, so 20 to 22 are left out: half.
    Situation(
        "stops early", [((17, 19), (34, 46), (84, 96))],
        "Your outline is too narrow at the top: it leaves out 50% of it.", mode="volume", at=1,
    ),
    Situation("stops early: how many slices", [((17, 19), (34, 46), (84, 96))], "You stop 4 slices below its top.",
              mode="volume", at=2),
    Situation("goes on too long", [((17, 29), (34, 46), (84, 96))], "You go on 6 slices above its top.",
              mode="volume", at=2),
    Situation("begins late", [((21, 23), (34, 46), (84, 96))], "You begin 4 slices above its lower end.",
              mode="volume", at=2),
    Situation("begins early", [((11, 23), (34, 46), (84, 96))], "You begin 6 slices below its lower end.",
              mode="volume", at=2),
    # -- slice mode: a better slice. 30 x 30 on k 10 to 16, of which the first, k 10, is number 30; painted on k 20, where
    # it is 12 x 12.
    Situation("another slice shows it better", [on(20)],
              "It is largest on slice 30, 10 slices from the nearest one you painted.",
              truth=[NODULE, ((10, 17), (25, 55), (75, 105))],
              joined=True, at=2),
    # -- near misses. The mark of 4 x 4 ends at column 79, 5 mm before 84; middles 77.5 and 89.5: 12 mm.
    Situation("close, to the right of it", [((19, 20), (38, 42), (76, 80))],
              "Close: the centre of it is 12 mm further to the patient's left."),
    Situation("close, to the left of it", [((19, 20), (38, 42), (100, 104))],
              "Close: the centre of it is 12 mm further to the patient's right."),
    # Rows 24 to 27, middle 25.5; the nodule's 39.5.
    Situation("close, in front of it", [((19, 20), (24, 28), (88, 92))],
              "Close: the centre of it is 14 mm further back."),
    Situation("close, behind it", [((19, 20), (52, 56), (88, 92))],
              "Close: the centre of it is 14 mm further forward."),
    # k 27: the nodule's middle is 19.5, 7.5 slices of 2 mm below.
    Situation("close, above it", [((27, 28), (38, 42), (88, 92))], "Close: the centre of it is 15 mm lower."),
    Situation("close, below it", [((12, 13), (38, 42), (88, 92))], "Close: the centre of it is 15 mm higher."),
    # -- elsewhere. From (34.5, 61.5, 101.5) to (19.5, 39.5, 89.5): 30 mm lower, 22 further forward, 12 to the right.
    Situation("far away", [FAR],
              f"The reference lies elsewhere: {HERE}; from your mark that is 30 mm lower and 22 mm further forward."),
    Situation("two marks far away", [FAR, SECOND], f"The reference lies elsewhere: {HERE}."),
    Situation("without landmarks only the slice is said", [FAR, SECOND],
              "The reference lies elsewhere: look at slice 23, where it is largest.", landmarks=None),
    Situation("on the other side than the sentence says", [SECOND],
              "The sentence says left; you painted on the right. The patient's right is on the left of the screen.",
              sentence="Solid nodule in the left lower lobe", exhaustive=False),
    Situation("the same, mirrored", [NODULE],
              "The sentence says right; you painted on the left. The patient's right is on the left of the screen.",
              truth=[SECOND], sentence="Solid nodule in the right upper lobe", exhaustive=False),
    Situation("one of two marks is on the other side", [on(20), SECOND],
              "One of your marks is on the right, but the sentence says left.",
              sentence="Solid nodule in the left lower lobe", exhaustive=False, at=1),
    # The lungs' box ends at row 58 (stop 59); a mark in rows 79 is 21 mm behind it.
    Situation("in the chest wall", [((19, 21), (79, 80), (88, 92))],
              "One of your marks lies in the chest wall or outside the body.",
              landmarks=Landmarks(60.0, (0, 40), ((10, 59), (5, 115))), exhaustive=False),
    Situation("another finding of the scan", [SECOND],
              "You painted another finding of this scan: “Band atelectasis in the right upper lobe”.",
              others={"Band atelectasis in the right upper lobe": SECOND}),
    # -- several places
    Situation("one of two", [on(20)], "You found 1 of the 2 present.", truth=[NODULE, SECOND]),
    Situation("one of two: the other", [on(20)], "The one you missed is on the right, in the upper zone, at slice 10.",
              truth=[NODULE, SECOND], at=2),
    Situation("two of three", [on(20), on(31, SECOND)], "You found 2 of the 3 present.", truth=[NODULE, SECOND, THIRD]),
    Situation("one of three: the largest missed", [on(20)],
              "The largest of the 2 you missed is on the right, in the upper zone, at slice 10.",
              truth=[NODULE, SECOND, THIRD], at=2),
    Situation("three of four are enough", [on(20), on(31, SECOND), on(5, THIRD)],
              "You found 3 of the 4 present; 3 are enough.", truth=[NODULE, SECOND, THIRD, FOURTH]),
    Situation("partly annotated: not all that is present", [on(20)], "You found 1 of the 2 marked in the reference.",
              truth=[NODULE, SECOND], exhaustive=False),
    # -- extra marks
    Situation("an extra mark where all is annotated", [on(20), FAR],
              "1 mark lies where nothing of this finding is; every instance of this scan is annotated.", at=2),
    Situation("an extra mark where not all is", [on(20), FAR],
              "Not judged: the reference of this scan marks at most about three places, so paint elsewhere may be right.",
              exhaustive=False, at=2),
    Situation("only marks that cannot be judged", [FAR],
              "Not judged: the reference of this scan marks at most about three places, so paint elsewhere may be right.",
              exhaustive=False),
    Situation("touches it and says everything", [((20, 21), (0, 80), (50, 120))],
              "One of your marks touches it but is far too wide to tell what you meant; outline it closer."),
    Situation("answered as not present", [], f"It is present: {HERE}."),
    # -- diffuse. Blocks of 5 slices, 11 rows and 11 columns: 4 x 4 x 3 = 48; painted: the lower half of the slices.
    Situation("half of the affected blocks", [((10, 20), (14, 58), (70, 103))], "You marked 50% of the affected blocks.",
              truth=[LUNGS], mode="volume", category="1c", sentence="Emphysema"),
    Situation("all of a slice of it", [((20, 21), (14, 58), (70, 103))],
              "You marked 100% of the affected blocks on the slices you painted.",
              truth=[LUNGS], category="1c", sentence="Emphysema"),
    # 3 x 3 = 9 voxels of blocks of 11 x 11: 12.1 would mark one. The slice it is largest on is k 10, number 30.
    Situation("on it, but next to nothing", [((20, 21), (30, 33), (80, 83))],
              "You are in the right place but marked too little of it; it is largest at slice 30.",
              truth=[LUNGS], category="1c", sentence="Emphysema"),
    # Twice as wide as affected along j: rows 14 to 57 are 4 rows of blocks, painted from row 0 to 79 are 8 (two of them
    # cut by the border: 0-2 and 69-79 hold paint as well): 4 of 8 rows of blocks beside.
    Situation("blocks beside", [((20, 21), (3, 80), (70, 103))], "43% of the blocks you marked are not affected.",
              truth=[LUNGS], category="1c", sentence="Emphysema", at=1),
]  # fmt: skip


def test_there_are_forty():
    assert len(SITUATIONS) >= 40
    assert len({one.name for one in SITUATIONS}) == len(SITUATIONS)


@pytest.mark.parametrize("one", SITUATIONS, ids=lambda one: one.name)
def test_what_is_said(one):
    others = tuple(OtherFinding(words, masks.from_dense(block([box]))) for words, box in one.others.items())
    truth = block(one.truth)
    question = Question(
        masks.from_dense(truth > 0 if one.joined else truth),
        GRID,
        one.category,
        one.exhaustive,
        one.sentence,
        others,
        one.landmarks,
    )
    answer = masks.from_dense((block(one.painted) > 0).astype(np.uint8))
    said = feedback(question, answer, grade(question, answer, mode=one.mode))
    assert len(said) == len(set(said)), "each thing is said once"
    assert said[one.at] == one.says, said
