"""`manage.py` with the fake engine among the engines, for tests that start real worker processes."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quiz.settings")

from tests import fake_engine

if __name__ == "__main__":
    from datetime import timedelta

    from django.core.management import execute_from_command_line

    fake_engine.install()
    if seconds := os.environ.get("FAKE_LEASE"):  # a test cannot wait a minute for a lease to run out
        from django import setup

        setup()
        from quiz import hint_worker, jobs

        jobs.LEASE = timedelta(seconds=float(seconds))
        hint_worker.BEAT_SECONDS = hint_worker.REAP_SECONDS = float(seconds) / 4
        hint_worker.STUCK_SECONDS = float(seconds)
    execute_from_command_line(sys.argv)
