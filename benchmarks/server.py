"""Fifty learners at once on one small server: waits of pages, slices, drafts and grades, errors, and what a case costs.

    .venv/bin/python benchmarks/server.py [--learners 50] [--seconds 60] [--folder DIR]

The server is the README's: gunicorn, two processes of four threads, SQLite. Everybody opens the same CT of 512 x 512 x 300
within the first tenth of the time, loads all of it, saves a growing draft every few seconds and submits. The limit beside
it: the same requests for bytes, answered by the same gunicorn from static files, with nobody to sign in or look up.
"""

import argparse
import http.client
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.viewer import stage
from cases.imaging import blocks, compact
from cases.imaging.masks import SparseMask

DRAFT_EVERY = 4.0
"""Seconds between drafts of somebody who paints all the time."""
Waits = dict[str, list[float]]


@dataclass
class Learner:
    """One person's browser: an address to keep alive, a cookie, and how long each kind of request took, in seconds."""

    port: int
    cookie: str = ""
    waits: Waits = field(default_factory=lambda: defaultdict(list))
    answers: Counter[str] = field(default_factory=Counter)
    connection: http.client.HTTPConnection | None = None
    last: float = 0.0

    def ask(self, kind: str, method: str, path: str, body: bytes | None = None, content_type: str = "") -> None:
        headers = {"Cookie": self.cookie, "Accept-Encoding": "gzip"}
        if body is not None:
            headers |= {"Content-Type": content_type, "X-CSRFToken": "c" * 32}
        began = time.monotonic()
        try:
            if self.connection is None or began - self.last > 1:  # the server hangs up on silence, as browsers know
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            response.read()
            code = str(response.status)
        except (OSError, http.client.HTTPException) as error:
            self.connection, code = None, type(error).__name__
        self.last = time.monotonic()
        self.waits[kind].append(self.last - began)
        self.answers[code] += 1


def work(
    learner: Learner, attempt: int, volume: int, count: int, drafts: list[bytes], start: float, stop: float
) -> None:
    """One case, from opening it to the grade. start, stop: by the monotonic clock."""
    rest(start)
    room, api = f"/attempts/{attempt}/", f"/api/v1/attempts/{attempt}/"
    learner.ask("page", "GET", room)
    learner.ask("manifest", "GET", f"/api/v1/volumes/{volume}/")
    learner.ask("first slice", "GET", f"/api/v1/volumes/{volume}/slices/150/")
    for n in range(count):
        learner.ask("block of 8 slices", "GET", f"/api/v1/volumes/{volume}/blocks/{n}/")
    painted = 0
    while time.monotonic() + DRAFT_EVERY < stop:
        body = drafts[min(painted, len(drafts) - 1)]
        learner.ask("draft", "PUT", f"{api}draft/?revision={painted}&writer=x", body, compact.CONTENT_TYPE)
        painted += 1
        rest(time.monotonic() + DRAFT_EVERY * random.uniform(0.7, 1.3))
    rest(stop)
    learner.ask("submit, graded", "POST", f"{api}submit/?confidence=3", drafts[-1], compact.CONTENT_TYPE)
    learner.ask("feedback", "GET", room)


def rest(until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))


def fetch(learner: Learner, paths: list[str], start: float) -> None:
    rest(start)
    for path in paths:
        learner.ask("static file of that size", "GET", path)


def run(threads: list[threading.Thread]) -> None:
    for one in threads:
        one.start()
    for one in threads:
        one.join()


@contextmanager
def processor_of(port: int) -> Iterator[list[float]]:
    """Seconds of processor that the server's processes used inside this block, in the list afterwards."""
    spent: list[float] = []
    before = _processor(port)
    yield spent
    spent.append(_processor(port) - before)


def _processor(port: int) -> float:
    """Of every process that was started to listen at this port."""
    total, tick = 0.0, os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").iterdir():
        try:
            if f"127.0.0.1:{port}".encode() in (folder / "cmdline").read_bytes():
                numbers = (folder / "stat").read_text().rsplit(")", 1)[1].split()
                total += (int(numbers[11]) + int(numbers[12])) / tick
        except OSError:
            continue
    return total


def told(learners: list[Learner]) -> None:
    kinds: Waits = defaultdict(list)
    for learner in learners:
        for kind, waits in learner.waits.items():
            kinds[kind] += waits
    for kind, waits in kinds.items():
        parts = statistics.quantiles(waits, n=100, method="inclusive")
        print(f"| {kind} | {len(waits)} | {1000 * parts[49]:.0f} | {1000 * parts[94]:.0f} | {1000 * max(waits):.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--learners", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sightline-server-benchmark")
    options = parser.parse_args()
    stage.prepare(options.folder, peers=False)
    from django.db import connection
    from django.test import Client

    from cases import storage
    from cases.models import Finding
    from quiz import attempts
    from quiz.models import User

    finding = Finding.objects.select_related("volume").get()
    volume = finding.volume
    truth = storage.load_truth(finding.truth_key)
    drafts = [compact.encode(part) for part in growing(truth)]
    opened = []
    for n in range(options.learners):
        person, _ = User.objects.get_or_create(username=f"learner{n}")
        client = Client()
        client.force_login(person)
        attempt = attempts.open_attempt(person, finding)
        opened.append((f"sessionid={client.cookies['sessionid'].value}; csrftoken={'c' * 32}", attempt.pk))
    connection.close()
    count = -(-volume.size_k // blocks.SLICES)
    files = [f"slices/{n:04d}.bin" for n in range(count)]
    site = options.folder / "peers" / "slices"
    site.mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(files):
        stored = storage.read_slices(volume.slices_key, blocks.within(n, volume.size_k))
        (site.parent / name).write_bytes(blocks.pack(stored))

    with stage.serving(options.folder) as ready:
        began = time.monotonic() + 1
        spread = options.seconds / 10
        learners = [Learner(ready.ours, cookie) for cookie, _ in opened]
        with processor_of(ready.ours) as spent:
            run([
                threading.Thread(
                    target=work,
                    args=(one, attempt, volume.pk, count, drafts, began + spread * n / len(opened), began + options.seconds),
                )
                for n, (one, (_, attempt)) in enumerate(zip(learners, opened, strict=True))
            ])  # fmt: skip
        took = time.monotonic() - began
        still = [Learner(ready.peers) for _ in opened]
        with processor_of(ready.peers) as spent_on_files:
            run([threading.Thread(target=fetch, args=(one, [f"/{name}" for name in files], 0.0)) for one in still])
    answers = sum((one.answers for one in learners), Counter[str]())
    print("| request | number | p50, ms | p95, ms | longest, ms |\n| --- | --- | --- | --- | --- |")
    told(learners)
    told(still)
    print(f"\nanswers: {dict(answers)}; {sum(answers.values()) / took:.0f} requests a second")
    print(f"processor of the server: {spent[0] / len(opened):.2f} s a learner; ", end="")
    print(f"for the files alone {spent_on_files[0] / len(opened):.2f} s")


def growing(truth: SparseMask) -> Iterator[SparseMask]:
    """The truth painted from its lowest slice upwards, in eight steps."""
    ks = truth.slices()
    for part in np.array_split(ks, min(8, len(ks))):
        yield truth.on_slices(ks[ks <= part[-1]]).union()


if __name__ == "__main__":
    main()
