"""A worker: opens the engines this machine can run, and does one scan after the other. Any number may run at once."""

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection

from cases.models import Finding
from quiz import bell, jobs
from quiz.grounding import registry
from quiz.grounding.base import EngineUnavailable, Grounder
from quiz.models import Grounding, HintModel, Work

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
REAP_SECONDS = 20.0
STUCK_SECONDS = 120.0
"""An engine that does not come back so long after it was to end never will: the process ends, and is started again."""


class Worker:
    """engines: name to engine, opened. models: name to the row of its version, the only one whose work it may do.
    refused: name to the sentence that says why it cannot run here."""

    def __init__(self) -> None:
        self.name = f"{socket.gethostname()[:50]}:{os.getpid()}"
        self.engines: dict[str, Grounder] = {}
        self.models: dict[str, HintModel] = {}
        self.refused: dict[str, str] = {}
        self.stopping = threading.Event()
        self.exit_code = os.EX_OK
        self._claim: jobs.Claim | None = None
        self._reaped = 0.0
        self._stuck_since: float | None = None

    def open(self, names: Sequence[str], *, only_first: bool) -> None:
        """Open the named engines, or the first of them that can run here."""
        for name in names:
            try:
                grounder = registry.make(name, **settings.HINT_OPTIONS.get(name, {}))
            except EngineUnavailable as error:
                self.refused[name] = str(error)
            except Exception as error:  # an engine that breaks while it is opened is one that cannot run here
                logger.exception("the engine %s cannot be opened", name)
                self.refused[name] = f"It cannot be opened here ({type(error).__name__}: {error})."
            else:
                self.engines[name] = grounder
                self.models[name] = jobs.register(grounder)
                if only_first:
                    break
        self.tell()

    def tell(self) -> None:
        jobs.say_alive(self.name, list(self.models.values()), self.refused)

    def want_missing(self) -> int:
        """Queue every finding that has no answer of the engines opened here."""
        findings = Finding.objects.usable().select_related("volume")
        return sum(jobs.want(one, findings.iterator(chunk_size=500)) for one in self.models.values())

    def step(self, only: tuple[int, int] | None = None) -> bool:
        """Do the next scan that waits. False if there was none."""
        self._reap_when_due()
        claimed = jobs.claim(self.name, self.models.values(), only=only)
        if claimed is None:
            return False
        self._claim = claimed
        name = next(name for name, model in self.models.items() if model.pk == claimed.rows[0].model_id)
        try:
            jobs.perform(claimed, self.engines[name])
        except EngineUnavailable as error:
            logger.warning("%s is not used any more here: %s", name, error)
            self._drop(name, str(error))
        finally:
            self._claim = None
        return True

    def _drop(self, name: str, why: str) -> None:
        """An engine cannot run here after all. Without any the worker ends: started anew it may find its GPU again."""
        self.refused[name] = why
        del self.engines[name], self.models[name]
        self.tell()
        if not self.engines:
            self.exit_code = os.EX_TEMPFAIL
            self.stopping.set()

    def step_if_possible(self, only: tuple[int, int] | None = None) -> bool | None:
        """``step``; None if the database did not answer: it was locked, restarted or away, and will be back."""
        try:
            return self.step(only)
        except DatabaseError as error:
            logger.warning("the database did not answer (%s); looking again", error)
            connection.close_if_unusable_or_obsolete()
            return None

    def stop(self) -> None:
        """Finish soon: what is being worked on goes back into the queue where the engine allows it."""
        self.stopping.set()
        if self._claim is not None:
            self._claim.stop()

    def _reap_when_due(self) -> None:
        if time.monotonic() - self._reaped > REAP_SECONDS or not self._reaped:
            self._reaped = time.monotonic()
            jobs.reap()

    # -- loops --------------------------------------------------------------------------------------------------------

    def work(self, *, poll: float = 1.0) -> None:
        """Look into the database for work until told to stop."""
        while not self.stopping.is_set():
            done = self.step_if_possible()
            if not done:
                self.stopping.wait(poll if done is False else 5 * poll)

    def work_by_ring(self) -> None:
        """Answer rings on Redis until told to stop; look into the database when it has been quiet."""
        import redis
        from rq import SimpleWorker

        global _answering
        _answering = self
        outer = self

        class Listener(SimpleWorker):
            def request_stop(self, signum: Any, frame: Any) -> None:
                outer.stop()
                super().request_stop(signum, frame)

            def perform_job(self, *args: Any, **options: Any) -> bool:
                done = super().perform_job(*args, **options)
                self._stop_requested = self._stop_requested or outer.stopping.is_set()
                return done

        while not self.stopping.is_set():
            try:
                self._reap_when_due()
                self._ring_again()
                queues = [bell.queue(grounder.name) for grounder in self.engines.values()]
                Listener(queues, connection=bell.connection()).work(
                    max_idle_time=max(1, round(REAP_SECONDS)), logging_level="WARNING"
                )
            except (redis.RedisError, DatabaseError) as error:
                logger.warning("no answer (%s); working from the database meanwhile", error)
                connection.close_if_unusable_or_obsolete()
                while not self.stopping.is_set() and self.step_if_possible():
                    pass
                self.stopping.wait(5.0)

    def _ring_again(self) -> None:
        """Rows wait but nobody rings: Redis has lost them, or nobody could ring when they came."""
        for model in self.models.values():
            if bell.is_silent(model.engine):
                waiting = Grounding.objects.filter(state=Work.QUEUED, model=model)
                for volume in waiting.values_list("volume", flat=True).distinct().order_by()[:500]:
                    bell.ring(model.engine, model.pk, volume)

    # -- the pulse ----------------------------------------------------------------------------------------------------

    def __enter__(self) -> "Worker":
        """While it is entered, a thread says that this worker lives and renews the lease of what it works on."""
        self._ended = threading.Event()
        self._pulse = threading.Thread(target=self._beat, daemon=True)
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._pulse.join(timeout=10)
        jobs.say_gone(self.name)

    def _beat(self) -> None:
        try:
            while not self._ended.wait(BEAT_SECONDS):
                try:
                    self.tell()
                    self._keep_or_end()
                except DatabaseError as problem:
                    logger.warning("the pulse was missed once: %s", problem)
                    connection.close_if_unusable_or_obsolete()
        finally:
            connection.close()

    def _keep_or_end(self) -> None:
        claimed = self._claim
        if claimed is None or claimed.keep():
            self._stuck_since = None
            return
        self._stuck_since = self._stuck_since or time.monotonic()
        if time.monotonic() - self._stuck_since > STUCK_SECONDS:
            logger.critical("the engine does not come back; this worker ends")
            os._exit(os.EX_TEMPFAIL)


_answering: Worker | None = None


def answer(model: int, volume: int) -> None:
    """The RQ job: somebody rang for a model and a scan."""
    if _answering is None:
        raise RuntimeError("Rings are answered by `manage.py hint_worker`, not by a plain RQ worker.")
    while True:
        done = _answering.step_if_possible(only=(model, volume))
        if done is None:  # the ring is kept until the database is back
            _answering.stopping.wait(5.0)
        if done is False or _answering.stopping.is_set():
            return


def engine_names(kind: str | None) -> list[str]:
    """Engines in order of preference, those of one kind of machine only if it is named."""
    known = set(registry.names())
    return [name for name in settings.HINT_MODELS if name in known and kind in (None, bell.kind_of(name))]
