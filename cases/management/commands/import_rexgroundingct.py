"""Import ReXGroundingCT with its CT-RATE volumes, as downloaded."""

import json
import os
import resource
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from tqdm import tqdm

from cases import ingest
from cases.imaging import rexgrounding

CHILD_MEMORY_BYTES = 6 * 1024**3
"""What one child process may take: a file that needs more costs its own entry, not the import."""


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

    def handle(self, *args: Any, **options: Any) -> None:
        root: Path = options["root"]
        try:
            entries = rexgrounding.read_entries(root)
        except rexgrounding.DatasetError as error:
            raise CommandError(str(error)) from error
        if options["split"]:
            entries = [entry for entry in entries if entry.split in options["split"]]
        entries = entries[: options["limit"]]
        outcomes = []
        started = time.monotonic()
        for outcome in self._progress(import_entries(entries, root, options["ct"], options["workers"]), len(entries)):
            outcomes.append(outcome)
        counts = Counter(outcome["outcome"] for outcome in outcomes)
        if options["report"]:
            report = {"seconds": round(time.monotonic() - started, 1), "counts": counts, "entries": outcomes}
            options["report"].write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        summary = ", ".join(f"{number} {what}" for what, number in sorted(counts.items())) or "nothing to import"
        self.stdout.write(f"{len(outcomes)} entries: {summary} ({time.monotonic() - started:.0f} s)")
        if entries and not counts["imported"] + counts["unchanged"]:
            raise CommandError("Nothing could be imported; the reasons are above.")

    def _progress(self, outcomes: Iterator[dict], total: int) -> Iterator[dict]:
        """A bar on a terminal; plain lines otherwise. Failures are always said."""
        terminal = sys.stderr.isatty()
        bar = tqdm(total=total, unit="scan", disable=not terminal, file=sys.stderr)
        with bar:
            for done, outcome in enumerate(outcomes, start=1):
                bar.update()
                line = f"[{done}/{total}] {outcome['name']}: {outcome['outcome']}"
                if outcome["reason"]:
                    line += f". {outcome['reason']}"
                if not terminal:
                    self.stdout.write(line)
                elif outcome["outcome"] in ("skipped", "failed"):
                    bar.write(line, file=sys.stderr)
                yield outcome


def import_entries(
    entries: list[rexgrounding.Entry], root: Path, folders: list[Path], workers: int
) -> Iterator[dict[str, Any]]:
    """Outcome of each entry as it is reached. Reading and compressing happen in children, rows are written here."""
    credits = rexgrounding.read_credits(root)
    waiting: list[tuple[rexgrounding.Entry, tuple[Any, ...]]] = []
    for entry in entries:
        ct, mask = (None, None) if entry.problem else (
            rexgrounding.locate_ct(root, folders, entry), rexgrounding.locate_mask(root, entry)
        )  # fmt: skip
        if entry.problem:
            yield _outcome(entry, "failed", entry.problem)
        elif mask is None:
            yield _outcome(entry, "skipped", "There is no reference mask for it.")
        elif ct is None:
            yield _outcome(entry, "skipped", "Its CT was not found; give the folder with --ct.")
        elif ingest.is_current(entry, mark := ingest.fingerprint(entry, ct, mask)):
            yield _outcome(entry, "unchanged", "")
        else:
            waiting.append((entry, (entry, ct, mask, mark, credits.get(entry.name, ("", "")))))
    yield from _run(waiting, workers)


def _run(waiting: list[tuple[rexgrounding.Entry, tuple[Any, ...]]], workers: int) -> Iterator[dict[str, Any]]:
    queue = list(reversed(waiting))
    connections.close_all()  # children must not share a connection
    while queue:
        running: dict[Future, rexgrounding.Entry] = {}
        with ProcessPoolExecutor(workers, mp_context=get_context("fork"), initializer=_limit_memory) as pool:
            while queue or running:
                while queue and len(running) < workers + 1:
                    entry, job = queue.pop()
                    running[pool.submit(_store, *job)] = entry
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                broken = False
                for future in done:
                    entry = running.pop(future)
                    broken = broken or isinstance(future.exception(), BrokenProcessPool)
                    yield _finish(entry, future)
                if broken:  # a child was killed: what ran beside it is lost with it, the rest goes on in a new pool
                    for future, entry in running.items():
                        yield _finish(entry, future)
                    break


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))


def _store(entry: rexgrounding.Entry, ct: Path, mask: Path, mark: str, credit: tuple[str, str]) -> Any:
    """Runs in a child: refusals come back as a sentence, because exceptions do not all survive the way."""
    started = time.monotonic()
    try:
        stored = ingest.store_volume(entry, ct, mask, mark=mark, credit=credit)
    except ingest.ImportRefused as error:
        return str(error), 0.0
    except MemoryError:
        return "It needs more memory than one import may take.", 0.0
    except OSError as error:
        return f"A file could not be read or written: {error.strerror or error}.", 0.0
    return stored, time.monotonic() - started


def _finish(entry: rexgrounding.Entry, future: Future) -> dict[str, Any]:
    try:
        stored, seconds = future.result()
    except BrokenProcessPool:
        return _outcome(entry, "failed", "The process that read it was killed; run the import again.")
    if isinstance(stored, str):
        return _outcome(entry, "failed", stored)
    try:
        _, warnings = ingest.record_volume(stored)
    except ingest.ImportRefused as error:
        return _outcome(entry, "failed", str(error))
    return _outcome(entry, "imported", "") | {"warnings": warnings, "seconds": round(seconds, 2)}


def _outcome(entry: rexgrounding.Entry, outcome: str, reason: str) -> dict[str, Any]:
    return {"name": entry.name, "split": entry.split, "outcome": outcome, "reason": reason, "warnings": []}
