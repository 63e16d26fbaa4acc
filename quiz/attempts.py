"""The attempt: opened, painted, submitted once, graded, and only then the truth."""

import hashlib
import logging
from collections.abc import Iterator
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Case, Exists, F, Max, Q, Value, When
from django.db.models.functions import Greatest
from django.utils import timezone

from cases import storage
from cases.imaging import compact, export, masks
from cases.models import Finding
from quiz import access, grading, opinions, telemetry
from quiz.models import Assignment, Attempt, AttemptQuerySet, Confidence, Mode, State, User

logger = logging.getLogger(__name__)


class AttemptRefused(Exception):
    """Something about an attempt that may not be done. ``sentence`` is for the trainee, ``code`` for the caller.

    revision: of the draft that is stored, where that is what stands in the way.
    """

    def __init__(self, code: str, sentence: str, *, revision: int | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.revision = revision


# -- opening ----------------------------------------------------------------------------------------------------------


def open_attempt(
    user: User, finding: Finding, *, mode: str | None = None, assignment: Assignment | None = None
) -> Attempt:
    """Open an attempt, or return the one already open.

    mode: of practice, by default that of the last practice; a case set fixes its own.
    A finding that waits in one of the trainee's open assignments is always answered there: practising it first would
    show its truth. Raises AttemptRefused if the assignment is not open, lacks the finding, or has its answer already.
    """
    now = timezone.now()
    if assignment is None:
        assignment = _waiting_assignment(user, finding)
    if assignment is None:
        repeat = access.attempts_of(user).submitted().filter(finding=finding).exists()
        attempt = _get_or_create(user, finding, None, mode or _usual_mode(user), repeat=repeat)
        return choose_mode(attempt, mode) if mode else attempt

    if not assignment.case_set.items.filter(finding=finding).exists():
        raise AttemptRefused("not_in_set", "This finding is not part of that assignment.")
    mine = access.attempts_of(user).filter(finding=finding)
    existing = mine.filter(assignment=assignment).first()
    if existing is not None and existing.is_open:
        return existing
    if existing is not None:
        raise AttemptRefused("answered", "You have already answered this finding in this assignment.")
    if not assignment.is_open(now):
        raise AttemptRefused("closed", _closed_sentence(assignment))
    return _get_or_create(user, finding, assignment, assignment.case_set.mode, repeat=mine.submitted().exists())


def _waiting_assignment(user: User, finding: Finding) -> Assignment | None:
    now = timezone.now()
    return (
        access.assignments_of(user, now)
        .filter(closes_at__gt=now, case_set__findings=finding)
        .exclude(attempts__in=access.attempts_of(user).submitted().filter(finding=finding))
        .select_related("case_set")
        .order_by("closes_at")
        .first()
    )


def _get_or_create(user: User, finding: Finding, assignment: Assignment | None, mode: str, *, repeat: bool) -> Attempt:
    looked_up = {"user": user, "finding": finding, "assignment": assignment, "state": State.OPENED}
    try:
        with transaction.atomic():
            attempt, _ = Attempt.objects.get_or_create(**looked_up, defaults={"mode": mode, "repeat": repeat})
    except IntegrityError:  # two tabs at once: the other one made it
        attempt = Attempt.objects.get(**looked_up)
    return attempt


def _usual_mode(user: User) -> str:
    last = access.attempts_of(user).filter(assignment__isnull=True).order_by("-opened_at", "-id").first()
    return last.mode if last else Mode.SLICE


def choose_mode(attempt: Attempt, mode: str) -> Attempt:
    """Answer a practice attempt in another mode; what is painted stays. Raises AttemptRefused where that is fixed."""
    if mode not in Mode.values:
        raise AttemptRefused("bad_answer", "The mode is locate, slice or volume.")
    if attempt.assignment is not None and mode != attempt.mode:
        raise AttemptRefused("fixed", "The case set fixes how this is answered.")
    if mode != attempt.mode and not Attempt.objects.filter(pk=attempt.pk, state=State.OPENED).update(mode=mode):
        raise AttemptRefused("submitted", "This attempt has been submitted; its mode stays.")
    attempt.mode = mode
    return attempt


# -- drafts -----------------------------------------------------------------------------------------------------------


def save_draft(attempt: Attempt, payload: object, *, revision: int | None = None, writer: str = "") -> Attempt:
    """Keep what is painted so far.

    revision: the draft this paint goes on from. Where another writer has saved one since, nothing is stored and the
    code is "stale": the trainee chooses, nothing is overwritten unseen. Without a revision the last one counts.
    Raises AttemptRefused after submission, too, and for a mask that cannot be read.
    """
    packed = masks.pack(_read_mask(attempt, payload))
    waiting = Attempt.objects.filter(pk=attempt.pk, state=State.OPENED)
    if revision is not None:
        waiting = waiting.filter(_goes_on_from(revision, writer))
    saved = waiting.update(
        draft=packed, draft_saved_at=timezone.now(), draft_revision=F("draft_revision") + 1, draft_writer=writer
    )
    attempt.refresh_from_db()
    if not saved and attempt.is_submitted:
        raise AttemptRefused("submitted", "This attempt has been submitted; what you paint now is not kept.")
    if not saved and bytes(attempt.draft or b"") != packed:  # the same paint is no conflict, whoever sent it
        raise _painted_elsewhere(attempt)
    return attempt


def _goes_on_from(revision: int, writer: str) -> Q:
    """Drafts that paint made on ``revision`` may replace; of its own drafts a tab may have missed the answer."""
    return Q(draft_revision=revision) | Q(draft_writer=writer) & ~Q(draft_writer="")


def _painted_elsewhere(attempt: Attempt) -> AttemptRefused:
    return AttemptRefused(
        "stale",
        "This attempt was painted on in another tab or on another device since. Nothing was overwritten: choose which "
        "paint to keep.",
        revision=attempt.draft_revision,
    )


def _read_mask(attempt: Attempt, payload: object) -> masks.SparseMask:
    """The mask in either form: bytes are the compact one."""
    try:
        if isinstance(payload, bytes):
            return compact.decode(payload, attempt.finding.volume.size)
        return masks.from_wire(payload, attempt.finding.volume.size)
    except masks.MaskError as error:
        raise AttemptRefused("bad_mask", str(error)) from error


# -- submitting -------------------------------------------------------------------------------------------------------


def submit_attempt(
    attempt: Attempt,
    *,
    payload: object,
    confidence: int | None = None,
    absent: bool = False,
    looks: object = None,
    revision: int | None = None,
    writer: str = "",
) -> Attempt:
    """Grade an answer, once. The same answer again returns the same result; another one is refused.

    looks: what was on screen (``quiz.learning.looks``); what cannot be read of it is left out, the answer counts.
    revision, writer: as for ``save_draft``; an answer that does not know the latest draft is refused as "stale".
    Raises AttemptRefused with a sentence; nothing is stored then, except that an answer which comes after closing time,
    or to a finding that an assignment asks, is kept as the draft.
    """
    painted = _read_mask(attempt, payload)
    _check_answer(painted, confidence=confidence, absent=absent)
    digest = _answer_digest(painted, confidence=confidence, absent=absent)
    if attempt.is_submitted:
        return _same_answer(attempt, digest)
    if attempt.assignment is not None and not attempt.assignment.is_open(timezone.now()):
        save_draft(attempt, payload, writer=writer)
        raise AttemptRefused("closed", f"{_closed_sentence(attempt.assignment)} Your paint is kept as a draft.")
    if revision is not None and not Attempt.objects.filter(_goes_on_from(revision, writer), pk=attempt.pk).exists():
        raise _painted_elsewhere(attempt)
    if access.asked_elsewhere(attempt).exists():
        save_draft(attempt, payload, writer=writer)
        raise AttemptRefused(
            "assigned", "An assignment of yours asks this finding: answer it there. Your paint here is kept as a draft."
        )

    # Graded before the transaction: SQLite has one writer, and it must not wait for arithmetic.
    columns = grading.grade_columns(attempt, painted, absent=absent)
    columns |= opinions.outcome_columns(attempt, columns["verdict"])
    columns["hint_bits"] = Greatest(F("hint_bits"), Value(_bits_from_elsewhere(attempt)))
    # An attempt may have been opened before another one showed the truth.
    columns["repeat"] = Case(When(Exists(_others(attempt).submitted()), then=True), default=F("repeat"))
    claimed = Attempt.objects.filter(pk=attempt.pk, state=State.OPENED).update(
        state=State.SUBMITTED,
        mode=attempt.mode,  # it was graded so, whatever was chosen meanwhile
        submitted_at=timezone.now(),
        painted=masks.pack(painted),
        draft=None,
        confidence=confidence,
        absent=absent,
        answer_sha256=digest,
        **columns,
        **telemetry.columns(attempt.user, attempt.finding, looks, columns),
    )
    attempt.refresh_from_db()
    return attempt if claimed else _same_answer(attempt, digest)


def _others(attempt: Attempt) -> AttemptQuerySet:
    """Attempts of the same person at the same finding."""
    return access.attempts_of(attempt.user).filter(finding=attempt.finding_id).exclude(pk=attempt.pk)


def _bits_from_elsewhere(attempt: Attempt) -> float:
    """Bits of location given away outside an attempt: by answers to questions, and by hints of another open attempt."""
    hinted = _others(attempt).opened().aggregate(bits=Max("hint_bits"))["bits"]
    return max(hinted or 0.0, opinions.bits_of_questions(attempt))


def _check_answer(painted: masks.SparseMask, *, confidence: int | None, absent: bool) -> None:
    if absent and not painted.is_empty:
        raise AttemptRefused("bad_answer", "The answer is either paint or “not present”, not both; clear one of them.")
    if painted.is_empty and not absent:
        raise AttemptRefused("bad_answer", "Nothing is painted yet. Paint where it is, or answer “not present”.")
    if confidence is not None and confidence not in Confidence.values:
        raise AttemptRefused("bad_answer", "Confidence is a number from 1 (guess) to 4 (sure).")


def _answer_digest(painted: masks.SparseMask, *, confidence: int | None, absent: bool) -> str:
    """What makes two answers the same: paint, confidence, "not present"; not what was on screen, which a retry changes."""
    return hashlib.sha256(masks.wire_bytes(painted) + f"|{confidence}|{absent}".encode()).hexdigest()


def _same_answer(attempt: Attempt, digest: str) -> Attempt:
    if attempt.answer_sha256 != digest:
        raise AttemptRefused("submitted", "You have already submitted another answer to this attempt; it stands.")
    return attempt


def _closed_sentence(assignment: Assignment) -> str:
    when = timezone.localtime(assignment.closes_at)
    if not assignment.has_opened(timezone.now()):
        when = timezone.localtime(assignment.opens_at)
        return f"This assignment opens on {when:%A %d %B %Y at %H:%M} ({when.tzname()})."
    return f"This assignment closed on {when:%A %d %B %Y at %H:%M} ({when.tzname()})."


# -- after submission -------------------------------------------------------------------------------------------------


def truth_of(attempt: Attempt) -> dict[str, Any]:
    """The truth of a submitted attempt, in the wire form. Raises AttemptRefused before submission, for anyone."""
    if not attempt.is_submitted:
        raise AttemptRefused("not_submitted", "The reference mask is shown after you have submitted your answer.")
    finding = attempt.finding
    return {
        "mask": masks.to_wire(storage.load_truth(finding.truth_key)),
        "painted": masks.to_wire(attempt.painted_mask()),
        "partial": not finding.exhaustive,
        "unjudged": masks.to_wire(grading.unjudged_of(attempt)),
        "largest_k": finding.largest_k,
        "instances": (attempt.reveal or {}).get("instances", []),
        "extras": (attempt.reveal or {}).get("extras", []),
        "model": _model_wire(attempt),
    }


def mask_file(attempt: Attempt, which: str) -> tuple[str, Iterator[bytes]]:
    """Name and content of a NIfTI file of a submitted attempt: "painted" or "truth", instance values kept.

    Raises AttemptRefused before submission, for anyone.
    """
    if not attempt.is_submitted:
        raise AttemptRefused("not_submitted", "Masks can be downloaded after you have submitted your answer.")
    finding, volume = attempt.finding, attempt.finding.volume
    mask = attempt.painted_mask() if which == "painted" else storage.load_truth(finding.truth_key)
    name = f"{volume.name}_{which}_{finding.channel}.nii.gz"
    return name, export.nifti(mask, volume.grid, volume.file_frame, what=f"{which}, finding {finding.channel}")


def _model_wire(attempt: Attempt) -> dict[str, Any] | None:
    try:
        marked = opinions.model_mask(attempt)
    except (OSError, masks.MaskError) as error:
        logger.error("the model's mask for attempt %d cannot be read: %s", attempt.pk, error)
        return None
    return masks.to_wire(marked) if marked else None


# -- what next --------------------------------------------------------------------------------------------------------


def next_finding(user: User, *, category: str | None = None, assignment: Assignment | None = None) -> Finding | None:
    """The next finding to ask: the next of an assignment, else one not answered yet, else the one answered longest ago.

    The order of practice is shuffled by a hash of the person and the finding, so that it says nothing about the truth.
    """
    mine = access.attempts_of(user)
    if assignment is not None:
        done = mine.submitted().filter(assignment=assignment).values("finding")
        item = assignment.case_set.items.exclude(finding__in=done).select_related("finding__volume").first()
        return item.finding if item else None
    pool = access.findings_open_to(user)
    if category:
        pool = pool.filter(category_id=category)
    # Later answers overwrite earlier ones: the position in this order is how long ago the last one was.
    in_order = mine.submitted().order_by("submitted_at").values_list("finding_id", flat=True)
    answered = {pk: position for position, pk in enumerate(in_order)}
    ids = list(pool.order_by("pk").values_list("pk", flat=True))
    if not ids:
        return None
    fresh = [pk for pk in ids if pk not in answered]
    chosen = (
        min(fresh, key=lambda pk: hashlib.sha256(f"{user.pk}:{pk}".encode()).digest())
        if fresh
        else min(ids, key=lambda pk: answered[pk])
    )
    return Finding.objects.select_related("volume").get(pk=chosen)
