"""A tiny library with known answers, and the people of the access tests."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import settings as laws

from cases.imaging import masks, rexlike
from cases.imaging.phantom.cases import tiny
from cases.models import Category, Finding, Volume
from cases.ontology import put_categories
from quiz import assignments
from quiz.models import Assignment, CaseSet, Cohort, User

# The same examples on every run, so that a failure can be run again; HYPOTHESIS_PROFILE=explore draws new ones.
laws.register_profile("same", derandomize=True, deadline=None)
laws.register_profile("explore", deadline=None, max_examples=500)
laws.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

PASSWORD = "a long enough password"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SQLite in a file, as it is used: every thread has a connection of its own.

    In memory Django lends one connection to the live server's threads too. An error in one of them while another runs
    a query with a Python function in it (Now() + timedelta is one) then locks the whole process for good.
    """
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "tests.sqlite3")


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny cases on disk in the data set's layout: one exhaustive (val), one partial (train)."""
    root = tmp_path_factory.mktemp("rexlike")
    cases = [tiny("valid_9201_a_1", "val", 0), tiny("train_9202_a_1", "train", 1)]
    rexlike.write_index(root, [rexlike.write_case(root, case) for case in cases])
    return root


@pytest.fixture(autouse=True)
def store(settings, tmp_path: Path) -> Path:
    """Every test writes its bytes to a store of its own."""
    folder = tmp_path / "store"
    backend = {"BACKEND": "cases.storage.AtomicFileSystemStorage", "OPTIONS": {"location": str(folder)}}
    settings.STORAGES = {**settings.STORAGES, "volumes": backend}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    return folder


def import_here(root: Path) -> None:
    """Import in this process: the rows of a test live in its own transaction."""
    from cases import ingest
    from cases.imaging import rexgrounding

    for entry in rexgrounding.read_entries(root):
        ct, mask = rexgrounding.locate_ct(root, [], entry), rexgrounding.locate_mask(root, entry)
        assert ct
        assert mask
        source = rexgrounding.Source(ct[0], mask)
        ingest.record_volume(ingest.store_volume(entry, source, mark=ingest.fingerprint(entry, source)))


@pytest.fixture
def library(db, tiny_dataset: Path) -> list[Finding]:
    """The findings of the exhaustive case: left lower nodule, two right upper nodules, right effusion, left emphysema."""
    put_categories(Category)  # browser tests empty every table when they end
    import_here(tiny_dataset)
    return list(Finding.objects.filter(volume__split="val").order_by("channel"))


@pytest.fixture
def finding(library: list[Finding]) -> Finding:
    return library[0]


@pytest.fixture
def volume(finding: Finding) -> Volume:
    return finding.volume


def person(username: str, **more: object) -> User:
    return User.objects.create_user(username, password=PASSWORD, **more)


@pytest.fixture
def trainee(db) -> User:
    return person("trainee")


@pytest.fixture
def other_trainee(db) -> User:
    return person("other_trainee")


@pytest.fixture
def faculty(db) -> User:
    return person("faculty", is_faculty=True)


@pytest.fixture
def other_faculty(db) -> User:
    return person("other_faculty", is_faculty=True)


@pytest.fixture
def cohort(trainee: User, faculty: User) -> Cohort:
    cohort = Cohort.objects.create(name="First year")
    cohort.members.add(trainee)
    cohort.faculty.add(faculty)
    return cohort


@pytest.fixture
def case_set(faculty: User, library: list[Finding]) -> CaseSet:
    return assignments.create_case_set(faculty, name="Start", mode="slice", findings=library[:2])


@pytest.fixture
def assignment(case_set: CaseSet, cohort: Cohort, faculty: User) -> Assignment:
    now = timezone.now()
    return assignments.assign(
        case_set, cohort=cohort, opens_at=now - timedelta(hours=1), closes_at=now + timedelta(days=1), by=faculty
    )


@pytest.fixture
def as_user():
    """A client signed in as somebody; csrf is enforced as in the browser only where a test asks for it."""

    def sign_in(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def paint():
    """Wire mask of one ball (slice k only if ``flat``) in the tiny volume: 24 x 40 x 48."""

    def make(k: int, j: int, i: int, radius: int = 2) -> dict:
        runs = {}
        row = []
        for dj in range(-radius, radius + 1):
            row += [(j + dj) * 48 + i - radius, 2 * radius + 1]
        runs[str(k)] = row
        return {"size": [24, 40, 48], "runs": runs}

    return make


def dense(wire: dict) -> object:
    return masks.from_wire(wire, (24, 40, 48)).dense()
