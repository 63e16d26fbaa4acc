"""What a server checks before it takes its first request."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError


def refuse_unsafe_start() -> None:
    """With DEBUG off nothing starts on the development secret or with demo people, whose password is public."""
    if settings.DEBUG:
        return
    if settings.SECRET_KEY == settings.DEVELOPMENT_SECRET:
        raise ImproperlyConfigured("Set SECRET_KEY to a long random text before starting with DEBUG off.")
    try:
        names = list(get_user_model().objects.filter(is_demo=True, is_active=True).values_list("username", flat=True))
    except DatabaseError as error:
        raise ImproperlyConfigured("The database is not ready: run `manage.py migrate` first.") from error
    if names:
        raise ImproperlyConfigured(
            f"This database holds demo people with a public password ({', '.join(names)}). Delete or deactivate them, "
            "or start with another DATABASE_URL, before starting with DEBUG off."
        )
