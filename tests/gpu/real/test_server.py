"""The package's own server on loopback, through our client."""

import numpy as np
import pytest

from cases.imaging.nifti import read_ct
from quiz.grounding import voxtell_http
from quiz.grounding.base import EngineUnavailable
from tests.gpu.real.conftest import BRIGHT, DARK, TOKEN, Scan


@pytest.fixture
def engine(url: str, tmp_path) -> voxtell_http.VoxTellHttp:
    return voxtell_http.make(urls=[url], token=TOKEN, locks=str(tmp_path))


def test_the_server_marks_both_places_exactly(engine, scan: Scan):
    ct = read_ct(scan.path)
    told = []
    answers = engine.ground(
        ct.voxels, ct.grid, [DARK, "A nodule that nobody has embedded", BRIGHT.upper()],
        progress=lambda done, total: not told.append((done, total)),
    )  # fmt: skip
    for answer, sentence in zip(answers[::2], (DARK, BRIGHT), strict=True):
        assert np.array_equal(ct.frame.as_file(answer.mask.dense()) > 0, scan.places[sentence])
        assert answer.heat is None
    assert answers[1].mask.is_empty
    assert "no embedding" in answers[1].note
    assert told  # at least once; a stream that is opened again may have lost what was said meanwhile
    assert engine.version == "wired"


def test_a_wrong_token_is_said(url, tmp_path):
    with pytest.raises(EngineUnavailable, match="refuses the token"):
        voxtell_http.make(urls=[url], token="another", locks=str(tmp_path))


def test_a_scan_it_does_not_know_is_something_to_send_again(url):
    with pytest.raises(voxtell_http.Forgotten):
        voxtell_http.Server(url, TOKEN).start("no such scan", [BRIGHT])
