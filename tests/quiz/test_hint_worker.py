"""Real worker processes on a real database file: killed at any moment they lose nothing. And a real Redis."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.optional import required

ROOT = Path(__file__).resolve().parents[2]
LAUNCHER = [sys.executable, str(ROOT / "tests" / "fake_worker.py")]
SENTENCES = 12
PATIENCE_S = 120.0


class Site:
    """A database and store of their own, with the two tiny scans, and processes that work on them."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.environment = os.environ | {
            "SIGHTLINE_DATA": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}", "DEBUG": "1",
            "HINT_MODELS": "fake", "FAKE_LEASE": "1.0", "FAKE_SECONDS": "0.05", "LOG_LEVEL": "ERROR", **environment,
        }  # fmt: skip
        self.processes: list[subprocess.Popen] = []

    def call(self, *arguments: str) -> str:
        done = subprocess.run(
            [*LAUNCHER, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fail(self, *arguments: str) -> str:
        done = subprocess.run(
            [*LAUNCHER, *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        return done.stderr

    def python(self, code: str) -> str:
        return self.call("shell", "--no-imports", "-c", code)

    def start(self, *arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [*LAUNCHER, "hint_worker", "--poll", "0.05", *arguments], env=self.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def rows(self, query: str) -> list[tuple]:
        """Read without Django so that it takes no time."""
        import sqlite3

        with sqlite3.connect(self.environment["DATABASE_URL"].removeprefix("sqlite:///"), timeout=20) as base:
            return base.execute(query).fetchall()

    def states(self) -> dict[str, list]:
        """Sentence to [state, tries, reason]."""
        return {row[0]: list(row[1:]) for row in self.rows("select sentence, state, tries, reason from quiz_grounding")}

    def wait_until(self, settled) -> dict[str, list]:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if settled(states := self.states()):
                return states
            time.sleep(0.05)
        pytest.fail(f"this was still so after {PATIENCE_S} s: {json.dumps(self.states(), indent=1)}")

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, tiny_dataset) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder)
    site.call("migrate", "-v", "0")
    site.call("import_rexgroundingct", str(tiny_dataset), "-v", "0")
    return folder


@pytest.fixture
def site(prepared: Path, tmp_path: Path):
    folder = tmp_path / "site"
    shutil.copytree(prepared, folder)
    made = Site(folder)
    yield made
    made.end()


def ask(site: Site, sentences: list[str]) -> None:
    """Ask each of the sentences about one of the two scans in turn."""
    site.python(
        "from cases.models import Volume\nfrom quiz import jobs\nfrom tests.fake_engine import Fake\n"
        "model, volumes = jobs.register(Fake()), list(Volume.objects.all())\n"
        f"for n, sentence in enumerate({sentences!r}):\n"
        "    jobs.want_sentence(model, volumes[n % 2], sentence)"
    )


def all_over(states) -> bool:
    return all(state in ("done", "failed") for state, *_ in states.values())


def begun(states) -> bool:
    """Something is being worked on, or was: what lasts half a second may be over before it is looked at."""
    return any(state != "queued" for state, *_ in states.values())


@pytest.mark.parametrize("delay", [0.0, 0.12, 0.33])
def test_a_worker_killed_at_any_moment_loses_nothing(site, delay):
    """Killed as soon as it owns something, and while it works; then the next does all of it."""
    ask(site, [f"slow nodule {n} on the left" for n in range(SENTENCES)])
    worker = site.start()
    site.wait_until(begun)
    time.sleep(delay)  # a scan of six such sentences takes 0.3 s
    worker.send_signal(signal.SIGKILL)
    worker.wait(timeout=PATIENCE_S)
    site.start()
    states = site.wait_until(all_over)
    assert len(states) == SENTENCES
    assert {state for state, *_ in states.values()} == {"done"}


def test_two_workers_share_the_work_and_do_nothing_twice(site):
    site.environment["FAKE_LEASE"] = ""  # nobody dies here, and one that was only held up is not taken for dead
    ask(site, [f"slow nodule {n} on the left" for n in range(SENTENCES)])
    site.start(), site.start()
    states = site.wait_until(all_over)
    assert {(state, tries) for state, tries, _ in states.values()} == {("done", 1)}


def test_a_sentence_that_kills_its_worker_takes_no_other_with_it(site):
    ask(site, ["this kills on the left", "also here on the left", "nodule on the left", "nodule on the right"])
    for _ in range(12):  # somebody starts it again, as the demo does
        worker = site.start()
        site.wait_until(lambda states, worker=worker: worker.poll() is not None or all_over(states))
        if worker.poll() is None:
            break
        assert worker.returncode == -signal.SIGKILL
    states = site.states()
    assert states.pop("this kills on the left")[0] == "failed"
    assert {state for state, *_ in states.values()} == {"done"}


def test_an_engine_that_never_comes_back_ends_its_worker_and_the_work_goes_on(site):
    site.environment["HINT_SECONDS"] = "1"
    ask(site, ["this hangs"])
    worker = site.start()
    assert worker.wait(timeout=PATIENCE_S) == os.EX_TEMPFAIL
    (state, tries, reason) = site.states()["this hangs"]
    assert (state, tries) == ("queued", 1)
    assert "took longer" in reason


def test_make_hints_does_all_and_then_nothing(site):
    first = site.call("make_hints", "--model", "fake", "--category", "2d")
    assert "4 done, 0 failed" in first  # two nodule findings in each of the two scans
    rest = site.call("make_hints")
    assert "0 failed" in rest
    again = site.call("make_hints", "--missing")
    assert ", 0 queued now" in again
    assert {state for state, *_ in site.states().values()} == {"done"}


def test_make_hints_says_what_it_cannot_do(site):
    assert "There is no engine 'nothing'" in site.fail("make_hints", "--model", "nothing")
    assert "There is no category '9z'" in site.fail("make_hints", "--category", "9z")


# -- Redis ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def redis_url(tmp_path):
    """A Redis of this test's own, on a free port."""
    required("rq", "REQUIRE_REDIS")
    server = shutil.which("redis-server")
    if server is None:
        assert os.environ.get("REQUIRE_REDIS") != "1", (
            "redis-server is missing; run: sudo apt-get install -y redis-server"
        )
        pytest.skip("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answers_at(port, process)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def answers_at(port: int, process: subprocess.Popen) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("redis-server did not start")


def test_workers_are_rung_by_redis_and_one_that_is_killed_loses_nothing(site, redis_url):
    site.environment["HINT_REDIS_URL"] = redis_url
    ask(site, [f"slow nodule {n} on the left" for n in range(SENTENCES)])
    worker = site.start()
    site.wait_until(begun)
    worker.send_signal(signal.SIGKILL)
    worker.wait(timeout=PATIENCE_S)
    site.start("--kind", "cpu")
    states = site.wait_until(all_over)
    assert {state for state, *_ in states.values()} == {"done"}


def test_a_ring_is_heard_at_once(site, redis_url):
    site.environment |= {"HINT_REDIS_URL": redis_url, "FAKE_LEASE": "2400"}  # its own next look is ten minutes away
    worker = site.start()
    site.wait_until(lambda states: worker.poll() is not None or site.rows("select name from quiz_hintworker"))
    assert worker.poll() is None
    ask(site, ["nodule on the left"])
    site.wait_until(all_over)


def test_rings_that_redis_lost_are_rung_again(site, redis_url):
    ask(site, ["nodule on the left"])  # nobody could ring
    site.environment["HINT_REDIS_URL"] = redis_url
    site.start()
    site.wait_until(all_over)


def test_without_an_answer_from_redis_the_work_is_done_from_the_database(site):
    site.environment["HINT_REDIS_URL"] = "redis://127.0.0.1:9/0"  # nobody listens there
    ask(site, ["nodule on the left"])
    site.start()
    site.wait_until(all_over)
