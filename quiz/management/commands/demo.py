"""From nothing to a running Sightline: database, demo cases, demo people, server."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.imaging import rexlike
from cases.imaging.phantom.cases import demo_cases
from quiz import demo
from quiz.processes import run_together


class Command(BaseCommand):
    help = "Set everything up with synthetic cases and start the server. A second start loses nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-server", action="store_true", help="Prepare only.")
        parser.add_argument("--no-worker", action="store_true", help="No hints from a grounding model.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo has people with a public password; it runs with DEBUG on only.")
        call_command("migrate", interactive=False, verbosity=0)
        root = settings.DATA_DIR / "demo"
        self._make_cases(root)
        call_command("import_rexgroundingct", str(root), stdout=self.stdout, verbosity=0)
        demo.make_assignment()
        if not options["no_server"]:
            self._serve(options["port"], with_worker=not options["no_worker"])

    def _make_cases(self, root: Path) -> None:
        specs = demo_cases()
        bar = tqdm(total=len(specs), desc="demo cases", unit="case", disable=not sys.stderr.isatty(), file=sys.stderr)

        def progress(done: int, total: int, name: str) -> None:
            bar.update(done - bar.n)
            if bar.disable:
                self.stdout.write(f"[{done}/{total}] made {name}")

        with bar:
            rexlike.write_dataset(root, specs, workers=min(2, os.cpu_count() or 1), progress=progress)

    def _serve(self, port: int, *, with_worker: bool) -> None:
        self.stdout.write("")
        self.stdout.write(f"Sightline is at  http://127.0.0.1:{port}/")
        for username, _, _, is_faculty in demo.PEOPLE:
            role = "teacher" if is_faculty else "trainee"
            self.stdout.write(f"  {role}:  {username}  /  {demo.PASSWORD}")
        self.stdout.write("Stop with Ctrl-C; what was answered is kept.")
        self.stdout.flush()
        gunicorn = Path(sys.executable).with_name("gunicorn")
        where = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "2", "--threads", "4"]
        os.environ["DEBUG"] = "1"
        worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "hint_worker", "--missing", "--nice", "10"]
        server = [str(gunicorn), "quiz.wsgi", *where, "--log-level", "warning"]
        sys.exit(run_together(server, [worker] if with_worker else []))
