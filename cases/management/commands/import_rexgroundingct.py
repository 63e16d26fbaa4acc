"""Import ReXGroundingCT with its CT-RATE volumes, as downloaded."""

import os
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from cases import imports
from cases.imaging import rexgrounding
from cases.imports import Job, Outcome
from cases.management.migrated import need_tables

GOOD = frozenset({"imported", "unchanged", "would be imported", "sound"})


class Command(BaseCommand):
    help = (
        "Import ReXGroundingCT (masks, JSON) with its CT-RATE volumes. Safe to repeat: what is unchanged is left alone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("root", type=Path, help="Folder with dataset.json and segmentations/.")
        parser.add_argument("--ct", type=Path, action="append", default=[], help="Folder with CTs; may be repeated.")
        parser.add_argument(
            "--split", choices=rexgrounding.SPLITS, action="append", help="Only these; may be repeated."
        )
        parser.add_argument("--limit", type=int, help="At most this many entries.")
        parser.add_argument("--workers", type=int, default=max(1, min(4, os.cpu_count() or 1)))
        parser.add_argument("--report", type=Path, help="Write the outcome of every entry to this JSON file.")
        parser.add_argument(
            "--trust", action="append", default=[], metavar="NAME",
            help="Take this entry although the content check holds it back; somebody has looked at it. May be repeated.",
        )  # fmt: skip
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--dry-run", action="store_true", help="Read headers only, write nothing, say what would be.")
        only.add_argument("--check", action="store_true", help="Re-read what is stored and compare checksums.")

    def handle(self, *args: Any, **options: Any) -> None:
        need_tables()
        root: Path = options["root"]
        try:
            entries = rexgrounding.read_entries(root)
        except rexgrounding.DatasetError as error:
            raise CommandError(str(error)) from error
        if options["split"]:
            entries = [entry for entry in entries if entry.split in options["split"]]
        entries = entries[: options["limit"]]
        started = time.monotonic()
        if options["check"]:
            steps: Iterator[Outcome] = imports.check([entry.stem for entry in entries])
        else:
            trusted = {name.removesuffix(".nii.gz") for name in options["trust"]}
            steps = self._import(list(imports.plan(entries, root, options["ct"], trusted=trusted)), options)
        outcomes = list(self._told(steps, len(entries)))
        seconds = time.monotonic() - started
        described = imports.summary(entries, outcomes, root)
        if options["verbosity"]:
            self._tell(described)
        counts = Counter(one.outcome for one in outcomes)
        told = ", ".join(f"{number} {what}" for what, number in sorted(counts.items())) or "nothing to import"
        self.stdout.write(f"{len(outcomes)} entries: {told} ({seconds:.0f} s)")
        if options["report"]:
            imports.write_report(options["report"], outcomes, described, seconds)
        if options["check"] and any(one.outcome == "damaged" for one in outcomes):
            raise CommandError("Some of what is stored is damaged; run the import again to store it anew.")
        if entries and not options["check"] and not any(one.outcome in GOOD for one in outcomes):
            raise CommandError("Nothing could be imported; the reasons are above.")

    def _import(self, planned: list[Outcome | Job], options: dict[str, Any]) -> Iterator[Outcome]:
        yield from (one for one in planned if isinstance(one, Outcome))
        jobs = [one for one in planned if isinstance(one, Job)]
        yield from imports.rehearse(jobs) if options["dry_run"] else imports.run(jobs, options["workers"])

    def _told(self, outcomes: Iterator[Outcome], total: int) -> Iterator[Outcome]:
        """A bar with rate and time left on a terminal; plain lines otherwise. What went wrong is always said."""
        terminal = sys.stderr.isatty()
        tqdm.monitor_interval = 0  # its thread would be forked into the children
        with tqdm(total=total, unit="scan", disable=not terminal, file=sys.stderr) as bar:
            for done, one in enumerate(outcomes, start=1):
                bar.update()
                line = f"[{done}/{total}] {one.name}: {one.outcome}" + (f". {one.reason}" if one.reason else "")
                if not terminal:
                    self.stdout.write(line)
                elif one.outcome not in GOOD:
                    bar.write(line, file=sys.stderr)
                yield one

    def _tell(self, described: dict) -> None:
        """The closing table: what the JSON lists, what is in the library now, what the authors published."""
        for name, release in described["release"].items():
            self.stdout.write(f"{name}: {release}")
        for split, part in described["splits"].items():
            scans = ", ".join(f"{number} {what}" for what, number in part["scans"].items())
            self.stdout.write(f"{split}: scans {scans}")
            here = ("listed", "in the library")
            rows = {code: n for code, n in part["findings"].items() if any(n[column] for column in here)}
            columns = (*here, "published")
            self.stdout.write("  findings" + "".join(f"{column:>16}" for column in columns))
            for code, counts in rows.items():
                self.stdout.write(f"  {code or 'none':8}" + "".join(f"{counts[column]:>16}" for column in columns))
