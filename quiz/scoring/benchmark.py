"""The benchmark's evaluation of a folder of predictions: per finding, per category, and over all.

Rules of the benchmark's evaluator (rexrank_eval.py): instance counts are summed over all findings (micro), the hit rate
is hits over findings, Dice is averaged both over findings and over the means of cases; a case whose prediction is
missing or cannot be read is reported and left out.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases.imaging.gzipped import FileRefused
from cases.imaging.nifti import Frame
from cases.imaging.nifti_masks import read_masks, read_shape
from cases.imaging.rexgrounding import Entry
from quiz.scoring.official import InstanceCounts, Official, official


@dataclass(frozen=True)
class FindingScore:
    """The official numbers of one finding of one case."""

    name: str
    channel: int
    category: str
    sentence: str
    numbers: Official

    def as_row(self) -> dict[str, Any]:
        counts = self.numbers.instances
        return {
            "name": self.name,
            "finding": self.channel,
            "category": self.category,
            "sentence": self.sentence,
            "dice": self.numbers.dice,
            "hit": self.numbers.hit,
            "dice_kept": self.numbers.kept_dice,
            "hit_kept": self.numbers.kept_hit,
            "tp": counts.tp,
            "fp": counts.fp,
            "fn": counts.fn,
        }


@dataclass(frozen=True)
class LeftOut:
    """A case that is not part of the numbers, and why."""

    name: str
    reason: str


def score_case(entry: Entry, truth: Path, predictions: Path) -> list[FindingScore] | LeftOut:
    """Score one case: 4-D masks (F, X, Y, Z) of the same name in both folders. Never raises for a bad file."""
    if entry.problem:
        return LeftOut(entry.name, entry.problem)
    true, predicted = (_below(folder, entry.name) for folder in (truth, predictions))
    if true is None:
        return LeftOut(entry.name, "There is no reference mask for it.")
    if predicted is None:
        return LeftOut(entry.name, "There is no prediction for it.")
    try:
        frame = Frame.of_file(_shape(true, len(entry.sentences)))
        pairs = zip(
            entry.sentences,
            read_masks(true, frame, findings=len(entry.sentences)),
            read_masks(predicted, frame, findings=len(entry.sentences)),
            strict=True,
        )
        return [FindingScore(entry.name, one.channel, one.category, one.text, official(a, b)) for one, a, b in pairs]
    except FileRefused as error:
        return LeftOut(entry.name, str(error))


def _below(folder: Path, name: str) -> Path | None:
    """The file of that name, in the folder or in its ``segmentations``. Names were checked when the JSON was read."""
    return next((path for path in (folder / name, folder / "segmentations" / name) if path.is_file()), None)


def _shape(path: Path, findings: int) -> tuple[int, int, int]:
    """X, Y, Z of a reference mask (F, X, Y, Z). The benchmark knows no other order."""
    shape = read_shape(path)
    if len(shape) != 4 or shape[0] != findings:
        raise FileRefused(f"{path.name} should have the shape ({findings}, X, Y, Z), not {shape}.")
    return shape[1], shape[2], shape[3]


def summary(scores: Sequence[FindingScore]) -> dict[str, Any]:
    """Over all findings given; every number is None if there is none. The keys are a contract (design section 6)."""
    if not scores:
        return dict.fromkeys(("dice_per_finding", "dice_per_case", "hit_rate", *_INSTANCES)) | {"n": 0, "cases": 0}
    counts = sum((one.numbers.instances for one in scores), InstanceCounts(0, 0, 0))
    return {
        "dice_per_finding": _mean(one.numbers.dice for one in scores),
        "dice_per_case": _mean(_case_means(scores)),
        "hit_rate": _mean(float(one.numbers.hit) for one in scores),
        "instance_precision": counts.precision,
        "instance_recall": counts.recall,
        "instance_f1": counts.f1,
        "kept": {
            "dice_per_finding": _mean(one.numbers.kept_dice for one in scores),
            "dice_per_case": _mean(_case_means(scores, kept=True)),
            "hit_rate": _mean(float(one.numbers.kept_hit) for one in scores),
        },
        "n": len(scores),
        "cases": len({one.name for one in scores}),
    }


_INSTANCES = ("instance_precision", "instance_recall", "instance_f1")


def by_category(scores: Sequence[FindingScore]) -> dict[str, dict[str, Any]]:
    """The same per category code."""
    grouped: dict[str, list[FindingScore]] = defaultdict(list)
    for one in scores:
        grouped[one.category].append(one)
    return {code: summary(grouped[code]) for code in sorted(grouped)}


def _case_means(scores: Sequence[FindingScore], *, kept: bool = False) -> list[float]:
    cases: dict[str, list[float]] = defaultdict(list)
    for one in scores:
        cases[one.name].append(one.numbers.kept_dice if kept else one.numbers.dice)
    return [_mean(values) for values in cases.values()]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
