#!/usr/bin/env python3
"""Sightline's one entry point. `python3 manage.py demo` and `python3 manage.py test` work from nothing.

Until the environment in .venv is ready this file uses the standard library only; then it runs itself again inside it.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
FROM_NOTHING = {
    "demo": ["requirements.txt"],
    "setup": ["requirements.txt"],
    "test": ["requirements-dev.txt", "requirements-torch-dev.txt", "requirements-redis.txt"],
}
OPTIONAL = {
    "requirements-torch-dev.txt": "torch could not be installed; what needs it is left out",
    "requirements-redis.txt": "RQ could not be installed; what needs it is left out",
}


def fail(sentence: str) -> None:
    sys.exit(f"sightline: {sentence}")


def say(sentence: str) -> None:
    print(f"sightline: {sentence}", file=sys.stderr, flush=True)


def run(*command: object) -> bool:
    return subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL).returncode == 0


def make_venv(python: str) -> None:
    """A virtual environment with pip. Debian's python3 lacks ensurepip until python3-venv is installed."""
    if subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode != 0:
        package = f"python3.{sys.version_info.minor}-venv"
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            fail(f"Python's venv module is missing; run:  sudo apt-get install -y {package}")
        say(f"installing {package}")
        if not (run("apt-get", "update", "-qq") and run("apt-get", "install", "-y", "-qq", package)):
            fail(f"could not install {package}; run:  apt-get install -y {package}")
    if not run(python, "-m", "venv", "--clear", VENV):
        fail(f"could not make the environment in {VENV}")


def prepare(requirements: str) -> None:
    """Make .venv hold what `requirements` pins. The stamp is written last, so a killed set-up is simply done again."""
    if sys.version_info[:2] != (3, 11):
        fail(f"Python 3.11 is needed, this is {sys.version.split()[0]}; run:  python3.11 manage.py ...")
    wanted = ROOT / requirements
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()
    stamp = VENV / f".{requirements}.stamp"
    if stamp.exists() and stamp.read_text() == digest and PYTHON.exists():
        return
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two starts at once: one installs, the other waits
        if stamp.exists() and stamp.read_text() == digest and PYTHON.exists():
            return
        if not (VENV / "bin" / "pip").exists():
            say("making the environment in .venv")
            make_venv(sys.executable)
        say(f"installing {requirements} (once; about a minute)")
        retries = ["--retries", "0"] if requirements in OPTIONAL else []
        if run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *retries, "-r", wanted):
            stamp.write_text(digest)
        elif requirements in OPTIONAL:
            say(f"{OPTIONAL[requirements]}; pip's message is above")
        else:
            fail(f"pip could not install {requirements}; its message is above. Nothing else was changed; try again.")


def main() -> None:
    os.chdir(ROOT)
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    in_venv = Path(sys.prefix).resolve() == VENV.resolve()
    if command in FROM_NOTHING and not in_venv:
        if sys.prefix != sys.base_prefix:
            say(f"leaving the active environment {sys.prefix}; this command uses .venv")
        for requirements in FROM_NOTHING[command]:
            prepare(requirements)
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    if command == "setup":
        say("ready: .venv/bin/python manage.py help")
        return
    if command == "demo":
        os.environ.setdefault("DEBUG", "1")
    if command == "test":
        from tests.run import main as run_tests

        sys.exit(run_tests(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quiz.settings")
    try:
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError:
        fail("the environment is not set up yet; run:  python3 manage.py setup   and use .venv/bin/python manage.py")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
