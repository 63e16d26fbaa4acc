"""Train the small grounding model from a seed: phantoms first, then steps until the time is up."""

import shutil
from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.imaging.rexgrounding import DatasetError
from quiz.grounding.base import EngineUnavailable
from quiz.grounding.training import learn, pool, scans


class Command(BaseCommand):
    help = (
        "Train the grounding model 'tiny' on generated phantoms. It may be stopped and goes on where it was. The result "
        "is a safetensors file; the card docs/model-card-tiny.md says how the shipped one was made."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=1, help="Everything that is drawn at random follows from it.")
        parser.add_argument("--minutes", type=float, default=60.0, help="How long to train, phantoms not counted.")
        parser.add_argument("--steps", type=int, help="Train this many steps instead: the same result on every run.")
        parser.add_argument("--phantoms", type=int, default=220, help="How many phantoms to learn from.")
        parser.add_argument("--workers", type=int, default=1, help="Processes that make phantoms.")
        parser.add_argument("--threads", type=int, default=0, help="Threads of torch; 0 leaves it the choice.")
        parser.add_argument("--dataset", type=Path, metavar="ROOT", help="Learn from ReXGroundingCT's train split too.")
        parser.add_argument("--ct", type=Path, action="append", default=[], metavar="DIR", help="Where its CTs lie.")
        parser.add_argument("--folder", type=Path, help="Where the run is kept; below the data folder by default.")
        parser.add_argument(
            "--start", type=Path, metavar="FILE", help="Begin with these weights, not with random ones."
        )
        parser.add_argument("--output", type=Path, help="Copy the finished weights here.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            import safetensors  # noqa: F401
            import torch  # noqa: F401
        except ImportError as error:
            raise CommandError(f"{error.name} is missing: .venv/bin/pip install -r requirements-torch.txt.") from error
        seed = options["seed"]
        if seed < 0 or options["phantoms"] < 0 or options["minutes"] <= 0:
            raise CommandError("--seed and --phantoms cannot be negative, --minutes must be more than 0.")
        folder = options["folder"] or Path(settings.DATA_DIR) / "tiny" / f"seed-{seed}"
        sources = self._sources(options, folder)
        if not sources:
            raise CommandError("There is nothing to learn from: no phantoms are wanted and no scans were found.")
        run = learn.Run(seed=seed, folder=folder, start=options["start"])
        with tqdm(total=100, unit="%", disable=None) as bar:

            def report(step: int, loss: float, done: float) -> None:
                bar.set_postfix(step=step, loss=f"{loss:.2f}")
                bar.update(min(100, int(100 * done)) - bar.n)

            try:
                run.train(
                    sources,
                    minutes=options["minutes"],
                    steps=options["steps"],
                    report=report,
                    threads=options["threads"],
                )
            except (ValueError, ArithmeticError, EngineUnavailable) as error:
                raise CommandError(str(error)) from error
        weights = folder / "weights.safetensors"
        if options["output"]:
            shutil.copyfile(weights, options["output"])
        self.stdout.write(f"{run.steps} steps in {run.seconds / 60:.0f} minutes: {options['output'] or weights}")

    def _sources(self, options: dict[str, Any], folder: Path) -> list[learn.Source]:
        seeds = pool.seeds_of(options["seed"], options["phantoms"])
        files = []
        for n in tqdm(range(0, len(seeds), 20), desc="phantoms", disable=None):
            files += pool.fill(folder / "phantoms", seeds[n : n + 20], options["workers"])
        sources: list[learn.Source] = [partial(pool.load, file) for file in files]
        if options["dataset"]:
            folders = tuple(options["ct"])
            try:
                found = scans.names(options["dataset"], folders)
            except DatasetError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{len(found)} scans of the train split")
            sources += [partial(scans.read, options["dataset"], name, folders) for name in found]
        return sources
