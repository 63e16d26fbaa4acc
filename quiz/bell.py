"""How a waiting worker hears that there is work. The rows are the truth: a ring that is lost costs seconds, not work.

Without Redis workers look at the rows every second. With HINT_REDIS_URL a ring is an RQ job that names a model and a
scan, on a queue of its engine: every worker listens to the engines it can run, on any number of machines.
"""

import logging
from typing import Any

from django.conf import settings

logger = logging.getLogger(__name__)

KINDS = ("gpu", "cpu")


def kind_of(engine: str) -> str:
    """The kind of machine that an engine needs."""
    return "gpu" if engine in settings.HINT_GPU_ENGINES else "cpu"


def connection(**options: Any) -> Any:
    """A connection to Redis that gives up soon when nobody answers; workers wait on it for rings as long as they like."""
    import redis

    return redis.Redis.from_url(settings.HINT_REDIS_URL, socket_connect_timeout=2, health_check_interval=30, **options)


def queue(engine: str) -> Any:
    """The RQ queue of an engine. Nobody waits long to ring: a page may be waiting for it."""
    from rq import Queue

    return Queue(f"sightline-{kind_of(engine)}-{engine}", connection=connection(socket_timeout=2))


def ring(engine: str, model: int, volume: int, *, urgent: bool = False) -> None:
    """Tell the workers of an engine that there is work on a scan. Never raises: they also look by themselves."""
    if not settings.HINT_REDIS_URL:
        return
    try:
        queue(engine).enqueue(
            "quiz.hint_worker.answer", model, volume, at_front=urgent, result_ttl=0, failure_ttl=3600,
            job_timeout=settings.HINT_SECONDS + 60,
        )  # fmt: skip
    except Exception as error:
        logger.warning("Redis could not be rung (%s); workers will find the work when they next look.", error)


def is_silent(engine: str) -> bool:
    """True if no ring waits for the workers of an engine: those for rows that wait have been lost."""
    return bool(queue(engine).count == 0)
