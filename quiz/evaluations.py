"""How good an engine is on the findings here: asked anew, scored by the one scorer, kept for the pages."""

import logging
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from numpy.typing import NDArray

from cases import storage
from cases.imaging import masks
from cases.imaging.geometry import Grid
from cases.imaging.masks import MaskError, SparseMask, overlaps
from cases.imaging.slices import SliceError
from cases.models import Finding, Volume
from quiz.grounding import shown
from quiz.grounding.base import EngineError, EngineUnavailable, Grounder, Grounding
from quiz.grounding.confidence import agreement
from quiz.models import EngineEvaluation, HintModel, Work
from quiz.scoring import evaluation
from quiz.scoring.benchmark import FindingScore
from quiz.scoring.evaluation import Judged
from quiz.scoring.official import official
from quiz.verification import points_at, rungs_right

logger = logging.getLogger(__name__)


@dataclass
class Running:
    """An evaluation on its way. left_out: scans that cannot be read. failed_on: findings the engine gave no answer to, misses
    all of them. unheard: the same of the second engine, whose agreement is then not known. not_asked: findings the engine
    did not look for."""

    rows: list[Judged] = field(default_factory=list)
    left_out: list[dict[str, str]] = field(default_factory=list)
    failed_on: list[dict[str, str]] = field(default_factory=list)
    unheard: list[dict[str, str]] = field(default_factory=list)
    not_asked: list[dict[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def evaluate(
    grounder: Grounder, findings: Iterable[Finding], *, other: Grounder | None = None
) -> Iterator[tuple[Volume, Running]]:
    """Ask an engine about findings (ordered by volume), scan by scan; what is so far known comes after each scan.

    Left out are only scans that our own store cannot give, and findings for which the engine was not set up: neither says
    how good it is. Where it fails it has marked nothing. ``other``: an engine whose agreement is measured. Raises
    EngineUnavailable if either engine is gone: what is known by then is a matter of chance.
    """
    so_far = Running()
    for _, group in groupby(findings, key=lambda finding: finding.volume_id):
        asked = list(group)
        volume = asked[0].volume
        try:
            voxels = storage.load_voxels(volume.slices_key, volume.size)
            truths = [storage.load_truth(finding.truth_key) for finding in asked]
        except (OSError, SliceError, MaskError) as error:
            so_far.left_out.append({"name": volume.name, "reason": str(error)})
            yield volume, so_far
            continue
        sentences = [finding.sentence for finding in asked]
        started = time.monotonic()
        answers = _ask(grounder, voxels, volume.grid, sentences)
        seconds = time.monotonic() - started
        others = _ask(other, voxels, volume.grid, sentences) if other else [None] * len(asked)
        for finding, truth, answer, second in zip(asked, truths, answers, others, strict=True):
            which = {"name": volume.name, "sentence": finding.sentence}
            if isinstance(answer, str):
                so_far.failed_on.append(which | {"reason": answer})
                answer = Grounding(finding.sentence, masks.empty(volume.size), None, 0.0, note=answer)
            if isinstance(second, str):
                so_far.unheard.append(which | {"reason": second})
                second = None
            if answer.asked:
                so_far.rows.append(judge(finding, truth, answer, second))
            else:
                so_far.not_asked.append(which | {"reason": answer.note})
        if any(isinstance(answer, Grounding) and answer.asked for answer in answers):
            so_far.seconds.append(seconds)
        yield volume, so_far


def _ask(engine: Grounder, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str]) -> list[Grounding | str]:
    """An answer per sentence, or why there is none. Raises EngineUnavailable only."""
    try:
        answers = list(engine.ground(voxels, grid, sentences))
    except EngineUnavailable:
        raise
    except EngineError as error:
        return [str(error)] * len(sentences)
    except Exception as error:  # an engine is other people's code: whatever it does costs one scan, as in a worker
        logger.exception("%s stopped with an error", engine.name)
        return [f"The engine stopped with an error. ({type(error).__name__})"] * len(sentences)
    if len(answers) != len(sentences):
        return [f"The engine gave {len(answers)} answers to {len(sentences)} sentences."] * len(sentences)
    return [_checked(answer, grid) for answer in answers]


def _checked(answer: Grounding, grid: Grid) -> Grounding | str:
    try:
        return shown.checked(answer, grid)
    except EngineError as error:
        return str(error)


def judge(finding: Finding, truth: SparseMask, answer: Grounding, other: Grounding | None = None) -> Judged:
    """One answer, which fits the scan, against its reference."""
    volume, mask = finding.volume, answer.mask.union()
    numbers = official(truth, mask)
    seen = shown.shown_heat(mask, answer.heat, volume.grid)
    return Judged(
        score=FindingScore(volume.name, finding.channel, finding.category_id, finding.sentence, numbers),
        patient=volume.patient_key,
        recall=_recall(truth, mask),
        rungs=rungs_right(truth, mask, seen, volume, dice=numbers.dice),
        pointing=points_at(truth, answer.heat or seen, volume),
        confidence=answer.confidence,
        agreement=agreement(mask, other.mask.union()) if other and other.asked else None,
        finding=finding.pk,
        note=answer.note,
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


def described(running: Running, *, other: Grounder | None = None) -> dict[str, Any]:
    """The report as JSON; its first keys are those of ``score_predictions``. Memory is that of the whole process, so it is
    not told if a second engine was in it."""
    numbers = evaluation.report(running.rows, lambda row: bool(row.extra["exhaustive"]))
    seconds = sorted(running.seconds)
    return numbers | {
        "seconds_per_scan": {
            "median": seconds[len(seconds) // 2] if seconds else None,
            "longest": seconds[-1] if seconds else None,
        },
        "peak_memory_mb": None if other else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_gpu_memory_mb": None if other else _gpu_mb(),
        "against": {"engine": other.name, "version": other.version, "failed_on": running.unheard} if other else None,
        "left_out": running.left_out,
        "failed_on": running.failed_on,
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
    evaluation that had exhaustive ones; None if there is none, or none of that category in it."""
    newest = EngineEvaluation.objects.filter(engine=engine, version=version, findings__gt=0)
    categories = newest.values_list("report__categories", flat=True).first()  # without the row of every finding
    numbers = categories.get(category) if categories else None
    if not numbers or not numbers["n"]:
        return None
    return numbers["n"], numbers["hit_rate"], numbers["dice_per_finding"]


@dataclass(frozen=True)
class Known:
    """A version of an engine, how many findings it has answered here, and its newest evaluation. model: None if no worker
    has ever run it, so that it has only been evaluated and trainees see nothing of it."""

    engine: str
    version: str
    model: HintModel | None
    newest: EngineEvaluation | None
    answered: int = 0
    failed: int = 0


def overview() -> list[Known]:
    """Every model that is known here, the newest version of an engine first, and then those that were only evaluated."""
    newest = {(one.engine, one.version): one for one in _newest()}
    of_findings = Q(groundings__finding__isnull=False)  # the others are people's own questions
    answered = Count("groundings", filter=of_findings & Q(groundings__state=Work.DONE, groundings__asked=True))
    failed = Count("groundings", filter=of_findings & Q(groundings__state=Work.FAILED))
    rows = HintModel.objects.annotate(answered=answered, failed=failed).order_by("engine", "-registered_at", "-id")
    known = [
        Known(row.engine, row.version, row, newest.pop((row.engine, row.version), None), row.answered, row.failed)
        for row in rows
    ]
    return known + [Known(engine, version, None, newest[engine, version]) for engine, version in sorted(newest)]


def _newest() -> QuerySet[EngineEvaluation]:
    """The newest evaluation of each version of an engine, with its means beside it and without the report: that has a row
    for every finding."""
    same = EngineEvaluation.objects.filter(engine=OuterRef("engine"), version=OuterRef("version"))
    return (
        EngineEvaluation.objects.filter(pk=Subquery(same.values("pk")[:1]))
        .defer("report")
        .annotate(dice=F("report__dice_per_finding"), hit_rate=F("report__hit_rate"))
    )
