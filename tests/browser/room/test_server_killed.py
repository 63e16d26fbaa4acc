"""The web server itself, as the README starts it, killed in the middle of an attempt and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.browser.room import scan
from tests.browser.room.room import Room

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[3]
A, B, C = (6, 12, 8), (6, 5, 5), (6, 25, 15)
OPENED = """
from django.contrib.auth import get_user_model
from django.test import Client
from cases.models import Finding
from quiz import attempts
user = get_user_model().objects.create_user("trainee", password="a long enough password")
client = Client()
client.force_login(user)
finding = Finding.objects.filter(volume__split="val").first()
print(attempts.open_attempt(user, finding, mode="volume").pk, client.cookies["sessionid"].value)
"""


class Server:
    """Gunicorn with two workers on a database and a store of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = os.environ | {
            "SIGHTLINE_DATA": str(folder), "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}", "DEBUG": "1",
            "DJANGO_SETTINGS_MODULE": "quiz.settings", "HINTS_AT_IMPORT": "off",
        }  # fmt: skip
        self.process: subprocess.Popen | None = None

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        gunicorn = Path(sys.executable).with_name("gunicorn")
        how = ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--preload", "--log-level", "error"]
        self.process = subprocess.Popen(
            [gunicorn, "quiz.wsgi", *how, "--bind", f"127.0.0.1:{self.port}"],
            cwd=ROOT, env=self.environment, start_new_session=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 180
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        pytest.fail("the server did not start")

    def kill(self) -> None:
        """Master and workers at once, with no chance to finish anything."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "data")
    yield server
    server.kill()


def test_painting_outlives_the_server(server, chromium, tmp_path):
    server.manage("migrate", "--verbosity=0")
    server.manage("createcachetable", "--verbosity=0")
    server.manage("import_rexgroundingct", str(scan.write(tmp_path / "scan")))
    attempt, session = server.manage("shell", "--no-imports", "-c", OPENED).split()
    server.start()
    site = SimpleNamespace(url=f"http://127.0.0.1:{server.port}", browser=chromium)
    room = Room(site, SimpleNamespace(pk=int(attempt)), session, expected=("ERR_CONNECTION", "ERR_EMPTY_RESPONSE"))
    room.open()
    room.of("brushMm = 1")
    room.click(*A)
    room.page.wait_for_selector("[data-out=saved]:has-text('Draft saved')")
    server.kill()
    room.click(*B)
    room.page.wait_for_selector("[data-draft-notice]:has-text('No connection. Paint on')")
    room.click(*C)
    server.start()
    room.page.wait_for_selector("[data-out=saved]:has-text('Draft saved')")
    assert room.page.locator("[data-draft-notice]").inner_text() == ""
    # Another device: what it shows is what the server has.
    other = Room(site, SimpleNamespace(pk=int(attempt)), session)
    other.open()
    assert other.painted() == {A, B, C}
    server.kill()  # once more, while the answer is on its way
    room.action("submit")
    room.page.wait_for_selector("[role=status]:has-text('Your answer is kept and will be sent')")
    server.start()
    room.page.wait_for_selector("[data-feedback]")
    assert room.painted() == {A, B, C}
    assert room.problems == []
    room.close(), other.close()
