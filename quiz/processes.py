"""A server and its helpers as children of one process: they die with it, and a helper that dies is started again."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from types import FrameType

AGAIN_SECONDS = 1.0
LONGEST_AGAIN_SECONDS = 30.0
GRACE_SECONDS = 8.0

_PR_SET_PDEATHSIG = 1


def run_together(server: Sequence[str], helpers: Sequence[Sequence[str]]) -> int:
    """Run a server until it ends or this process is told to end. Returns the server's exit status.

    Told to end (SIGTERM, SIGINT) it ends the children in good order; killed outright, the kernel ends them.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True)

    def die_with_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the kernel could be asked
            os._exit(1)

    def start(command: Sequence[str]) -> subprocess.Popen:
        return subprocess.Popen(list(command), preexec_fn=die_with_parent)  # noqa: S603 - our own commands

    ending = False

    def end(signum: int, frame: FrameType | None) -> None:
        nonlocal ending
        ending = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    main = start(server)
    others = [_Helper(list(command), start) for command in helpers]
    while main.poll() is None and not ending:
        for helper in others:
            helper.look_after()
        time.sleep(0.2)
    everybody = [main, *(helper.process for helper in others)]
    for process in everybody:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in everybody:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return 0 if ending else main.returncode


class _Helper:
    """A process that is started again when it ends: at once, then after longer and longer while it keeps ending."""

    def __init__(self, command: list[str], start: Callable[[Sequence[str]], subprocess.Popen]) -> None:
        self.command, self.start = command, start
        self.process: subprocess.Popen = start(command)
        self.began, self.wait = time.monotonic(), AGAIN_SECONDS
        self.again_at: float | None = None

    def look_after(self) -> None:
        now = time.monotonic()
        if self.process.poll() is None:
            return
        if self.again_at is None:
            lived_long = now - self.began > 2 * LONGEST_AGAIN_SECONDS
            self.wait = AGAIN_SECONDS if lived_long else min(LONGEST_AGAIN_SECONDS, 2 * self.wait)
            self.again_at = now + (AGAIN_SECONDS if lived_long else self.wait / 2)
        elif now >= self.again_at:
            self.process, self.began, self.again_at = self.start(self.command), now, None
