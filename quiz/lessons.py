"""What a feedback page teaches beside the grade: the sentence again, findings to compare with, how to search."""

import logging
import math
from dataclasses import dataclass

from cases.imaging.masks import MaskError
from quiz import access
from quiz.grounding import echo
from quiz.grounding.gates import place_of
from quiz.learning.tips import tip
from quiz.models import Attempt, Verdict
from quiz.verification import lungs_of

logger = logging.getLogger(__name__)

ALIKE = 2.0
"""Two findings are alike in size if one is at most so many times as large across as the other. Our choice."""


@dataclass(frozen=True)
class Lesson:
    """echo: the sentence in pieces, each with whether it says where, and whether the paint went against it. sibling: a
    finding of the same kind that this person found, confuser: one of another kind that is alike in size and place; both
    of answers of their own, whose reference they have seen."""

    echo: list[tuple[str, bool, bool]]
    sibling: Attempt | None
    confuser: Attempt | None
    tip: str

    @property
    def against(self) -> str:
        """The words that the paint went against."""
        return ", ".join(f"“{text}”" for text, _, against in self.echo if against)


def lesson(attempt: Attempt) -> Lesson:
    """For a submitted attempt."""
    against = _gone_against(attempt)
    said = [(one.text, bool(one.places), bool(one.places & against)) for one in echo.pieces(attempt.finding.sentence)]
    return Lesson(said, *_alike(attempt), tip(attempt.finding.category_id, attempt.verdict))


def _gone_against(attempt: Attempt) -> frozenset[str]:
    if attempt.verdict == Verdict.FOUND or attempt.absent:
        return frozenset()
    try:
        painted = attempt.painted_mask()
    except MaskError as error:
        logger.error("the paint of attempt %d cannot be read: %s", attempt.pk, error)
        return frozenset()
    return echo.gone_against(attempt.finding.sentence, *place_of(painted, lungs_of(attempt.finding.volume)))


def _alike(attempt: Attempt) -> tuple[Attempt | None, Attempt | None]:
    finding = attempt.finding

    def times_as_large(row: Attempt) -> float:
        return math.exp(abs(math.log(row.finding.diameter_mm / finding.diameter_mm)))

    sizes = (finding.diameter_mm / ALIKE, finding.diameter_mm * ALIKE)
    answered = access.attempts_of(attempt.user).submitted().exclude(finding=finding).order_by("-submitted_at")
    alike = list(
        answered.filter(finding__diameter_mm__range=sizes)
        .select_related("finding__category")
        .only(
            "verdict", "finding__sentence", "finding__diameter_mm", "finding__zone", "finding__category__name",
            "finding__category",
        )
    )  # fmt: skip
    same = [row for row in alike if row.finding.category_id == finding.category_id and row.verdict == Verdict.FOUND]
    others = [row for row in alike if row.finding.category_id != finding.category_id]
    there = [row for row in others if finding.zone and row.finding.zone == finding.zone]
    return min(same, key=times_as_large, default=None), min(there, key=times_as_large, default=None)
