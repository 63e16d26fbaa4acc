"""Who may have an account, and who gets a token for it."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.adapter import get_adapter as sign_in_adapter
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from rest_framework.authtoken.models import Token

from quiz.models import User


class AccountAdapter(DefaultAccountAdapter):
    """A site for a department can close sign-up: its accounts are then made in the admin, and nobody can practise the
    findings of an exam under another name."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP_OPEN)


class TokenRefused(Exception):
    """Why there is no token; ``retry_after`` in seconds if there may be one later."""

    def __init__(self, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after


def check_password(request: HttpRequest, username: str, password: str) -> User:
    """Whose token it is. Wrong guesses count as on the sign-in page, together with those made there; who has a second
    factor gets no token for a password alone. Raises TokenRefused."""
    try:
        user = sign_in_adapter(request).authenticate(request, username=username, password=password)
    except ValidationError as error:
        raise TokenRefused("There were too many failed sign-ins; try again in five minutes.", 300) from error
    if not isinstance(user, User) or not user.is_active:
        raise TokenRefused("Unable to log in with provided credentials.")
    if is_mfa_enabled(user):
        raise TokenRefused("This account has a second factor: an administrator makes its token.")
    return user


def drop_token(user: User, **kwargs: Any) -> None:
    """A new password ends what the old one opened."""
    Token.objects.filter(user=user).delete()
