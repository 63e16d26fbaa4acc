"""Run a worker of the grounding models: it takes waiting work, scan by scan, until it is stopped."""

import logging
import os
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from cases.management.migrated import need_tables
from quiz.bell import KINDS
from quiz.grounding import registry
from quiz.hint_worker import Worker, engine_names

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Work on hints from grounding models. Run as many as there are processors or GPUs to spare, on any machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kind", choices=KINDS, help="Only engines that need such a machine.")
        parser.add_argument(
            "--model", action="append", default=[], metavar="NAME",
            help="Run this engine; may be repeated. Without it the first of HINT_MODELS that can run here.",
        )  # fmt: skip
        parser.add_argument("--missing", action="store_true", help="First queue every finding without an answer.")
        parser.add_argument("--once", action="store_true", help="Stop when nothing waits any more.")
        parser.add_argument("--nice", type=int, default=0, help="Give way to other processes, such as the site itself.")
        parser.add_argument("--poll", type=float, default=1.0, help="Seconds between two looks into the database.")

    def handle(self, *args: Any, **options: Any) -> None:
        need_tables()
        os.nice(options["nice"])
        worker = Worker()
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        signal.signal(signal.SIGINT, lambda *_: worker.stop())
        worker.open(options["model"] or engine_names(options["kind"]), only_first=not options["model"])
        for name, sentence in worker.refused.items():
            self.stdout.write(f"{name}: {sentence}")
        if not worker.engines:
            known = ", ".join(registry.names()) or "none"
            self.stdout.write(f"No engine can run here (there are: {known}); hints stay without a model's opinion.")
        else:
            self.stdout.write(f"working with {', '.join(worker.engines)}")
        self.stdout.flush()
        with worker:
            if options["missing"]:
                self.stdout.write(f"{worker.want_missing()} findings queued")
            if options["once"]:
                while not worker.stopping.is_set() and worker.step():
                    pass
            elif settings.HINT_REDIS_URL and worker.engines:
                worker.work_by_ring()
            else:
                worker.work(poll=options["poll"])
        if worker.exit_code:
            raise SystemExit(worker.exit_code)
