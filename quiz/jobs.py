"""The work of the grounding models: wanted, claimed with a lease, done, given back. The row is the truth.

One row per model (an engine in one version) and sentence. A worker claims all waiting rows of one scan by a conditional
UPDATE, so that the scan is read once. Its lease is renewed while it works, by the database's clock, which all machines
share; a worker that dies stops renewing, and the reaper gives its rows back: three tries, then failed with the reason.
The third try is made one sentence at a time, so that a sentence that kills its worker takes no other with it.
"""

import hashlib
import logging
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone

from cases import storage
from cases.imaging import masks
from cases.imaging.slices import SliceError
from cases.models import Finding, Volume
from quiz import bell
from quiz.grounding import shown
from quiz.grounding.base import EngineError, EngineUnavailable, Grounder, GroundingCancelled
from quiz.grounding.base import Grounding as Answer
from quiz.models import Grounding, HintModel, HintWorker, Work
from quiz.verification import against_reference

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""How long a silent worker is believed in. Renewed three times as often."""
TRIES = 3
SEEN = timedelta(seconds=45)
"""A worker that has said nothing for so long is not alive."""
BATCH = 500
WAITING_AT_ONCE = 3
"""Questions of one person that may wait: the queue is for all."""


class QueueFull(Exception):
    """Too much work waits already. ``sentence`` says so; ``retry_after`` is in seconds."""

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after


# -- models and workers -----------------------------------------------------------------------------------------------


def register(grounder: Grounder) -> HintModel:
    """The row of an engine's version."""
    model, made = HintModel.objects.get_or_create(
        engine=grounder.name[:40],
        version=grounder.version[:80],
        defaults={"licence": str(getattr(grounder, "licence", ""))[:200]},
    )
    if made:
        logger.info("hint model %s is new here", model)
    return model


def models_in_use() -> list[HintModel]:
    """The newest active version of each engine, the preferred engine first (HINT_MODELS)."""
    newest = {model.engine: model for model in HintModel.objects.filter(active=True).order_by("registered_at", "id")}
    order = {name: n for n, name in enumerate(settings.HINT_MODELS)}
    return sorted(newest.values(), key=lambda model: (order.get(model.engine, len(order)), model.engine))


def alive_models() -> set[int]:
    """Keys of the models that a worker is running now, in that very version."""
    return {key for keys in workers().values_list("model_keys", flat=True) for key in keys}


def workers() -> QuerySet[HintWorker]:
    """The workers that live now, with what they run and what they cannot."""
    return HintWorker.objects.filter(seen_at__gt=_from_now(-SEEN))


def _from_now(span: timedelta) -> Combinable:
    """A time by the database's clock."""
    return ExpressionWrapper(Now() + span, output_field=DateTimeField())


def preferred_model() -> HintModel | None:
    """The model to ask: the first in use that a worker is running, else the first in use."""
    models, alive = models_in_use(), alive_models()
    return next((model for model in models if model.pk in alive), models[0] if models else None)


def say_alive(name: str, models: Iterable[HintModel], refused: dict[str, str]) -> None:
    running = list(models)
    said = {"engines": sorted({one.engine for one in running}), "model_keys": [one.pk for one in running]}
    said |= {"refused": refused, "seen_at": Now()}
    HintWorker.objects.update_or_create(name=name, defaults=said, create_defaults=said | {"started_at": Now()})
    HintWorker.objects.filter(seen_at__lt=_from_now(-timedelta(days=1))).delete()


def say_gone(name: str) -> None:
    HintWorker.objects.filter(name=name).delete()


# -- wanting ----------------------------------------------------------------------------------------------------------


def sentence_sha256(sentence: str) -> str:
    """Of the sentence in lower case with single spaces: the same question is asked once."""
    return hashlib.sha256(" ".join(sentence.lower().split()).encode()).hexdigest()


def want(model: HintModel, findings: Iterable[Finding], *, urgent: bool = False, failed_too: bool = False) -> int:
    """See to it that every finding has a row for this model. Returns the number of rows that now wait because of this.

    What is done from the same slices, truth and sentence is left alone, so this may be repeated at will.
    """
    queued = 0
    chunk: list[Finding] = []
    for finding in findings:
        chunk.append(finding)
        if len(chunk) == BATCH:
            queued += _want(model, chunk, urgent=urgent, failed_too=failed_too)
            chunk = []
    return queued + _want(model, chunk, urgent=urgent, failed_too=failed_too)


