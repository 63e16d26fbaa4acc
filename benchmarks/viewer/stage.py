"""What is measured and who serves it: one CT, imported into a store of its own and laid out for the peers, two servers."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PAGES = Path(__file__).resolve().parent / "pages"
SIZE = (512, 512, 300)  # as NIfTI counts: i, j, k
OURS, PEERS = "quiz.wsgi", "benchmarks.viewer.peer_site"
SCRIPTS = ("niivue", "cornerstone")
LOGGED = re.compile(r"^(\d+) (\S+)$")


@dataclass(frozen=True)
class Stage:
    """Two servers on loopback, the room's address and the cookie that opens it."""

    room: str
    session: str
    ours: int
    peers: int
    logs: dict[int, Path]

    def sent(self, port: int) -> list[tuple[int, str]]:
        """What a server has sent so far: bytes of each body, as encoded, and path."""
        lines = (LOGGED.match(line) for line in self.logs[port].read_text().splitlines())
        return [(int(line[1]), line[2]) for line in lines if line]


def prepare(data: Path, size: tuple[int, int, int] = SIZE, *, peers: bool = True) -> None:
    """The scan, its import and, for comparisons, the peers' folder below data; what is there already is kept."""
    os.environ |= {
        "SIGHTLINE_DATA": str(data), "SECRET_KEY": "benchmark " * 8, "DJANGO_SETTINGS_MODULE": "quiz.settings",
        "HINTS_AT_IMPORT": "off",
    }  # fmt: skip
    import django

    django.setup()
    from django.core.management import call_command

    call_command("collectstatic", interactive=False, verbosity=0)
    if (data / "prepared").exists():
        return
    from benchmarks.import_speed import make

    (data / "rex").mkdir(parents=True, exist_ok=True)
    make(data / "rex", size, 1)
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("import_rexgroundingct", str(data / "rex"))
    if peers:
        _lay_out_for_peers(data)
    (data / "prepared").touch()


def _lay_out_for_peers(data: Path) -> None:
    """The .nii.gz; every slice raw and gzipped; the scripts, bundled; everything compressed as our own files are."""
    from cases import storage
    from cases.models import Volume

    site = data / "peers"
    (site / "slices").mkdir(parents=True)
    shutil.copy(next((data / "rex/ct").rglob("*.nii.gz")), site / "volume.nii.gz")
    volume = Volume.objects.get()
    (site / "volume.json").write_text(json.dumps({"size": volume.size, "spacing_mm": volume.spacing_mm}))
    for k, plane in enumerate(storage.load_voxels(volume.slices_key, volume.size)):
        (site / f"slices/{k:04d}.bin").write_bytes(plane.astype(np.dtype("<i2")).tobytes())
    build = data / "build"
    shutil.copytree(PAGES, build)
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--legacy-peer-deps", "--loglevel=error"], cwd=build, check=True
    )
    for name in SCRIPTS:
        bundle = ["npx", "esbuild", f"{name}.js", "--bundle", "--minify", "--format=esm", "--platform=browser"]
        stubs = ["--define:global=globalThis", "--external:fs", "--external:path", "--loader:.wasm=file"]
        subprocess.run([*bundle, *stubs, f"--outdir={site}", "--log-level=error"], cwd=build, check=True)
        (site / f"{name}.html").write_text((PAGES / "page.html").read_text().replace("SCRIPT", f"{name}.js"))
    subprocess.run([sys.executable, "-m", "whitenoise.compress", "-q", str(site)], check=True)


@contextmanager
def serving(data: Path, *, peers: bool = True) -> Iterator[Stage]:
    with ExitStack() as stack:
        logs: dict[int, Path] = {}
        for app in (OURS, PEERS) if peers else (OURS,):
            port = _free_port()
            logs[port] = data / f"{port}.log"
            logs[port].touch()
            stack.enter_context(_gunicorn(app, port, logs[port], data))
        ours, *others = logs
        theirs = others[0] if others else ours
        room, session = _attempt()
        _warm(f"http://127.0.0.1:{ours}{room}", session)
        yield Stage(room, session, ours, theirs, logs)


@contextmanager
def _gunicorn(app: str, port: int, log: Path, data: Path) -> Iterator[None]:
    """As the README says to run it."""
    gunicorn = Path(sys.executable).with_name("gunicorn")
    how = ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--preload", "--log-level", "error"]
    where = [
        "--bind",
        f"127.0.0.1:{port}",
        "--access-logfile",
        str(log),
        "--access-logformat",
        "%({content-length}o)s %(U)s",
    ]
    server = subprocess.Popen(
        [gunicorn, app, *how, *where], cwd=ROOT, env=os.environ | {"PEER_SITE": str(data / "peers")}
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def _warm(address: str, session: str) -> None:
    """Every worker's first page costs it seconds of imports and templates: a server that has been up has them behind it."""
    request = urllib.request.Request(address, headers={"Cookie": f"sessionid={session}"})
    for _ in range(8):
        with urllib.request.urlopen(request) as response:
            response.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _attempt() -> tuple[str, str]:
    """A trainee who is signed in and has opened the finding: the room's path and the session's key."""
    from django.test import Client

    from cases.models import Finding
    from quiz import attempts
    from quiz.models import User

    trainee, _ = User.objects.get_or_create(username="benchmark")
    client = Client()
    client.force_login(trainee)
    attempt = attempts.open_attempt(trainee, Finding.objects.get())
    return f"/attempts/{attempt.pk}/", client.cookies["sessionid"].value
