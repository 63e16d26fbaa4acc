"""A real Firefox, driven by its own remote protocol (Marionette): length-prefixed JSON over a socket on loopback."""

import contextlib
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREFERENCES = {
    "marionette.port": 0,  # any that is free; it is written into the profile
    "app.update.disabledForTesting": True,
    "browser.startup.page": 0,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
START_S = 180
SCRIPT_MS = 120_000


class Firefox:
    """One window. Raises RuntimeError with Firefox's own words where a command fails."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._said, self._count = connection, b"", 0
        self._hear()  # who it is
        self("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})
        self("WebDriver:SetTimeouts", script=SCRIPT_MS, pageLoad=SCRIPT_MS)

    def __call__(self, command: str, **parameters: object) -> Any:
        self._count += 1
        data = json.dumps([0, self._count, command, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(data), data))
        _, _, error, result = self._hear()
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result.get("value") if isinstance(result, dict) and "value" in result else result

    def _hear(self) -> Any:
        while b":" not in self._said:
            self._said += self._more()
        length, _, self._said = self._said.partition(b":")
        while len(self._said) < int(length):
            self._said += self._more()
        message, self._said = self._said[: int(length)], self._said[int(length) :]
        return json.loads(message)

    def _more(self) -> bytes:
        data = self._connection.recv(65536)
        if not data:
            raise RuntimeError("Firefox closed the connection.")
        return data

    def open(self, url: str) -> None:
        self("WebDriver:Navigate", url=url)

    def run(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        script = (
            f"const done = arguments[arguments.length - 1]; Promise.resolve({expression})"
            ".then((value) => done(value ?? null), (error) => done({ failed: String(error) }));"
        )
        return self("WebDriver:ExecuteAsyncScript", script=script, args=[])

    def until(self, expression: str) -> None:
        end = time.monotonic() + SCRIPT_MS / 1000
        while not self.run(expression):
            if time.monotonic() > end:
                raise AssertionError(f"this never came true: {expression}")
            time.sleep(0.1)

    def click(self, x: float, y: float) -> None:
        """With a real mouse, in the middle of a CSS pixel's neighbourhood."""
        moved = {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0, "origin": "viewport"}
        pressed = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": [moved, *pressed]}
        self("WebDriver:PerformActions", actions=[mouse])
        self("WebDriver:ReleaseActions")


@contextlib.contextmanager
def firefox(path: str) -> Iterator[Firefox]:
    """A fresh profile each time, no screen."""
    with tempfile.TemporaryDirectory() as profile:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        command = [
            path,
            "--headless",
            "--marionette",
            "--no-remote",
            "--profile",
            profile,
            "--width=1366",
            "--height=768",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with socket.create_connection(("127.0.0.1", _port(Path(profile), process))) as connection:
                connection.settimeout(2 * SCRIPT_MS / 1000)
                yield Firefox(connection)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _port(profile: Path, process: subprocess.Popen) -> int:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int((profile / "MarionetteActivePort").read_text())
        time.sleep(0.2)
    raise RuntimeError("Firefox did not come up.")
