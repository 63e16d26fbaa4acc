"""How good a grounding model is on the findings imported here."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.management.migrated import need_tables
from cases.models import Finding, Split
from quiz import evaluations
from quiz.grounding import registry
from quiz.grounding.base import EngineUnavailable, Grounder

COLUMNS = {
    "n": "n", "patients": "patients", "dice_per_finding": "Dice", "dice_per_case": "by case", "hit_rate": "hit",
    "instance_precision": "inst P", "instance_recall": "inst R", "instance_f1": "inst F1",
}  # fmt: skip


class Command(BaseCommand):
    help = (
        "Ask a grounding model about findings with a reference and score it as the benchmark does. The headline is of "
        "exhaustively annotated findings only. The newest result is what hints say of the model; one of part of the findings "
        "(--category, --limit) is printed and not kept. The model is not made one that people are shown: workers do that."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--model", metavar="NAME", required=True, help="The engine.")
        parser.add_argument("--split", choices=Split.values, action="append", help="Only these; without it all.")
        parser.add_argument("--category", help="Only this category, such as 2d; not kept.")
        parser.add_argument("--limit", type=int, help="At most this many scans; not kept.")
        parser.add_argument(
            "--against", metavar="NAME", help="A second engine: how far it agrees, and what that tells."
        )
        parser.add_argument("--report", type=Path, help="Write every number to this JSON file.")

    def handle(self, *args: Any, **options: Any) -> None:
        need_tables()
        grounder = self._open(options["model"])
        other = self._open(options["against"]) if options["against"] else None
        findings = Finding.objects.usable().select_related("volume").order_by("volume__name", "channel")
        if options["split"]:
            findings = findings.filter(volume__split__in=options["split"])
        if options["category"]:
            findings = findings.filter(category=options["category"])
        volumes = list(dict.fromkeys(findings.values_list("volume", flat=True)))[: options["limit"]]
        if not volumes:
            raise CommandError("There is no such finding here.")
        running = evaluations.Running()
        with tqdm(total=len(volumes), unit="scan", disable=not sys.stderr.isatty(), file=sys.stderr) as bar:
            scans = evaluations.evaluate(grounder, findings.filter(volume__in=volumes), other=other)
            try:
                for n, (volume, so_far) in enumerate(scans, start=1):
                    running = so_far
                    bar.update()
                    if bar.disable:
                        self.stdout.write(f"[{n}/{len(volumes)}] {volume.name}")
            except EngineUnavailable as error:
                raise CommandError(f"{error} The evaluation ended there, and nothing of it is kept.") from error
        report = evaluations.described(running, other=other)
        if options["report"]:
            options["report"].write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        self._tell(report)
        if not running.seconds:  # not a single answer: rather not set up than bad
            raise CommandError("Nothing could be evaluated; the reasons are above.")
        if options["category"] or options["limit"]:
            self.stdout.write("Of part of the findings, so it is not kept: what hints and pages say stays as it was.")
        else:
            evaluations.keep(grounder, "+".join(options["split"] or []), report)

    def _open(self, name: str) -> Grounder:
        try:
            return registry.make(name, **settings.HINT_OPTIONS.get(name, {}))
        except EngineUnavailable as error:
            raise CommandError(str(error)) from error

    def _tell(self, report: dict[str, Any]) -> None:
        for one in report["left_out"]:
            self.stdout.write(f"left out: {one['name']}: {one['reason']}")
        for one in report["failed_on"]:
            self.stdout.write(f"failed on: {one['name']}: {one['sentence']}: {one['reason']}")
        for one in report["not_asked"]:
            self.stdout.write(f"not asked: {one['name']}: {one['sentence']}: {one['reason']}")
        for one in (report["against"] or {}).get("failed_on", []):
            self.stdout.write(f"no agreement: {one['name']}: {one['sentence']}: {one['reason']}")
        self.stdout.write("category" + "".join(f"{title:>9}" for title in COLUMNS.values()))
        for code, row in [*report["categories"].items(), ("all", report)]:
            self.stdout.write(f"{code:8}" + "".join(f"{_shown(row[key]):>9}" for key in COLUMNS))
        for name, passed in [*report["rungs"].items(), ("pointing", report["pointing"])]:
            self.stdout.write(f"{name:8} right in {_shown(passed['rate'])} of {passed['n']}")
        partial = report["partial"]
        if partial["n"]:
            self.stdout.write(
                f"{partial['n']} partly annotated findings apart: Dice {_shown(partial['dice_per_finding'])}, "
                f"share of the reference marked {_shown(partial['recall'])}"
            )
        seconds = report["seconds_per_scan"]["median"]
        memory = report["peak_memory_mb"]
        at_most = "memory not told: two engines shared it" if memory is None else f"{memory:.0f} MB at most"
        self.stdout.write(f"{_shown(seconds)} s a scan, {at_most}")


def _shown(value: float | int | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"
