"""READS: how somebody deals with a model's opinions, counted from the answers given after one."""

from collections import Counter
from dataclasses import dataclass

from quiz import access
from quiz.models import AiOutcome, Attempt, User

FOLLOWED_RIGHT = (AiOutcome.RESCUED, AiOutcome.AGREED)
MODEL_RIGHT = (*FOLLOWED_RIGHT, AiOutcome.IGNORED, AiOutcome.DROPPED)
MODEL_WRONG = (AiOutcome.RESISTED, AiOutcome.ALONE, AiOutcome.MISLED, AiOutcome.BOTH_MISSED)
KEPT_OWN = (AiOutcome.RESISTED, AiOutcome.ALONE)

LEAST_JUDGED = 5
"""With fewer answers a share says nothing about a person."""


@dataclass(frozen=True)
class Reliance:
    """counts: per outcome, in words. right, wrong: opinions by whether the model's outline was on target, the official hit.
    used, kept: of those, how often the finding was found in the end. gained, lost: findings missed before and found after,
    and found before and missed after."""

    taken: int
    judged: int
    counts: list[tuple[str, str, int]]
    right: int
    used: int
    wrong: int
    kept: int
    gained: int
    lost: int
    history: list[Attempt]

    @property
    def sentence(self) -> str:
        """What the numbers say, plainly; not a verdict on a person with few answers."""
        if self.judged < LEAST_JUDGED:
            return f"After {LEAST_JUDGED} answers with an opinion this page says how you deal with them."
        if self.lost > self.gained:
            return "So far opinions have cost you more than they gave: hold on to your own mark unless you see why not."
        if self.wrong and self.kept < self.wrong / 2:
            return (
                "When the model was not on target you mostly missed it as well: check each opinion on the scan itself."
            )
        if self.right and self.used < self.right / 2:
            return (
                "When the model was on target you mostly did not follow: look at the place it names before you decide."
            )
        if not self.wrong:
            return "Every opinion you met so far was on target, so how you deal with a wrong one is not known yet."
        return "You take what is right and leave what is not. Keep your own mark first."


def reliance(user: User) -> Reliance:
    """First answers of this person in which a model's opinion was taken before submission: after the truth was shown, one
    relies on that."""
    taken = access.attempts_of(user).counted().filter(opinion_at__isnull=False)
    rows = list(taken.select_related("finding").defer("painted", "unaided", "draft").order_by("-submitted_at"))
    counted = Counter(row.ai_outcome for row in rows if row.ai_outcome)
    return Reliance(
        taken=len(rows),
        judged=counted.total(),
        counts=[(one.value, str(one.label), counted[one]) for one in AiOutcome],
        right=sum(counted[one] for one in MODEL_RIGHT),
        used=sum(counted[one] for one in FOLLOWED_RIGHT),
        wrong=sum(counted[one] for one in MODEL_WRONG),
        kept=sum(counted[one] for one in KEPT_OWN),
        gained=counted[AiOutcome.RESCUED] + counted[AiOutcome.ALONE],
        lost=counted[AiOutcome.MISLED] + counted[AiOutcome.DROPPED],
        history=rows[:50],
    )
