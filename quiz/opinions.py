"""What a model says of a finding, how often it is right, and what its opinion did to an answer."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, F, Q
from django.utils import timezone

from cases import storage
from cases.imaging import masks
from cases.models import Finding
from quiz import evaluations, grading, jobs
from quiz.grounding import shown
from quiz.grounding.base import Heat
from quiz.models import FOUND, AiOutcome, Attempt, Grounding, HintModel, Opinions, State, Verdict, Work
from quiz.scoring.official import official

LEAST_MEASURED = 5
"""With fewer findings a rate would say which of them the model missed."""
LEAST_FOR_EXTREMES = 20
"""With fewer nobody can say "hardly ever": of 20 right answers the true rate may still be 0.85. Source: rule of three."""


@dataclass(frozen=True)
class Reliability:
    """Of one model on the exhaustively annotated findings of one category here. Rates are None with too few of them."""

    n: int
    hits: int | None
    hit_rate: float | None
    dice: float | None

    @property
    def sentence(self) -> str:
        if self.hit_rate is None or self.dice is None:
            few = f"{self.n} finding{'s' * (self.n != 1)} so far" if self.n else "no finding so far"
            return f"How often it is right on this category is not measured yet ({few})."
        return (
            f"On this category here it found {self.hits} of {self.n} ({self.hit_rate:.0%}), "
            f"mean Dice {self.dice:.2f}{_wrong_in_words(1 - self.hit_rate, self.n)}."
        )

    def as_json(self) -> dict[str, Any]:
        return {"n": self.n, "hit_rate": self.hit_rate, "dice": self.dice}


def _wrong_in_words(share: float, n: int) -> str:
    """A share of wrong answers as people say it: "wrong about 1 in 3"; nothing more than the figures where few are known."""
    if share <= 0.02 or share >= 0.9:
        if n < LEAST_FOR_EXTREMES:
            return ""
        return ": hardly ever wrong in this collection" if share <= 0.02 else ": nearly always wrong"
    if share > 0.6:
        return f": right about 1 in {round(1 / (1 - share))}"
    return f": wrong about 1 in {round(1 / share)}"


def reliability(model: HintModel, category: str) -> Reliability:
    """On the exhaustive findings of a category: by the evaluation, or by its hints where they are more.

    The same for every finding of the category, so it says nothing of any one of them. Answers that somebody waited for are
    left out: they would tell how good the model is on the very finding it was asked about, and learners ask about hard ones.
    """
    answered = Grounding.objects.filter(
        model=model,
        state=Work.DONE,
        priority=0,
        finding__exhaustive=True,
        finding__category=category,
        dice__isnull=False,
    )
    row = answered.aggregate(n=Count("pk"), hits=Count("pk", filter=Q(hit=True)), mean=Avg("dice"))
    n, rate, mean = row["n"], row["hits"] / row["n"] if row["n"] else None, row["mean"]
    told = evaluations.measured(model.engine, model.version, category)
    if told is not None and told[0] >= n:
        n, rate, mean = told[:3]
    if n < LEAST_MEASURED or rate is None:
        return Reliability(n, None, None, None)
    return Reliability(n, round(rate * n), rate, mean)


# -- the opinion on a finding -----------------------------------------------------------------------------------------


def opinion_on(finding: Finding) -> Grounding | None:
    """The answer to show: of the preferred model that has one, in its newest version. None if there is none yet."""
    fresh = Grounding.objects.filter(
        finding=finding,
        state=Work.DONE,
        asked=True,
        model__active=True,
        slices_key=finding.volume.slices_key,
        truth_sha256=finding.truth_sha256,
        sentence=finding.sentence,
    ).select_related("model", "volume")
    rank = {model.engine: n for n, model in enumerate(jobs.models_in_use())}
    rows = sorted(fresh, key=lambda row: row.model_id, reverse=True)
    return min(rows, key=lambda row: rank.get(row.model.engine, len(rank)), default=None)


def waiting_for(finding: Finding) -> Grounding | None:
    """The row of the model to ask on a finding that has no opinion yet, whatever its state."""
    model = jobs.preferred_model()
    return Grounding.objects.filter(model=model, finding=finding).select_related("model").first() if model else None


def has_models() -> bool:
    return HintModel.objects.filter(active=True).exists()


@dataclass(frozen=True)
class Standing:
    """How far a piece of work is, for a page. ``moves``: looking again soon makes sense."""

    state: str
    sentence: str
    moves: bool


def standing(row: Grounding | None, *, alive: Collection[int] | None = None) -> Standing:
    """alive: keys of the models that workers run, where they are known."""
    if row is None:
        return Standing("no_model", "No model is set up on this server, so there is no opinion to show.", moves=False)
    name = f"{row.model.engine} {row.model.version}"
    if row.state == Work.DONE and not row.asked:
        return Standing("not_asked", f"{name} cannot be asked this: {row.note}", moves=False)
    if row.state == Work.DONE:
        return Standing("done", f"{name} has answered.", moves=False)
    if row.state == Work.FAILED:
        return Standing("failed", f"{name} could not answer: {row.reason}", moves=False)
    if row.model_id not in (jobs.alive_models() if alive is None else alive):
        return Standing(
            "no_worker",
            f"No worker for {name} is running now. The question is kept and is answered once one starts; "
            "go on without it.",
            moves=False,
        )
    if row.state == Work.RUNNING and row.lease_until and row.lease_until > timezone.now():
        return Standing("running", f"{name} is looking at this scan.", moves=True)
    place = jobs.place_in_queue(row)
    ahead = "it is next" if place <= 1 else f"{place - 1} scan{'s' * (place > 2)} before it"
    again = f" The last try ended so: {row.reason}" if row.reason else ""
    return Standing("queued", f"Waiting for {name}: {ahead}.{again}", moves=True)


def heat_of(key: str) -> Heat:
    """A stored heat. Raises OSError or ValueError if it cannot be read."""
    return shown.unpack_heat(storage.load_hint(key))


def outline_of(key: str) -> masks.SparseMask:
    """A stored outline. Raises OSError or MaskError if it cannot be read."""
    return masks.unpack(storage.load_hint(key))


# -- what it did to an answer -----------------------------------------------------------------------------------------


def outcome_columns(attempt: Attempt, verdict: str) -> dict[str, Any]:
    """Columns for an attempt that is being submitted with this verdict, if a model's opinion was taken before.

    The paint as it was before the opinion is graded by the same rules; where either cannot be judged, or the model marked
    nothing that could be followed or resisted, nothing is said.
    """
    taken = Attempt.objects.filter(pk=attempt.pk).values_list("opinion_at", "unaided").first()
    if taken is None or taken[0] is None or not taken[1]:
        return {}
    before = grading.grade_columns(attempt, masks.unpack(bytes(taken[1])), absent=False)
    row = attempt.hints.filter(source="model").exclude(grounding=None).select_related("grounding").last()
    right = _was_right(row.grounding, attempt.finding) if row and row.grounding and row.grounding.mask_key else None
    became = outcome(before["verdict"], verdict, right=right) if right is not None else ""
    return {"unaided_verdict": before["verdict"], "ai_outcome": became}


def _was_right(row: Grounding, finding: Finding) -> bool | None:
    """Whether what a model marked is a hit on the present reference; None if that is not known."""
    if row.truth_sha256 == finding.truth_sha256:
        return row.hit
    return official(storage.load_truth(finding.truth_key), outline_of(row.mask_key)).hit


def judge_again(attempt: Attempt) -> None:
    """A submitted attempt has been graded again: say anew what the opinion did to it, by the same rules."""
    columns = outcome_columns(attempt, attempt.verdict)
    if columns:
        Attempt.objects.filter(pk=attempt.pk).update(**columns)


def outcome(before: str, after: str, *, right: bool) -> str:
    """What became of an answer: verdict before the opinion and after it, and whether the model's mask was a hit."""
    if Verdict.NOT_JUDGED in (before, after):
        return ""
    was, is_now = before in FOUND, after in FOUND
    if right:
        followed, not_followed = AiOutcome.RESCUED, AiOutcome.IGNORED
        stayed, left = AiOutcome.AGREED, AiOutcome.DROPPED
    else:
        followed, not_followed = AiOutcome.ALONE, AiOutcome.BOTH_MISSED
        stayed, left = AiOutcome.RESISTED, AiOutcome.MISLED
    if was:
        return stayed if is_now else left
    return followed if is_now else not_followed


