"""Ask the model: a sentence of one's own on a scan one has answered, and what the model marks."""

import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone

from cases.imaging import masks
from cases.models import Finding
from quiz import access, jobs, opinions
from quiz.grounding import gates
from quiz.models import Attempt, Grounding, HintModel, Opinions, Question, Work

logger = logging.getLogger(__name__)

LONGEST = 400
"""Letters in a question. Longer than any sentence of a report's findings; a report is not a sentence."""
PER_HOUR = 20
MOST_TIMES = 2
"""A sentence on which the model fails is asked so often: each time may cost a worker."""
SHOWN = 20
NO_CATEGORY = "What kind of finding this is could not be read, so nothing is known of how often the model is right."


class QuestionRefused(Exception):
    """A question that may not be asked. ``sentence`` says why; ``retry_after`` in seconds if it may be later."""

    def __init__(self, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after


def ask(attempt: Attempt, sentence: str) -> Question:
    """Ask the preferred model about the scan of a submitted attempt; asking the same again gives the same question."""
    _may_ask(attempt)
    sentence = _clean(sentence)
    model = jobs.preferred_model()
    if model is None:
        raise QuestionRefused("No model is set up on this server, so nobody can answer.")
    mine = Question.objects.filter(attempt__user=attempt.user_id)
    digest = jobs.sentence_sha256(sentence)
    same = mine.filter(attempt=attempt, grounding__model=model, grounding__sentence_sha256=digest).first()
    if same and same.grounding.state != Work.FAILED:
        return same
    if same and same.times >= MOST_TIMES:
        raise QuestionRefused("The model could not answer this sentence twice; word it another way.")
    _check_rate(mine)
    try:
        jobs.check_share(Grounding.objects.filter(questions__in=mine))
        row = jobs.want_sentence(model, attempt.finding.volume, sentence)
    except jobs.QueueFull as error:
        raise QuestionRefused(error.sentence, error.retry_after) from error
    question, new = Question.objects.get_or_create(attempt=attempt, grounding=row, defaults={"sentence": sentence})
    if not new:
        Question.objects.filter(pk=question.pk).update(times=F("times") + 1, asked_at=timezone.now())
    return question


def _may_ask(attempt: Attempt) -> None:
    if not attempt.is_submitted:
        raise QuestionRefused("Answer first; then you can ask the model anything about this scan.")
    if attempt.opinions == Opinions.OFF:
        raise QuestionRefused("This assignment shows no model’s opinion.")
    if held := withheld_from(attempt):
        raise QuestionRefused(f"{held} Answer first, then ask.")


def withheld_from(attempt: Attempt) -> str:
    """Why what the model marks on this scan is not for this person now, asked before or not; "" if it is."""
    held = _still_to_answer(attempt)
    if not held:
        return ""
    one = held == 1
    return (
        f"{held} finding{'' if one else 's'} on this scan {'is' if one else 'are'} still for you to answer, and the model "
        "would give away where to look."
    )


def _still_to_answer(attempt: Attempt) -> int:
    """Findings on the same scan that this person has open, or that an assignment will ask of them."""
    user = attempt.user
    on_scan = Finding.objects.filter(volume=attempt.finding.volume_id)
    answered = access.attempts_of(user).submitted()
    begun = on_scan.filter(attempts__in=access.attempts_of(user).opened()).exclude(attempts__in=answered)
    waiting = on_scan.filter(
        case_sets__assignments__cohort__members=user, case_sets__assignments__closes_at__gt=timezone.now()
    ).exclude(attempts__in=answered)
    return len(set(begun.values_list("pk", flat=True)) | set(waiting.values_list("pk", flat=True)))


def _clean(sentence: str) -> str:
    words = re.sub(r"[\x00-\x1f\x7f\s]+", " ", sentence).strip()
    if len(words) > LONGEST:
        raise QuestionRefused(f"That is {len(words)} letters long; ask one sentence of at most {LONGEST}.")
    if len(re.findall(r"[^\W\d_]", words)) < 3:
        raise QuestionRefused("Write what to look for, such as “nodule in the left lower lobe”.")
    return words


def _check_rate(mine: QuerySet[Question]) -> None:
    hour = timedelta(hours=1)
    asked = list(mine.filter(asked_at__gt=timezone.now() - hour).order_by("asked_at").values_list("asked_at", "times"))
    if sum(times for _, times in asked) >= PER_HOUR:
        left = int((asked[0][0] + hour - timezone.now()).total_seconds()) + 1
        minutes = -(-left // 60)
        raise QuestionRefused(f"You have asked {PER_HOUR} questions within an hour; go on in {minutes} min.", left)


def for_all(attempt: Attempt) -> dict[str, Any]:
    """What is the same for every question of an attempt now: why answers are ``withheld``, and the models ``alive``."""
    return {"withheld": withheld_from(attempt), "alive": jobs.alive_models()}


def latest(attempt: Attempt) -> list[Question]:
    """What was asked about this attempt's scan lately, latest first."""
    return list(attempt.questions.select_related("grounding__model")[:SHOWN])


def outline_of(question: Question) -> dict[str, Any] | None:
    """What the model marks, in the wire form; None while there is no answer and where it marks nothing. Whoever shows it
    has asked ``withheld_from``."""
    row = question.grounding
    if not row.is_done or not row.mask_key:
        return None
    try:
        return masks.to_wire(opinions.outline_of(row.mask_key))
    except (OSError, masks.MaskError) as error:
        logger.error("the mask of grounding %d cannot be read: %s", row.pk, error)
        return None


@dataclass(frozen=True)
class Told:
    """A question as a page tells it. ``slices``: first and last slice that the model marks, as people number them.
    ``withheld``: why nothing of the answer is told."""

    question: Question
    standing: opinions.Standing
    withheld: str
    ml: float | None
    slices: tuple[int, int] | None
    largest_k: int | None
    measured: str
    doubt: str


def told(
    question: Question,
    *,
    withheld: str | None = None,
    alive: Collection[int] | None = None,
    reliability: Callable[[HintModel, str], opinions.Reliability] = opinions.reliability,
) -> Told:
    """What is the same for many questions may be given."""
    row = question.grounding
    volume = question.attempt.finding.volume
    withheld = withheld_from(question.attempt) if withheld is None else withheld
    slices, largest = None, None
    if row.is_done and row.mask_key and not withheld:
        try:
            marked = opinions.outline_of(row.mask_key)
        except (OSError, masks.MaskError):
            marked = masks.empty(volume.size)
        if not marked.is_empty:
            ks = marked.slices()
            slices = volume.grid.slice_number(int(ks[-1])), volume.grid.slice_number(int(ks[0]))
            largest = int(marked.areas().argmax())
    # The model reads a category out of the sentence, if it can; how often it is right is known per category only.
    category = str(row.attributes.get("category", ""))
    measured = ""
    if row.is_done:
        measured = reliability(row.model, category).sentence if category else NO_CATEGORY
    doubt = gates.doubt(category, row.confidence or 0.0) if slices else ""
    ml = row.mask_ml if slices else None
    return Told(question, opinions.standing(row, alive=alive), withheld, ml, slices, largest, measured, doubt)


def of(attempt: Attempt) -> list[Told]:
    """The latest questions of an attempt, as its page tells them."""
    asked = latest(attempt)
    if not asked:
        return []
    for one in asked:
        one.attempt = attempt
    same, known = for_all(attempt), cache(opinions.reliability)
    return [told(one, **same, reliability=known) for one in asked]
