"""The real VoxTell package with fabricated weights, in its own environment: everything in tests/gpu/real."""

import faulthandler
import os
import subprocess
from pathlib import Path

import pytest

from tests.gpu import install

HERE = Path(__file__).parent / "real"


def test_the_real_package_marks_what_it_is_told_to():
    if not install.is_ready():
        assert os.environ.get("REQUIRE_VOXTELL") != "1", "make its environment first: python3 tests/gpu/install.py"
        pytest.skip("python3 tests/gpu/install.py makes the environment for this (2 GB)")
    faulthandler.cancel_dump_traceback_later()  # these are many tests, with a limit of their own
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    pytest_here = [install.PYTHON, "-m", "pytest", "-c", HERE / "pytest.ini", "--rootdir", HERE, "--confcutdir", HERE]
    done = subprocess.run(
        [*pytest_here, HERE], cwd=install.ROOT, env=environment, capture_output=True, text=True, timeout=1800
    )
    print(done.stdout[-20000:])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
