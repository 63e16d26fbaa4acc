import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_killed_imports_leave_store_and_rows_in_agreement():
    """A few kills at random moments; benchmarks/import_killed.py does fifty."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "import_killed.py"), "3"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
