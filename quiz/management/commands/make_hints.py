"""Have a grounding model mark every finding, ahead of the people who will ask for a hint."""

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases.management.migrated import need_tables
from cases.models import Category, Finding
from quiz import jobs
from quiz.grounding import registry
from quiz.hint_worker import Worker, engine_names
from quiz.models import Grounding, HintModel, Work


class Command(BaseCommand):
    help = (
        "Queue findings for a grounding model and work them off, beside any workers that run. What is done is left "
        "alone, so it may be stopped, killed and repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--model", metavar="NAME", help="The engine; without it the best that can run here.")
        parser.add_argument("--missing", action="store_true", help="Leave alone also what has been tried and failed.")
        parser.add_argument("--limit", type=int, help="At most this many findings.")
        parser.add_argument("--category", help="Only this category, such as 2d.")
        parser.add_argument("--queue-only", action="store_true", help="Leave the work to workers.")

    def handle(self, *args: Any, **options: Any) -> None:
        need_tables()
        if options["model"] and options["model"] not in registry.names():
            known = ", ".join(registry.names()) or "none"
            raise CommandError(f"There is no engine {options['model']!r}; there are: {known}.")
        if options["category"] and not Category.objects.filter(pk=options["category"], annotated=True).exists():
            raise CommandError(f"There is no category {options['category']!r} with masks.")
        worker = Worker()
        names = [options["model"]] if options["model"] else engine_names(None)
        worker.open(names, only_first=True)
        if not worker.engines:
            reasons = " ".join(f"{name}: {sentence}" for name, sentence in worker.refused.items())
            raise CommandError(f"No engine can run here. {reasons}".strip())
        model = next(iter(worker.models.values()))
        asked = Finding.objects.usable().select_related("volume").order_by("volume__name", "channel")
        if options["category"]:
            asked = asked.filter(category_id=options["category"])
        if options["missing"]:
            asked = asked.exclude(groundings__in=Grounding.objects.filter(model=model, state=Work.FAILED))
        findings = list(asked[: options["limit"]])
        queued = jobs.want(model, findings, failed_too=not options["missing"])
        self.stdout.write(f"{model}: {len(findings)} findings, {queued} queued now")
        if options["queue_only"]:
            return
        with worker:
            self._work(worker, model, {finding.pk for finding in findings})
        self._tell(model, {finding.pk for finding in findings})

    def _work(self, worker: Worker, model: HintModel, keys: set[int]) -> None:
        """Until nothing is left to do, also what other workers are doing."""
        total = _left(model, keys)
        terminal = sys.stderr.isatty()
        with tqdm(total=total, unit="finding", disable=not terminal, file=sys.stderr) as bar:
            left, told = total, total
            while left:
                if not worker.step():
                    time.sleep(0.5)
                left = _left(model, keys)
                bar.update(total - left - bar.n)
                if not terminal and left != told:
                    self.stdout.write(f"[{total - left}/{total}]")
                    told = left
                if not worker.engines:
                    raise CommandError("; ".join(worker.refused.values()))

    def _tell(self, model: HintModel, keys: set[int]) -> None:
        rows = Grounding.objects.filter(model=model).exclude(finding=None).select_related("volume")
        mine = [row for row in rows if row.finding_id in keys]
        failed = [row for row in mine if row.state == Work.FAILED]
        self.stdout.write(f"{sum(row.is_done for row in mine)} done, {len(failed)} failed")
        for row in failed[:20]:
            self.stdout.write(f"  {row.volume.name}: {row.sentence[:60]}: {row.reason}")


def _left(model: HintModel, keys: set[int]) -> int:
    """How many of these findings are still waiting or being worked on."""
    rows = Grounding.objects.filter(model=model, state__in=(Work.QUEUED, Work.RUNNING))
    return sum(pk in keys for pk in rows.exclude(finding=None).values_list("finding_id", flat=True))
