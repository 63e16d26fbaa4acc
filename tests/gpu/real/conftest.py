"""A model wired by hand, a scan with one bright and one dark place, as files of two orientations, and a server."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import nibabel as nib
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from quiz.grounding import voxtell, voxtell_bank, voxtell_files
from tests.gpu.real import fabricated

pytest.register_assert_rewrite("tests.grounding.contract")  # so that its asserts say what they compared

from tests.grounding import contract, quadrants  # noqa: E402

BRIGHT, DARK = "Dense nodule in the RIGHT upper lobe", "Emphysema in the left lower lobe"
TOKEN = "a token for the appliance"
SHAPE = (22, 20, 18)
PLACES = {BRIGHT: (slice(3, 8), slice(4, 9), slice(11, 15)), DARK: (slice(13, 19), slice(12, 17), slice(3, 7))}
# Columns of the affine to RAS millimetres: the same voxels (x, y, z) lie turned about in the world.
AFFINES = {"LPS": np.diag([-0.7, -0.9, 2.5, 1.0]), "RAS": np.diag([0.7, 0.9, 2.5, 1.0])}


@dataclass
class Scan:
    """A CT file, and where in its own voxels [x, y, z] each sentence's place is."""

    path: Path
    places: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("voxtell")


@pytest.fixture(scope="session")
def bank(work: Path) -> Path:
    """The folder of a bank in which BRIGHT is unit vector 0 and DARK unit vector 1, and so are what the contract asks
    where one of them is, and about scans with nothing in them."""
    voxtell_bank.save(work / "bank", fabricated.unit_vectors(BRIGHT, DARK))
    where = quadrants.sentence("right", "upper"), quadrants.sentence("left", "lower")
    voxtell_bank.save(work / "bank", fabricated.unit_vectors(*where))
    voxtell_bank.save(work / "bank", fabricated.unit_vectors(*contract.ABOUT_EMPTY_SCANS))
    voxtell_bank.save(work / "bank", fabricated.unit_vectors(contract.ABOUT_SMALL_SCANS))
    return work / "bank"


@pytest.fixture(scope="session")
def wired(work: Path) -> Path:
    return fabricated.write(work / "wired", fabricated.wired_weights())


@pytest.fixture(scope="session")
def in_process(wired: Path, bank: Path) -> voxtell.VoxTell:
    return voxtell.make(model=str(wired), sha256=voxtell_files.checksum(wired), bank=str(bank), device="cpu")


@pytest.fixture(params=["LPS", "RAS"])
def scan(request, tmp_path: Path) -> Scan:
    return write_scan(tmp_path, request.param)


def write_scan(folder: Path, orientation: str) -> Scan:
    hu = np.random.default_rng(5).integers(-710, -690, SHAPE).astype(np.int16)
    hu[:2], hu[:, :, :2] = 0, 0  # the package crops a border of 0, and has to put it back
    places = {}
    for sentence, value in ((BRIGHT, 300), (DARK, -1000)):
        hu[PLACES[sentence]] = value
        places[sentence] = np.zeros(SHAPE, dtype=bool)
        places[sentence][PLACES[sentence]] = True
    path = folder / f"{orientation}.nii.gz"
    nib.save(nib.Nifti1Image(hu, AFFINES[orientation]), path)
    return Scan(path, places)


@pytest.fixture(scope="session", autouse=True)
def starting(wired: Path, bank: Path, work: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """The package's server on a free port; it takes a while to start, so it does while other tests run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (npz,) = bank.glob("*.npz")
    with (work / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "voxtell.server", "--device", "cpu", "--port", str(port), "--model", str(wired),
             "--embeddings", str(npz), "--no-precomputed", "--api-key", TOKEN],
            stdout=log, stderr=log,
        )  # fmt: skip
    yield f"http://127.0.0.1:{port}", process
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def url(starting: tuple[str, subprocess.Popen], work: Path) -> str:
    address, process = starting
    until = time.monotonic() + 600
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"{address}/healthz", timeout=5):
                return address
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not start:\n{(work / 'server.log').read_text()[-3000:]}")
