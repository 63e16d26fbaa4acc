"""The contract of every engine, asked of VoxTell in this process and of its own server on loopback."""

import pytest

from cases.imaging.nifti import read_ct
from quiz.grounding import voxtell_http
from tests.gpu.real.conftest import TOKEN, write_scan
from tests.grounding import contract


@pytest.fixture(scope="module", params=contract.WITH_VOXTELL)
def engine(request, tmp_path_factory):
    if request.param == "voxtell":
        return request.getfixturevalue("in_process")
    url = request.getfixturevalue("url")
    return voxtell_http.make(urls=[url], token=TOKEN, locks=str(tmp_path_factory.mktemp("locks")))


@pytest.fixture(scope="module")
def chest(tmp_path_factory) -> contract.Chest:
    """The wired model tells bright from dark and no more, so there are two places, apart in side and in height.

    In the LPS file, voxels of 0.7 x 0.9 x 2.5 mm from 0 on: BRIGHT's middle is at x = 5, z = 12.5, DARK's at 15.5 and
    4.5. Half-way: 10.25 * 0.7 and 8.5 * 2.5 mm.
    """
    ct = read_ct(write_scan(tmp_path_factory.mktemp("chest"), "LPS").path)
    return contract.Chest(ct.voxels, ct.grid, (("right", "upper"), ("left", "lower")), middle_mm=(7.175, 21.25))


class TestContract(contract.Contract):
    """A patch takes seconds, so there is not one too many: the package takes the mean off a scan, after which one of a
    single value is like any other, but for the 0 that it crops; and small ones it fills up to a patch."""

    values = {"water": 0, "air": -1000}
    sizes = [(1, 1, 1), (24, 1, 2)]
