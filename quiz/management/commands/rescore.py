"""Grade attempts again whose scorer or truth has changed."""

import json
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from cases.management.migrated import need_tables
from quiz import grading, opinions
from quiz.grading import Regraded
from quiz.models import Attempt
from quiz.scoring.rules import SCORER_VERSION


class Command(BaseCommand):
    help = "Grade attempts again whose scorer or truth version is old. Old grades are kept; safe to stop and repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Change nothing; say what would change.")
        parser.add_argument("--all", action="store_true", help="Every attempt, also those graded by the present rules.")
        parser.add_argument("--report", type=Path, help="Write every grade before and after to this JSON file.")

    def handle(self, *args: Any, **options: Any) -> None:
        need_tables()
        chosen = Attempt.objects.submitted() if options["all"] else grading.outdated_attempts()
        # By finding, so that what the system keeps of a truth file is used while it is there.
        ids = list(chosen.order_by("finding_id", "pk").values_list("pk", flat=True))
        rows = []
        with tqdm(total=len(ids), unit="attempt", disable=not sys.stderr.isatty(), file=sys.stderr) as bar:
            for pk in ids:
                attempt = Attempt.objects.select_related("finding__volume").get(pk=pk)
                rows.append(grading.regrade(attempt, write=not options["dry_run"]))
                if not (options["dry_run"] or rows[-1].problem):
                    attempt.refresh_from_db()
                    opinions.judge_again(attempt)
                bar.update()
        summary = _summary(rows)
        self._tell(rows, summary, dry=options["dry_run"])
        if options["report"]:
            report = {
                "scorer_version": SCORER_VERSION,
                "dry_run": options["dry_run"],
                **summary,
                "attempts": [asdict(row) for row in rows],
            }
            options["report"].write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")

    def _tell(self, rows: Sequence[Regraded], summary: dict[str, Any], *, dry: bool) -> None:
        for row in rows:
            if row.problem:
                self.stdout.write(f"attempt {row.attempt}: {row.problem}")
        for code, part in summary["categories"].items():
            self.stdout.write(
                f"{code:4}{part['graded']:6} graded, mean score {_shown(part['mean_before'])} -> "
                f"{_shown(part['mean_after'])}, {part['changed']} changed by a point or more"
            )
        for (before, after), n in sorted(Counter(_verdicts(rows)).items()):
            self.stdout.write(f"{n} from {before} to {after}")
        done = "would be graded again" if dry else "graded again"
        self.stdout.write(
            f"{summary['graded']} {done} by version {SCORER_VERSION}, {summary['problems']} left as they are."
        )


def _verdicts(rows: Sequence[Regraded]) -> list[tuple[str, str]]:
    pairs = [(row.before["verdict"], row.after["verdict"]) for row in rows if not row.problem]
    return [pair for pair in pairs if pair[0] != pair[1]]


def _summary(rows: Sequence[Regraded]) -> dict[str, Any]:
    graded = [row for row in rows if not row.problem]
    codes = sorted({row.category for row in graded})
    return {
        "graded": len(graded),
        "problems": len(rows) - len(graded),
        "categories": {code: _compared([row for row in graded if row.category == code]) for code in codes},
    }


def _compared(rows: Sequence[Regraded]) -> dict[str, Any]:
    pairs = [(row.before["score"], row.after["score"]) for row in rows]
    return {
        "graded": len(rows),
        "mean_before": _mean([before for before, _ in pairs]),
        "mean_after": _mean([after for _, after in pairs]),
        "changed": sum((a is None) != (b is None) or abs((a or 0) - (b or 0)) >= 1 for a, b in pairs),
    }


def _mean(scores: Sequence[float | None]) -> float | None:
    judged = [score for score in scores if score is not None]
    return round(sum(judged) / len(judged), 2) if judged else None


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"
