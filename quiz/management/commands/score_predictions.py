"""The benchmark's own evaluation of a folder of predicted masks."""

import json
import os
import sys
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.imaging import rexgrounding
from quiz.scoring import benchmark

COLUMNS = {
    "n": "n", "dice_per_finding": "Dice", "dice_per_case": "by case", "hit_rate": "hit",
    "instance_precision": "inst P", "instance_recall": "inst R", "instance_f1": "inst F1",
}  # fmt: skip


class Command(BaseCommand):
    help = "Score a folder of 4-D (F, X, Y, Z) NIfTI predictions exactly as the ReXGroundingCT benchmark does."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dataset", type=Path, required=True, help="The data set's JSON, or one of its form.")
        parser.add_argument("--truth", type=Path, required=True, help="Folder with the reference masks.")
        parser.add_argument("--predictions", type=Path, required=True, help="Folder with masks of the same names.")
        parser.add_argument("--split", choices=rexgrounding.SPLITS, action="append", help="Only these.")
        parser.add_argument("--workers", type=int, default=max(1, min(8, os.cpu_count() or 1)))
        parser.add_argument("--report", type=Path, help="Write every number to this JSON file.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            entries = rexgrounding.read_json(options["dataset"])
        except rexgrounding.DatasetError as error:
            raise CommandError(str(error)) from error
        for folder in (options["truth"], options["predictions"]):
            if not folder.is_dir():
                raise CommandError(f"{folder} is not a folder.")
        if options["split"]:
            entries = [entry for entry in entries if entry.split in options["split"]]
        scores, left_out = self._score(entries, options)
        report = {
            **benchmark.summary(scores),
            "categories": benchmark.by_category(scores),
            "left_out": [{"name": one.name, "reason": one.reason} for one in left_out],
            "findings": [one.as_row() for one in scores],
        }
        if options["report"]:
            options["report"].write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        self._tell(report)
        if not scores:
            raise CommandError("No case could be scored; the reasons are above.")

    def _score(
        self, entries: list[rexgrounding.Entry], options: dict[str, Any]
    ) -> tuple[list[benchmark.FindingScore], list[benchmark.LeftOut]]:
        """Every case in children; results in the order of the JSON, whichever comes first."""
        scored: dict[int, list[benchmark.FindingScore] | benchmark.LeftOut] = {}
        tqdm.monitor_interval = 0  # its thread would be forked into the children
        with (
            ProcessPoolExecutor(options["workers"], mp_context=get_context("fork")) as pool,
            tqdm(total=len(entries), unit="case", disable=not sys.stderr.isatty(), file=sys.stderr) as bar,
        ):
            where = (options["truth"], options["predictions"])
            jobs = {pool.submit(benchmark.score_case, entry, *where): n for n, entry in enumerate(entries)}
            for job in as_completed(jobs):
                scored[jobs[job]] = job.result()
                bar.update()
        scores: list[benchmark.FindingScore] = []
        left_out = []
        for n in sorted(scored):
            one = scored[n]
            if isinstance(one, benchmark.LeftOut):
                left_out.append(one)
            else:
                scores += one
        return scores, left_out

    def _tell(self, report: dict[str, Any]) -> None:
        for one in report["left_out"]:
            self.stdout.write(f"left out: {one['name']}: {one['reason']}")
        self.stdout.write("category" + "".join(f"{title:>9}" for title in COLUMNS.values()))
        for code, row in [*report["categories"].items(), ("all", report)]:
            self.stdout.write(f"{code or 'none':8}" + "".join(f"{_shown(row[key]):>9}" for key in COLUMNS))
        self.stdout.write(
            f"{report['cases']} cases, {report['n']} findings, {len(report['left_out'])} left out. Dice and hit are of "
            "everything predicted; with small components dropped they are under “kept” in the report."
        )


def _shown(value: float | int | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"