def _want(model: HintModel, findings: list[Finding], *, urgent: bool, failed_too: bool) -> int:
    known = {row.finding_id: row for row in Grounding.objects.filter(model=model, finding__in=findings)}
    now, ring = timezone.now(), set()
    new = [_new(model, finding, now, urgent=urgent) for finding in findings if finding.pk not in known]
    Grounding.objects.bulk_create(new, ignore_conflicts=True)  # somebody else may want the same at this moment
    ring |= {row.volume_id for row in new}
    queued = len(new)
    for finding in findings:
        row = known.get(finding.pk)
        if row is None or not (_is_stale(row, finding) or (failed_too and row.state == Work.FAILED)):
            continue
        changed = Grounding.objects.filter(pk=row.pk).exclude(state=Work.RUNNING).update(**_afresh(finding, now))
        queued += changed
        ring |= {row.volume_id} if changed else set()
    if urgent:
        Grounding.objects.filter(model=model, finding__in=findings, state=Work.QUEUED).update(priority=1)
    for volume in ring:
        transaction.on_commit(partial(bell.ring, model.engine, model.pk, volume, urgent=urgent))
    return queued


def _new(model: HintModel, finding: Finding, now: object, *, urgent: bool) -> Grounding:
    columns = _afresh(finding, now) | {"priority": int(urgent)}
    return Grounding(model=model, volume=finding.volume, finding=finding, **columns)


def _afresh(finding: Finding, now: object) -> dict:
    """The columns of a row whose work is to be done from the beginning."""
    return {
        "sentence": finding.sentence,
        "sentence_sha256": sentence_sha256(finding.sentence),
        "slices_key": finding.volume.slices_key,
        "truth_sha256": finding.truth_sha256,
        **_from_the_beginning(now),
    }


def _from_the_beginning(now: object) -> dict:
    return {
        "state": Work.QUEUED, "priority": 0, "tries": 0, "worker": "", "lease_until": None, "queued_at": now, "reason": "",
    }  # fmt: skip


def _is_stale(row: Grounding, finding: Finding) -> bool:
    """Worked out (or to be worked out) from something that has changed since."""
    made_from = (row.slices_key, row.truth_sha256, row.sentence)
    return made_from != (finding.volume.slices_key, finding.truth_sha256, finding.sentence)


def ask_again(rows: QuerySet[Grounding]) -> int:
    """Queue rows that are over once more, from the beginning. Returns how many."""
    over = rows.filter(state__in=(Work.DONE, Work.FAILED))
    rings = set(over.order_by().values_list("model__engine", "model", "volume"))
    changed = over.update(**_from_the_beginning(timezone.now()))
    for engine, model, volume in rings:
        transaction.on_commit(partial(bell.ring, engine, model, volume))
    return changed


def want_volume(volume: Volume) -> int:
    """Queue the findings of a scan that has just been imported, for every model in use."""
    if not settings.HINTS_AT_IMPORT:
        return 0
    findings = list(Finding.objects.usable().filter(volume=volume).select_related("volume"))
    return sum(want(model, findings) for model in models_in_use())


def want_sentence(model: HintModel, volume: Volume, sentence: str) -> Grounding:
    """The row of somebody's own sentence on a scan, queued if nobody has asked it before. Raises QueueFull."""
    digest = sentence_sha256(sentence)
    row = Grounding.objects.filter(model=model, volume=volume, finding=None, sentence_sha256=digest).first()
    if row and row.slices_key == volume.slices_key and row.state != Work.FAILED:
        return row
    check_room(model)
    columns = {
        "sentence": sentence,
        "slices_key": volume.slices_key,
        **_from_the_beginning(timezone.now()),
        "priority": 1,
    }
    row, _ = Grounding.objects.update_or_create(
        model=model, volume=volume, finding=None, sentence_sha256=digest, defaults=columns
    )
    transaction.on_commit(partial(bell.ring, model.engine, model.pk, volume.pk, urgent=True))
    return row


def check_room(model: HintModel) -> None:
    """Raise QueueFull if more people wait for a model than its workers can serve soon."""
    waiting = _waited_for(Grounding.objects.filter(model=model))
    if waiting >= settings.HINT_QUEUE_LIMIT:
        raise QueueFull(f"{waiting} questions are waiting for the model already; try again in a minute.", 60)