def model_mask(attempt: Attempt) -> masks.SparseMask | None:
    """What the model marks on a submitted attempt's finding; None where there is nothing or it is not to be shown."""
    row = shown_after(attempt)
    return outline_of(row.mask_key) if row and row.mask_key else None


def shown_after(attempt: Attempt) -> Grounding | None:
    """The model's answer beside the trainee's, after submission: the one that was shown before, else the present one."""
    if not attempt.is_submitted or attempt.opinions == Opinions.OFF:
        return None
    taken = attempt.hints.filter(source="model").exclude(grounding=None).select_related("grounding__model").last()
    if taken and taken.grounding and taken.grounding.is_done:
        return taken.grounding
    return opinion_on(attempt.finding)


@dataclass(frozen=True)
class Compared:
    """The model beside the trainee, after submission. ``numbers``: its official ones, by our scorer on our reference."""

    row: Grounding
    numbers: dict[str, Any] | None
    marks: bool
    measured: Reliability
    outcome: str
    before: str


def compared(attempt: Attempt) -> Compared | None:
    """None where no model has answered, or no opinion is to be shown."""
    row = shown_after(attempt)
    if row is None:
        return None
    return Compared(
        row=row,
        # Of an answer that was held against another reference than the one on the screen, they would not fit it.
        numbers=row.official if row.truth_sha256 == attempt.finding.truth_sha256 else None,
        marks=bool(row.mask_key),
        measured=reliability(row.model, attempt.finding.category_id),
        outcome=attempt.get_ai_outcome_display(),
        before=attempt.get_unaided_verdict_display(),
    )


def bits_of_questions(attempt: Attempt) -> float:
    """Bits of location that answers to this person's questions gave away about the finding, before it was opened; from
    then on they were withheld.

    Told at submission only: until then it would say which of the answers lies on the finding.
    """
    before = Grounding.objects.filter(
        questions__attempt__user=attempt.user_id,
        questions__asked_at__lt=attempt.opened_at,
        volume=attempt.finding.volume_id,
        state=Work.DONE,
        finished_at__lt=attempt.opened_at,
    ).exclude(mask_key="")
    regions = {row.mask_key: row.mask_ml for row in before if row.mask_ml}
    if not regions:
        return 0.0
    truth = storage.load_truth(attempt.finding.truth_key)
    on_it = []
    for key, ml in regions.items():
        try:
            marked = outline_of(key)
        except (OSError, masks.MaskError):
            continue
        if marked.size == truth.size and masks.overlaps(truth, marked)[2].sum():
            on_it.append(ml)
    return round(shown.location_bits(min(on_it)), 2) if on_it else 0.0


# -- taking it --------------------------------------------------------------------------------------------------------


def keep_unaided(attempt: Attempt) -> None:
    """The first opinion is being taken: keep the paint as it is now. Once only."""
    Attempt.objects.filter(pk=attempt.pk, state=State.OPENED, opinion_at=None).update(
        opinion_at=timezone.now(), unaided=F("draft")
    )
