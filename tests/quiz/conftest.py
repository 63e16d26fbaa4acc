"""A model that is set up: an engine that is not one, and its row."""

import pytest

from quiz import jobs
from quiz.models import HintModel
from tests.fake_engine import Fake


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def model(library, fake: Fake) -> HintModel:
    """Known only once the library is there: nothing is queued yet."""
    return jobs.register(fake)