def check_share(rows: QuerySet[Grounding]) -> None:
    """Raise QueueFull if somebody waits for as many of these, which are theirs, as one person may."""
    waiting = _waited_for(rows)
    if waiting >= WAITING_AT_ONCE:
        raise QueueFull(f"{waiting} of your questions wait already; ask again when one is answered.", 30)


def _waited_for(rows: QuerySet[Grounding]) -> int:
    return rows.filter(state__in=(Work.QUEUED, Work.RUNNING), priority__gt=0).count()


# -- claiming ---------------------------------------------------------------------------------------------------------


@dataclass
class Claim:
    """Rows of one scan that this worker owns while the lease lasts."""

    token: str
    rows: list[Grounding]
    lost: bool = False
    stopped: bool = False
    renewed: float = field(default_factory=time.monotonic)
    until: float = 0.0

    def mine(self) -> QuerySet[Grounding]:
        return Grounding.objects.filter(pk__in=[row.pk for row in self.rows], worker=self.token, state=Work.RUNNING)

    def keep(self) -> bool:
        """Renew the lease if a third of it is over. False if the work is to end: it was stopped, lost or is too long."""
        now = time.monotonic()
        if self.stopped or self.lost:
            return False
        if now > self.until:
            _give_back(self, f"It took longer than {settings.HINT_SECONDS / 60:.0f} minutes and was given up.")
            self.lost = True
        elif now - self.renewed > LEASE.total_seconds() / 3:
            self.renewed = now
            self.lost = not self.mine().update(lease_until=_from_now(LEASE))
        return not self.lost

    def stop(self) -> None:
        """Have the engine stop at its next step; the rows go back untried."""
        self.stopped = True


def claim(worker: str, models: Iterable[HintModel], *, only: tuple[int, int] | None = None) -> Claim | None:
    """Own the waiting rows of the next scan for one of these models, or None if nothing waits.

    ``only``: (model, volume) keys, when a ring has named them.
    """
    waiting = Grounding.objects.filter(state=Work.QUEUED, model__in=list(models))
    if only is not None:
        waiting = waiting.filter(model=only[0], volume=only[1])
    while True:
        head = waiting.order_by("-priority", "queued_at", "pk").first()
        if head is None:
            return None
        last_try = head.tries >= TRIES - 1
        together = Q(pk=head.pk) if last_try else Q(model=head.model_id, volume=head.volume_id, tries__lt=TRIES - 1)
        token = f"{worker[:40]}:{uuid.uuid4().hex}"
        claimed = Grounding.objects.filter(together, state=Work.QUEUED).update(
            state=Work.RUNNING, worker=token, tries=F("tries") + 1, lease_until=_from_now(LEASE)
        )
        if claimed:  # else another worker was faster: look again
            rows = Grounding.objects.filter(worker=token).select_related("volume", "model", "finding").order_by("pk")
            return Claim(token, list(rows), until=time.monotonic() + settings.HINT_SECONDS)


def reap() -> int:
    """Give back the rows of workers that died; those that have had their tries fail. Returns how many there were."""
    over = Grounding.objects.filter(state=Work.RUNNING, lease_until__lt=Now())
    sentence = "The worker died while it was at this, three times; is memory short?"
    failed = over.filter(tries__gte=TRIES).update(
        state=Work.FAILED, reason=sentence, worker="", lease_until=None, finished_at=timezone.now()
    )
    back = over.filter(tries__lt=TRIES).update(
        state=Work.QUEUED, reason="The worker died while it was at this.", worker="", lease_until=None
    )
    if failed or back:
        logger.warning("reaped %d rows of dead workers, %d of them for the last time", failed + back, failed)
    return failed + back


# -- doing ------------------------------------------------------------------------------------------------------------


