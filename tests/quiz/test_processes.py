"""What the demo starts: children that die with it, however it dies, and a worker that comes back when it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
CHILD = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(600)"


@pytest.fixture
def started(tmp_path):
    server, helper = tmp_path / "server", tmp_path / "helper"
    commands = [[sys.executable, "-c", CHILD, str(place)] for place in (server, helper)]
    code = (
        "from quiz import processes; processes.AGAIN_SECONDS = 0.1; import sys;"
        f"sys.exit(processes.run_together({commands[0]!r}, [{commands[1]!r}]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    yield parent, lambda: pids(server), lambda: pids(helper)
    parent.kill()
    parent.wait()


def pids(place: Path) -> list[int]:
    return [int(line) for line in place.read_text().split()] if place.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def until(true):
    end = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > end:
            pytest.fail(f"it did not come true within {PATIENCE_S} seconds")
        time.sleep(0.05)


def test_a_helper_that_is_killed_comes_back_and_all_end_in_good_order(started):
    parent, server, helper = started
    until(lambda: server() and helper())
    os.kill(helper()[0], signal.SIGKILL)
    until(lambda: len(helper()) == 2)
    assert alive(server()[0])
    parent.terminate()
    assert parent.wait(timeout=PATIENCE_S) == 0
    assert not any(alive(pid) for pid in [*server(), *helper()])


def test_children_die_with_a_parent_that_is_killed(started):
    parent, server, helper = started
    until(lambda: server() and helper())
    parent.kill()
    until(lambda: not any(alive(pid) for pid in [*server(), *helper()]))


def test_when_the_server_ends_so_does_the_rest(started):
    parent, server, helper = started
    until(lambda: server() and helper())
    os.kill(server()[0], signal.SIGKILL)
    assert parent.wait(timeout=PATIENCE_S) != 0
    assert not alive(helper()[0])
