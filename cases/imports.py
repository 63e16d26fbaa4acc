"""A data set in: which entries need work, children that read them, rows as they come back.

One bad file costs one entry. Children may be killed, run out of memory or time; the rest goes on, and what was lost is
tried once more on its own, so that only the entry at fault fails.
"""

import json
import resource
import signal
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

from django.db import connections
from django.db.models import Count

from cases import ingest, storage
from cases.imaging import metadata, published, rexgrounding
from cases.imaging.rexgrounding import Entry, Source
from cases.models import Finding, Volume

CHILD_MEMORY_BYTES = 8 * 1024**3
"""What one child may take: a file that needs more costs its own entry, not the import."""

CHILD_SECONDS = 900
"""How long one entry may take before it is given up; the largest of the data set take well under a minute."""


@dataclass(frozen=True)
class Outcome:
    """What became of one entry: imported, unchanged, skipped (files missing), held back (content check) or failed."""

    name: str
    split: str
    outcome: str
    reason: str = ""
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """An entry to import, with all that a child needs to know."""

    entry: Entry
    source: Source
    mark: str
    credit: tuple[str, str]
    trusted: bool


class _TooSlow(Exception):
    pass


def plan(
    entries: Sequence[Entry], root: Path, folders: Sequence[Path], *, trusted: Collection[str] = ()
) -> Iterator[Outcome | Job]:
    """For each entry either what is already clear about it, or the job to be done. Reads no file's content."""
    credits = rexgrounding.read_credits(root)
    tables = metadata.read_metadata([root, *folders], {entry.name for entry in entries})
    unfinished = rexgrounding.unfinished_downloads([root, root / "ct", *folders])
    marks = dict(Volume.objects.values_list("name", "source__fingerprint"))
    for entry in entries:
        source = None if entry.problem else _source(entry, root, folders, tables, unfinished)
        if entry.problem or source is None:
            yield _outcome(entry, "failed", entry.problem)
        elif isinstance(source, str):
            yield _outcome(entry, "skipped", source)
        elif marks.get(entry.stem) == (mark := ingest.fingerprint(entry, source)):
            yield _outcome(entry, "unchanged")
        else:
            yield Job(entry, source, mark, credits.get(entry.name, rexgrounding.CREDIT), entry.stem in trusted)


def _source(
    entry: Entry,
    root: Path,
    folders: Sequence[Path],
    tables: dict[str, metadata.ScanMetadata],
    unfinished: Collection[str],
) -> Source | str:
    """The entry's files, or why it is skipped."""
    mask, ct = rexgrounding.locate_mask(root, entry), rexgrounding.locate_ct(root, folders, entry)
    if mask and ct:
        return Source(ct[0], mask, old=ct[1], metadata=tables.get(entry.name))
    if entry.name in unfinished:
        return "Its download was begun and not finished; download it again."
    return "Its CT was not found; give the folder with --ct." if mask else "There is no reference mask for it."


def rehearse(jobs: Iterable[Job]) -> Iterator[Outcome]:
    """What the headers alone say of each job; writes nothing."""
    for job in jobs:
        try:
            ingest.check_headers(job.entry, job.source)
        except ingest.ImportRefused as error:
            yield _outcome(job.entry, "failed", str(error))
        else:
            yield _outcome(job.entry, "would be imported")


