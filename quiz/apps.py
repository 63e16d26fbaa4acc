from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.management import call_command
from django.db.models.signals import post_migrate

from cases.signals import volume_recorded


class QuizConfig(AppConfig):
    name = "quiz"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Lessons"

    def ready(self) -> None:
        post_migrate.connect(_create_cache_table, sender=self)
        volume_recorded.connect(_want_hints, dispatch_uid="want hints")


def _create_cache_table(**kwargs: Any) -> None:
    """One command less to remember: `migrate` also makes the table of the shared cache."""
    if "db.DatabaseCache" in settings.CACHES["default"]["BACKEND"]:
        call_command("createcachetable", database=kwargs["using"], verbosity=0)


def _want_hints(volume: Any, **kwargs: Any) -> None:
    """A scan has come in: its findings wait for the grounding models."""
    from quiz import jobs

    jobs.want_volume(volume)
