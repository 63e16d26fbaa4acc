"""The contract, asked of every engine that runs beside the web server, on the phantom with a nodule in four places."""

import pytest

from quiz.grounding import registry
from tests.grounding import contract, quadrants
from tests.optional import needed


@pytest.fixture(scope="module", params=sorted(set(registry.names()) - set(contract.WITH_VOXTELL)))
def engine(request):
    if request.param == "tiny":
        needed("torch")
        needed("safetensors")
    return registry.make(request.param)


@pytest.fixture(scope="module")
def chest() -> contract.Chest:
    """x is 0 between the lungs; the upper nodules are at z = 208 mm, the lower at 84, so (208 + 84) / 2 is between."""
    voxels, grid, _ = quadrants.chest()
    return contract.Chest(voxels, grid, tuple(quadrants.PLACES), middle_mm=(0.0, 146.0))


class TestContract(contract.Contract):
    pass
