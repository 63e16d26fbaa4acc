"""A server that lives as long as a module's tests, with the scan of scan.py, and rooms in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.test.utils import override_settings

from cases import ingest
from cases.imaging import rexgrounding
from cases.models import Category, Finding
from cases.ontology import put_categories
from quiz.models import Attempt, User
from tests.browser.room import scan
from tests.browser.room.room import Room


@pytest.fixture(scope="module", autouse=True)
def transactional_db(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The database is emptied after the module, where elsewhere it is after every test. By its name pytest-django knows
    when to run these tests."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory) -> Iterator[Path]:
    """One store for the whole module, where elsewhere every test has its own."""
    from django.conf import settings

    folder = tmp_path_factory.mktemp("store")
    backend = {"BACKEND": "cases.storage.AtomicFileSystemStorage", "OPTIONS": {"location": str(folder)}}
    caches = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    with override_settings(STORAGES={**settings.STORAGES, "volumes": backend}, CACHES=caches):
        yield folder


class Site:
    """The server and its people; rooms are opened by ``enter``."""

    def __init__(self, url: str, browser, root: Path) -> None:
        self.url, self.browser, self.root = url, browser, root
        self.findings = list(Finding.objects.filter(volume__split="val").order_by("channel"))
        self.partial = list(Finding.objects.filter(volume__split="train").order_by("channel"))
        self.rooms: list[Room] = []
        self.people = 0

    def person(self) -> User:
        self.people += 1
        return User.objects.create_user(f"person{self.people}", password="a long enough password")

    def attempt(self, *, finding: Finding | None = None, mode: str = "volume", user: User | None = None) -> Attempt:
        return Attempt.objects.create(user=user or self.person(), finding=finding or self.findings[0], mode=mode)

    def enter(self, attempt: Attempt | None = None, *, renderer: str = "", context=None, **screen) -> Room:
        """The reading room of an attempt in a browser of its own, or in that of ``context``, signed in as its trainee."""
        attempt = attempt or self.attempt()
        client = Client()
        client.force_login(attempt.user)
        room = Room(self, attempt, client.cookies["sessionid"].value, context=context, **screen)
        self.rooms.append(room)
        room.open(renderer)
        return room


@pytest.fixture(scope="module")
def site(chromium, live_server, transactional_db, store, tmp_path_factory) -> Iterator[Site]:
    put_categories(Category)
    root = scan.write(tmp_path_factory.mktemp("scan"))
    for entry in rexgrounding.read_entries(root):
        ct, mask = rexgrounding.locate_ct(root, [], entry), rexgrounding.locate_mask(root, entry)
        source = rexgrounding.Source(ct[0], mask)
        ingest.record_volume(ingest.store_volume(entry, source, mark=ingest.fingerprint(entry, source), trusted=True))
    site = Site(live_server.url, chromium, root)
    yield site
    for room in site.rooms:
        room.close()


@pytest.fixture(autouse=True)
def no_errors(request) -> Iterator[None]:
    """No room may have logged an error by the end of a test."""
    yield
    if "site" in request.fixturenames:
        for room in request.getfixturevalue("site").rooms:
            assert room.problems == []


@pytest.fixture(scope="module")
def shared(site) -> Room:
    """One room for many tests: each begins by clearing it."""
    return site.enter()


@pytest.fixture
def room(shared) -> Room:
    shared.clear()
    return shared
