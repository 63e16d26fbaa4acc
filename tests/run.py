"""What `manage.py test` runs: style, types, layers, migrations, the API schema, then every test.

With arguments only pytest runs, with them: `manage.py test tests/scoring -k border`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS = [
    ("style", [BIN / "ruff", "check", "."]),
    ("format", [BIN / "ruff", "format", "--check", "."]),
    ("types", [BIN / "mypy", "cases", "quiz"]),
    ("layers", [BIN / "lint-imports"]),
    ("migrations", [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]),
    ("API schema", [sys.executable, "manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull]),
]


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    return next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )


def install_chromium() -> None:
    """The browser journeys need Chromium: as root on Debian it is installed, otherwise the line to run is said."""
    if find_chromium():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing chromium for the browser tests", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False, stdout=subprocess.DEVNULL)
    if not find_chromium():
        print("Chromium is missing, so the browser tests will fail; run:  sudo apt-get install -y chromium", flush=True)


def install_redis() -> None:
    """The tests of the distributed queue start a redis-server of their own."""
    if shutil.which("redis-server") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("installing redis-server for the tests of the queue", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=False)
    subprocess.run(["apt-get", "install", "-y", "-qq", "redis-server"], check=False, stdout=subprocess.DEVNULL)


def install_firefox() -> None:
    """One journey is made in Firefox too; without it, it is skipped."""
    if shutil.which("firefox-esr") or shutil.which("firefox") or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("installing firefox-esr for its browser test", flush=True)
    subprocess.run(["apt-get", "update", "-qq"], check=False)
    subprocess.run(["apt-get", "install", "-y", "-qq", "firefox-esr"], check=False, stdout=subprocess.DEVNULL)


def main(arguments: list[str]) -> int:
    failed = []
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "quiz.settings"}
    if not arguments:
        for name, command in CHECKS:
            print(f"== {name}", flush=True)
            if subprocess.run([str(part) for part in command], cwd=ROOT, env=environment).returncode:
                failed.append(name)
    install_chromium()
    install_redis()
    install_firefox()
    print("== tests", flush=True)
    if subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment).returncode:
        failed.append("tests")
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0
