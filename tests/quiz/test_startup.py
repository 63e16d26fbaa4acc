import pytest
from django.core.exceptions import ImproperlyConfigured

from quiz.demo import make_people
from quiz.startup import refuse_unsafe_start


def test_no_start_on_the_development_secret(settings, db):
    settings.DEBUG = False
    settings.SECRET_KEY = settings.DEVELOPMENT_SECRET
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        refuse_unsafe_start()


def test_no_start_with_demo_people(settings, db):
    settings.DEBUG = False
    settings.SECRET_KEY = "x" * 50
    refuse_unsafe_start()
    make_people()
    with pytest.raises(ImproperlyConfigured, match="trainee, faculty"):
        refuse_unsafe_start()


def test_the_demo_may_start_with_debug(settings, db):
    settings.DEBUG = True
    make_people()
    refuse_unsafe_start()
