"""How good an engine is on the findings here: asked anew, scored by the one scorer, kept for the pages."""

import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.db.models import Count, Q

from cases import storage
from cases.imaging.masks import MaskError, SparseMask, overlaps
from cases.imaging.slices import SliceError
from cases.models import Finding, Volume
from quiz.grounding import shown
from quiz.grounding.base import EngineError, Grounder, Grounding
from quiz.grounding.confidence import agreement
from quiz.models import EngineEvaluation, HintModel, Work
from quiz.scoring import evaluation
from quiz.scoring.benchmark import FindingScore
from quiz.scoring.evaluation import Judged
from quiz.scoring.official import official
from quiz.verification import points_at, rungs_right


@dataclass
class Running:
    """An evaluation on its way. left_out: scans that could not be judged. not_asked: findings the engine did not look for."""

    rows: list[Judged] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    not_asked: list[dict[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def evaluate(
    grounder: Grounder, findings: Iterable[Finding], *, other: Grounder | None = None
) -> Iterator[tuple[Volume, Running]]:
    """Ask an engine about findings (ordered by volume), scan by scan; what is so far known comes after each scan.

    A scan on which the engine fails is left out with the reason, and so is a finding for which it was not set up: neither
    says how good it is. ``other``: an engine whose agreement is measured.
    """
    so_far = Running()
    for _, group in groupby(findings, key=lambda finding: finding.volume_id):
        asked = list(group)
        volume = asked[0].volume
        try:
            voxels = storage.load_voxels(volume.slices_key, volume.size)
            sentences = [finding.sentence for finding in asked]
            started = time.monotonic()
            answers = grounder.ground(voxels, volume.grid, sentences)
            seconds = time.monotonic() - started
            others = other.ground(voxels, volume.grid, sentences) if other else [None] * len(asked)
            rows, passed_over = [], []
            for finding, answer, second in zip(asked, answers, others, strict=True):
                if answer.asked:
                    rows.append(judge(finding, answer, second))
                else:
                    passed_over.append({"name": volume.name, "sentence": finding.sentence, "reason": answer.note})
        except (EngineError, OSError, SliceError, MaskError) as error:
            so_far.left_out.append({"name": volume.name, "reason": str(error)})
        else:  # all of a scan or nothing: what is left out is in no number
            so_far.rows += rows
            so_far.not_asked += passed_over
            if rows:
                so_far.seconds.append(seconds)
        yield volume, so_far


def judge(finding: Finding, answer: Grounding, other: Grounding | None = None) -> Judged:
    """One answer against its reference. Raises EngineError for an answer that is none."""
    volume = finding.volume
    checked = shown.checked(answer, volume.grid)
    truth, mask = storage.load_truth(finding.truth_key), checked.mask.union()
    numbers = official(truth, mask)
    seen = shown.shown_heat(mask, checked.heat, volume.grid)
    return Judged(
        score=FindingScore(volume.name, finding.channel, finding.category_id, finding.sentence, numbers),
        patient=volume.patient_key,
        recall=_recall(truth, mask),
        rungs=rungs_right(truth, mask, seen, volume, dice=numbers.dice),
        pointing=points_at(truth, checked.heat or seen, volume),
        confidence=checked.confidence,
        agreement=agreement(mask, other.mask.union()) if other else None,
        finding=finding.pk,
        note=checked.note,
        extra={"exhaustive": finding.exhaustive},
    )


def _recall(truth: SparseMask, mask: SparseMask) -> float:
    return float(overlaps(truth, mask)[2].sum()) / truth.voxels()


def keep(grounder: Grounder, split: str, report: dict[str, Any]) -> EngineEvaluation:
    """Store a report; the pages and the hints say the newest one of an engine's version."""
    return EngineEvaluation.objects.create(
        engine=grounder.name[:40],
        version=grounder.version[:80],
        split=split,
        findings=report["n"],
        report=report,
    )


def described(running: Running) -> dict[str, Any]:
    """The report as JSON; its first keys are those of ``score_predictions``."""
    numbers = evaluation.report(running.rows, lambda row: bool(row.extra["exhaustive"]))
    seconds = sorted(running.seconds)
    return numbers | {
        "seconds_per_scan": {
            "median": seconds[len(seconds) // 2] if seconds else None,
            "longest": seconds[-1] if seconds else None,
        },
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_gpu_memory_mb": _gpu_mb(),
        "left_out": running.left_out,
        "not_asked": running.not_asked,
        "findings": [row.as_row() for row in running.rows],
    }


def _gpu_mb() -> float | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return float(torch.cuda.max_memory_allocated()) / 1e6


def measured(engine: str, version: str, category: str) -> tuple[int, float, float] | None:
    """Findings, hit rate and mean Dice of an engine's version on the exhaustive findings of a category, by its newest
    evaluation; None if there is none, or none of that category in it."""
    newest = EngineEvaluation.objects.filter(engine=engine, version=version)
    categories = newest.values_list("report__categories", flat=True).first()  # without the row of every finding
    numbers = categories.get(category) if categories else None
    if not numbers or not numbers["n"]:
        return None
    return numbers["n"], numbers["hit_rate"], numbers["dice_per_finding"]


@dataclass(frozen=True)
class Known:
    """A model, how many findings it has answered here, and its newest evaluation."""

    model: HintModel
    answered: int
    failed: int
    newest: EngineEvaluation | None


def overview() -> list[Known]:
    """Every model that is known here, the newest version of an engine first."""
    answered = Count("groundings", filter=Q(groundings__state=Work.DONE))
    failed = Count("groundings", filter=Q(groundings__state=Work.FAILED))
    newest: dict[tuple[str, str], EngineEvaluation] = {}
    for one in EngineEvaluation.objects.order_by("made_at", "id"):
        newest[one.engine, one.version] = one
    rows = HintModel.objects.annotate(answered=answered, failed=failed).order_by("engine", "-registered_at", "-id")
    return [Known(row, row.answered, row.failed, newest.get((row.engine, row.version))) for row in rows]