def perform(claimed: Claim, grounder: Grounder) -> int:
    """Do what was claimed. Returns how many rows were finished; whatever goes wrong is written down in the rows.

    Raises EngineUnavailable after giving the rows back untried: this worker cannot run that engine after all.
    """
    volume = claimed.rows[0].volume
    started = time.monotonic()
    try:
        voxels = storage.load_voxels(volume.slices_key, volume.size)
    except (OSError, SliceError) as error:
        logger.error("volume %d cannot be read: %s", volume.pk, error)
        _give_back(claimed, "A slice of this scan cannot be read.")
        return 0
    try:
        sentences = [row.sentence for row in claimed.rows]
        answers = grounder.ground(voxels, volume.grid, sentences, progress=lambda done, total: claimed.keep())
        if len(answers) != len(sentences):
            raise EngineError(f"The engine gave {len(answers)} answers to {len(sentences)} sentences.")
    except EngineUnavailable:
        _untried(claimed)
        raise
    except GroundingCancelled:
        _untried(claimed)
        return 0
    except EngineError as error:
        logger.warning("%s on volume %d: %s", claimed.rows[0].model, volume.pk, error)
        _give_back(claimed, str(error))
        return 0
    except Exception as error:  # an engine is other people's code: whatever it does costs one scan
        logger.exception("%s on volume %d", claimed.rows[0].model, volume.pk)
        out = (
            "The machine ran out of memory." if isinstance(error, MemoryError) else "The engine stopped with an error."
        )
        _give_back(claimed, f"{out} ({type(error).__name__})")
        return 0
    share = (time.monotonic() - started) / len(answers)
    return sum(_finish(claimed, row, answer, seconds=share) for row, answer in zip(claimed.rows, answers, strict=True))


def _finish(claimed: Claim, row: Grounding, answer: Answer, *, seconds: float) -> int:
    try:
        columns = _columns(row, shown.checked(answer, row.volume.grid))
    except Exception as error:
        if not isinstance(error, EngineError):
            logger.exception("the answer of %s to row %d", row.model, row.pk)
        sentence = str(error) if isinstance(error, EngineError) else "The answer could not be stored."
        _give_back(claimed, sentence, row)
        return 0
    return (
        claimed.mine()
        .filter(pk=row.pk)
        .update(
            state=Work.DONE,
            worker="",
            lease_until=None,
            reason="",
            finished_at=timezone.now(),
            seconds=seconds,
            **columns,
        )
    )


def _columns(row: Grounding, answer: Answer) -> dict:
    grid, name = row.volume.grid, row.volume.name
    mask = answer.mask.union()
    heat = shown.shown_heat(mask, answer.heat, grid)
    columns: dict = {
        "mask_key": "" if mask.is_empty else storage.save_hint(name, "mask", masks.pack(mask)),
        "heat_key": storage.save_hint(name, "heat", shown.pack_heat(heat)) if heat else "",
        "mask_ml": mask.voxels() * grid.voxel_ml,
        "heat_ml": shown.heat_ml(heat, grid) if heat else None,
        "confidence": min(1.0, max(0.0, answer.confidence)),
        "attributes": {str(key): str(value)[:200] for key, value in answer.attributes.items()},
        "note": answer.note[:500],
        "asked": answer.asked,
        **NOT_JUDGED,
    }
    if row.finding is not None and answer.asked:
        columns |= against_reference(row.finding, row.volume, mask, heat)
    return columns


NOT_JUDGED: dict = {"checks": {}, "official": None, "dice": None, "hit": None}
"""Of a sentence that was not looked for: it is no miss. Also of a question, which has no reference."""


def _give_back(claimed: Claim, reason: str, row: Grounding | None = None) -> None:
    """Back into the queue, at its end; or failed, if it was the last try."""
    mine = claimed.mine() if row is None else claimed.mine().filter(pk=row.pk)
    now = timezone.now()
    ended = {"worker": "", "lease_until": None, "reason": reason}
    mine.filter(tries__gte=TRIES).update(state=Work.FAILED, finished_at=now, **ended)
    if mine.filter(tries__lt=TRIES).update(state=Work.QUEUED, queued_at=now, **ended):
        head = claimed.rows[0]
        bell.ring(head.model.engine, head.model_id, head.volume_id)


def _untried(claimed: Claim) -> None:
    """Back into the queue as if nobody had begun; nothing happens if the lease was lost."""
    claimed.mine().update(state=Work.QUEUED, worker="", lease_until=None, tries=F("tries") - 1)


# -- standing ---------------------------------------------------------------------------------------------------------


def place_in_queue(row: Grounding) -> int:
    """How many scans are worked on before this row, itself included; 1 is next."""
    before = Grounding.objects.filter(model=row.model_id, state=Work.QUEUED).filter(
        Q(priority__gt=row.priority) | Q(priority=row.priority, queued_at__lt=row.queued_at)
    )
    return before.exclude(volume=row.volume_id).values("volume").order_by().distinct().count() + 1