def run(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Import each job. Reading and compressing happen in children, rows are written here."""
    storage.sweep()
    connections.close_all()  # children must not share a connection
    waiting, suspects = deque(jobs), deque[Job]()
    while waiting:
        yield from _with_pool(waiting, workers, suspects)
    while suspects:  # each in a pool of its own: who breaks it now is at fault
        alone = deque([suspects.popleft()])
        yield from _with_pool(alone, 1, None)


def _with_pool(waiting: deque[Job], workers: int, suspects: deque[Job] | None) -> Iterator[Outcome]:
    """Work through ``waiting`` until it is empty or a child dies; jobs lost with it go to ``suspects``, or fail."""
    running: dict[Future, Job] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("fork"), initializer=_limit_memory) as pool:
        while waiting or running:
            while waiting and len(running) < workers + 1:
                job = waiting.popleft()
                running[pool.submit(_store, job)] = job
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            broken = any(isinstance(future.exception(), BrokenProcessPool) for future in done)
            for future in running.copy() if broken else done:
                job = running.pop(future)
                if not isinstance(future.exception(), BrokenProcessPool):
                    yield _finish(job, future.result())
                elif suspects is None:
                    yield _outcome(job.entry, "failed", "The process that read it was killed, twice; is memory short?")
                else:
                    suspects.append(job)
            if broken:
                return


def _limit_memory() -> None:
    signal.signal(signal.SIGALRM, _give_up)
    resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))


def _give_up(signum: int, frame: object) -> None:
    raise _TooSlow


def _store(job: Job) -> ingest.StoredVolume | tuple[str, str]:
    """Runs in a child: refusals come back as (outcome, sentence), because exceptions do not all survive the way."""
    signal.alarm(CHILD_SECONDS)
    try:
        return ingest.store_volume(job.entry, job.source, mark=job.mark, credit=job.credit, trusted=job.trusted)
    except ingest.HeldBack as error:
        return "held back", str(error)
    except ingest.ImportRefused as error:
        return "failed", str(error)
    except _TooSlow:
        return "failed", f"It took more than {CHILD_SECONDS / 60:.0f} minutes and was given up."
    except MemoryError:
        return "failed", f"It needs more than the {CHILD_MEMORY_BYTES / 1024**3:.0f} GB of memory one entry may take."
    except OSError as error:
        return "failed", f"A file could not be read or written: {error.strerror or error}."
    finally:
        signal.alarm(0)


def _finish(job: Job, stored: ingest.StoredVolume | tuple[str, str]) -> Outcome:
    if isinstance(stored, tuple):
        return _outcome(job.entry, *stored)
    started = time.monotonic()
    try:
        _, warnings = ingest.record_volume(stored)
    except ingest.ImportRefused as error:
        return _outcome(job.entry, "failed", str(error))
    seconds = stored.seconds | {"rows": round(time.monotonic() - started, 3)}
    return Outcome(job.entry.name, job.entry.split, "imported", "", warnings, seconds)


def _outcome(entry: Entry, outcome: str, reason: str = "") -> Outcome:
    return Outcome(entry.name, entry.split, outcome, reason)


def check(names: Collection[str]) -> Iterator[Outcome]:
    """Re-read what is stored of the named volumes and compare checksums. What is damaged is stored again next time."""
    for volume in Volume.objects.filter(name__in=names).prefetch_related("findings").iterator(chunk_size=100):
        if problems := ingest.problems(volume):
            ingest.store_again(volume)
        yield Outcome(f"{volume.name}.nii.gz", volume.split, "damaged" if problems else "sound", " ".join(problems))


def summary(entries: Sequence[Entry], outcomes: Sequence[Outcome], root: Path) -> dict:
    """Scans and findings per split and category: as listed in the JSON, as now in the library, as published."""
    found = Finding.objects.usable().filter(volume__name__in=[entry.stem for entry in entries if not entry.problem])
    stored = Counter({(s, c): n for s, c, n in found.values_list("volume__split", "category").annotate(Count("pk"))})
    listed = Counter((entry.split, one.category) for entry in entries for one in entry.sentences)
    release = "challenge" if (root / rexgrounding.JSON_FILES[0]).is_file() else "base"
    done = Counter((one.split, one.outcome) for one in outcomes)
    splits = {}
    for split in sorted({entry.split for entry in entries}, key=rexgrounding.SPLITS.index):
        expected = published.FINDINGS[release][split]
        codes = sorted({code for s, code in [*listed, *stored] if s == split} | set(expected))
        splits[split] = {
            "scans": {
                "listed": sum(entry.split == split for entry in entries),
                "published": published.SCANS[release][split],
                **{outcome: n for (s, outcome), n in sorted(done.items()) if s == split},
            },
            "findings": {
                code: {
                    "listed": listed[split, code],
                    "in the library": stored[split, code],
                    "published": expected.get(code, 0),
                }
                for code in codes
            },
        }
    return {"release": rexgrounding.releases(root), "splits": splits}


def write_report(path: Path, outcomes: Sequence[Outcome], described: dict, seconds: float) -> None:
    """The report as JSON: what became of every entry, with reason and timings."""
    counts = Counter(one.outcome for one in outcomes)
    report = {"seconds": round(seconds, 1), "counts": counts, **described, "entries": [asdict(one) for one in outcomes]}
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
