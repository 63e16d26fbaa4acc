"""The environment of the tests that run the real VoxTell package: .venv-voxtell, 2 GB, in one to two minutes.

`python3 tests/gpu/install.py`. What is there already is left alone. The standard library only.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv-voxtell"
PYTHON = VENV / "bin" / "python"
TORCH, REST = ROOT / "requirements-torch.txt", ROOT / "requirements-gpu-dev.txt"


def is_ready() -> bool:
    stamp = VENV / ".stamp"
    return stamp.exists() and stamp.read_text() == _digest() and PYTHON.exists()


def _digest() -> str:
    return hashlib.sha256(TORCH.read_bytes() + REST.read_bytes() + sys.version.encode()).hexdigest()


def main() -> int:
    if is_ready():
        return 0
    print("making the environment of the VoxTell tests in .venv-voxtell (2 GB; a minute or two)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    for more in (["-r", str(REST)], ["--retries", "0", "-r", str(TORCH)]):
        if subprocess.run([*pip, *more], stdin=subprocess.DEVNULL).returncode:
            print("it could not be installed; pip's message is above", flush=True)
            return 1
    (VENV / ".stamp").write_text(_digest())
    return 0


if __name__ == "__main__":
    sys.exit(main())
