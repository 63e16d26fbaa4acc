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
        _end_tokens_with_passwords()


def _create_cache_table(**kwargs: Any) -> None:
    """One command less to remember: `migrate` also makes the table of the shared cache."""
    if "db.DatabaseCache" in settings.CACHES["default"]["BACKEND"]:
        call_command("createcachetable", database=kwargs["using"], verbosity=0)


def _end_tokens_with_passwords() -> None:
    from allauth.account import signals

    from quiz import accounts

    for changed in (signals.password_set, signals.password_changed, signals.password_reset):
        changed.connect(accounts.drop_token, dispatch_uid="tokens end with passwords")


def _want_hints(volume: Any, **kwargs: Any) -> None:
    """A scan has come in: its findings wait for the grounding models."""
    from quiz import jobs

    jobs.want_volume(volume)
