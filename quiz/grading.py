"""The scorer at work on rows: what it needs to know of a finding, and the columns that a grade becomes."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, F, Q

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz.models import Attempt, AttemptQuerySet, PastGrade
from quiz.scoring import completeness, explain
from quiz.scoring import feedback as teacher
from quiz.scoring import grade as scorer
from quiz.scoring.question import OtherFinding, Question
from quiz.scoring.rules import SCORER_VERSION
from quiz.scoring.where import Landmarks

PRIORS_SECONDS = 600
"""How long the completeness of partial findings, counted over the whole library, is kept before it is counted again."""

GRADE_COLUMNS = (
    "verdict", "score", "score_low", "score_high", "judged_weight", "dice", "hit", "result", "reveal",
    "scorer_version", "truth_version",
)  # fmt: skip
"""Columns of an attempt, and of a grade that is past, that a grade fills."""


def grade_columns(attempt: Attempt, painted: masks.SparseMask, *, absent: bool) -> dict[str, Any]:
    """GRADE_COLUMNS of an answer to an attempt. Raises OSError or MaskError if the truth cannot be read."""
    finding, question = attempt.finding, question_of(attempt)
    graded = scorer.grade(question, painted, mode=attempt.mode, absent=absent)
    sentences = teacher.feedback(question, painted, graded)
    made_of = [part.as_dict() for part in explain.parts(question, graded)]
    return {
        "verdict": graded.verdict,
        "score": graded.score,
        "score_low": graded.score_low,
        "score_high": graded.score_high,
        "judged_weight": graded.judged_weight,
        "dice": graded.official.dice,
        "hit": graded.official.hit,
        "result": graded.as_result(feedback=sentences, truth_version=finding.truth_version),
        "reveal": graded.as_reveal() | {"parts": made_of},
        "scorer_version": graded.scorer_version,
        "truth_version": finding.truth_version,
    }


def question_of(attempt: Attempt) -> Question:
    """What the scorer needs to know to judge an attempt, read from the store.

    Of the other findings of the scan it knows those that this person had answered before: to be told that paint lies on
    one that is still to be answered would show where that one is.
    """
    finding, volume = attempt.finding, attempt.finding.volume
    answered = Attempt.objects.submitted().filter(user=attempt.user_id)
    if attempt.submitted_at is not None:
        answered = answered.filter(submitted_at__lt=attempt.submitted_at)
    usable = Finding.objects.usable().filter(volume=volume, pk__in=answered.values("finding"))
    others = [
        OtherFinding(other.sentence, storage.load_truth(other.truth_key)) for other in usable.exclude(pk=finding.pk)
    ]
    landmarks = None
    if volume.midline_i is not None and volume.lung_box is not None:
        k, j, i = ((first, stop) for first, stop in volume.lung_box)
        landmarks = Landmarks(midline_i=volume.midline_i, lung_k=k, lung_ji=(j, i))
    return Question(
        truth=storage.load_truth(finding.truth_key),
        grid=volume.grid,
        category=finding.category_id,
        exhaustive=finding.exhaustive,
        sentence=finding.sentence,
        others=tuple(others),
        landmarks=landmarks,
        completeness=completeness_of(finding),
    )


def completeness_of(finding: Finding) -> float:
    """How likely a finding's truth holds all there is: 1 if it is exhaustive, else from the library's own counts."""
    if finding.exhaustive:
        return 1.0
    if finding.cap_reached:
        return 0.0
    priors = cache.get_or_set("completeness", count_completeness, PRIORS_SECONDS)
    return float((priors or {}).get((finding.category_id, finding.instance_count), 0.0))


def count_completeness() -> dict[tuple[str, int], float]:
    """The chance by (category, instances annotated) that a partial finding is complete (``scoring.completeness``)."""
    rows = (
        Finding.objects.usable()
        .order_by()
        .values_list("exhaustive", "category_id", "instance_count")
        .annotate(n=Count("pk"))
    )
    full: dict[str, dict[int, int]] = defaultdict(dict)
    partial: dict[str, dict[int, int]] = defaultdict(dict)
    for exhaustive, category, instances, n in rows:
        (full if exhaustive else partial)[category][instances] = n
    return completeness.priors(full, partial)


# -- how it was scored ---------------------------------------------------------------------------------------------------


def areas_of(attempt: Attempt) -> masks.SparseMask:
    """What each voxel of a submitted attempt counted as: a mask of ``explain.KINDS``, by the present rules."""
    return explain.areas(question_of(attempt), attempt.painted_mask(), mode=attempt.mode)


def unjudged_of(attempt: Attempt) -> masks.SparseMask:
    """Painted voxels of a submitted attempt that the reference cannot judge; none where it marks everything."""
    return explain.unjudged(question_of(attempt), attempt.painted_mask(), mode=attempt.mode)


# -- grading again -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Regraded:
    """One attempt before and after. problem: why it could not be graded again, or empty."""

    attempt: int
    finding: int
    category: str
    before: dict[str, Any]
    after: dict[str, Any]
    problem: str = ""


def outdated_attempts() -> AttemptQuerySet:
    """Submitted attempts whose rules or truth have changed since they were graded."""
    changed = ~Q(scorer_version=SCORER_VERSION) | ~Q(truth_version=F("finding__truth_version"))
    return Attempt.objects.submitted().filter(changed)


def regrade(attempt: Attempt, *, write: bool) -> Regraded:
    """Grade a submitted attempt by the present rules and truth; if ``write``, keep it and put the old grade away.

    An attempt whose paint or truth cannot be read keeps its grade, with the problem said.
    """
    shown = ("verdict", "score", "dice", "scorer_version", "truth_version")
    before = {name: getattr(attempt, name) for name in shown}
    where = (attempt.pk, attempt.finding_id, attempt.finding.category_id)
    if attempt.finding.voxels == 0:
        return Regraded(*where, before, {}, "Its finding is no longer in the data set; the grade stays.")
    try:
        painted = attempt.painted_mask()
        if painted.size != attempt.finding.volume.size:
            return Regraded(*where, before, {}, "Its scan has another size now; the grade stays.")
        columns = grade_columns(attempt, painted, absent=attempt.absent)
    except (OSError, masks.MaskError) as error:
        return Regraded(*where, before, {}, f"A mask cannot be read ({error}); the grade stays.")
    if write:
        with transaction.atomic():
            past = {name: getattr(attempt, name) for name in GRADE_COLUMNS}
            mine = Attempt.objects.filter(pk=attempt.pk, scorer_version=attempt.scorer_version)
            if mine.filter(truth_version=attempt.truth_version).update(**columns):  # else another run was here first
                PastGrade.objects.create(attempt=attempt, **past)
    return Regraded(*where, before, {name: columns[name] for name in shown})
