"""VoxTell on another machine: the package's own server, used as a GPU appliance behind our queue.

The server keeps scans and jobs in its memory only, works on one job at a time and forgets everything when it restarts. So
one job at a time is sent to each address, a scan is sent again if the server no longer knows it, and a server that is away
is waited for, for a while. It sends masks and no probabilities.
"""

import fcntl
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.masks import from_dense
from quiz.grounding.base import EngineError, EngineUnavailable, Grounding, GroundingCancelled, Progress
from quiz.grounding.reader_order import from_reader, nifti_bytes
from quiz.grounding.voxtell import LICENCE, can_be_asked, marked, unasked
from quiz.grounding.voxtell_bank import key
from quiz.grounding.voxtell_wire import unpack

SECONDS = 30.0
"""Longest wait for a short answer."""
UPLOAD_SECONDS = 300.0
SILENCE_SECONDS = 10.0
"""A stream of events that says nothing for so long is opened again; meanwhile the caller is told that we still wait."""
AWAY_SECONDS = 120.0
"""A server that does not answer is waited for as long as it takes to restart one."""
LOST = 3
"""How often a scan is sent to servers that forget it."""

CONFIDENCE = 0.5
"""The server gives masks only, so all that is known is that it marked something. Source: our choice."""

NOT_EMBEDDED = "VoxTell was not asked: its server has no embedding of this sentence."


class Away(Exception):
    """The server did not answer, or not as it should; it may be back soon."""


class Forgotten(Exception):
    """The server does not know the scan or the job any more."""


class Server:
    """One address. token: sent as a bearer token if it is not empty."""

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineUnavailable(f"{url!r} is no address of a VoxTell server; it should look like http://gpu1:1527.")
        self.url = url
        self._open = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def capabilities(self) -> dict[str, Any]:
        return dict(self._json("GET", "/capabilities"))

    def upload(self, scan: bytes, size: tuple[int, int, int]) -> str:
        """Send a .nii.gz file. Returns the server's number for it."""
        with self._asked("POST", "/images?include_image=false", scan, seconds=UPLOAD_SECONDS) as reply:
            reply.read()
            meta = json.loads(reply.headers.get("X-Meta", "{}"))
        if tuple(meta.get("shape", ())) != size:
            raise EngineError("VoxTell's server reads the scan in another shape than it has.")
        return str(meta["image_id"])

    def start(self, image: str, sentences: Sequence[str]) -> str:
        return str(self._json("POST", "/jobs", {"image_id": image, "prompts": list(sentences)})["job_id"])

    def cancel(self, job: str) -> None:
        self._json("POST", f"/jobs/{job}/cancel")

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        """What happens to a job. Ends when the server has been silent for a while, too."""
        with self._asked("GET", f"/jobs/{job}/events", seconds=SILENCE_SECONDS) as reply:
            try:
                while line := reply.readline(65536):
                    yield dict(json.loads(line))
            except (TimeoutError, ValueError):  # silence, or a line cut off with the connection
                return

    def result(self, job: str, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        with self._asked("GET", f"/jobs/{job}/result", seconds=UPLOAD_SECONDS) as reply:
            most = int(np.prod(shape)) + 65536  # compressed masks are far smaller than this
            data = reply.read(most + 1)
        if len(data) > most:
            raise EngineError("VoxTell's server sent more than the masks that were asked for.")
        return unpack(data, shape)

    def _json(self, method: str, path: str, payload: object = None) -> Any:
        body = None if payload is None else json.dumps(payload).encode()
        with self._asked(method, path, body, kind="application/json") as reply:
            return json.loads(reply.read(1 << 26))

    @contextmanager
    def _asked(
        self, method: str, path: str, body: bytes | None = None, *, kind: str = "", seconds: float = SECONDS
    ) -> Iterator[HTTPResponse]:
        connection = self._open(self._host, self._port, timeout=seconds)
        headers = self._headers | ({"Content-Type": kind or "application/octet-stream"} if body is not None else {})
        try:
            connection.request(method, self._path + path, body=body, headers=headers)
            reply = connection.getresponse()
            if reply.status != 200:
                self._refuse(reply)
            yield reply
        except (OSError, HTTPException) as error:
            raise Away(f"{self.url} does not answer ({type(error).__name__}: {error})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError(
                f"{self.url} does not answer as VoxTell's server does ({type(error).__name__})."
            ) from error
        finally:
            connection.close()

    def _refuse(self, reply: HTTPResponse) -> None:
        said = _detail(reply.read(65536))
        if reply.status in (401, 403):
            raise EngineUnavailable(f"{self.url} refuses the token (VOXTELL_TOKEN).")
        if reply.status == 404:
            raise Forgotten(said)
        if reply.status in (502, 503, 504):  # a proxy before a server that is starting
            raise Away(f"{self.url} answers {reply.status}")
        raise EngineError(f"VoxTell's server could not do it: {said or reply.status}")


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])[:300]
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace").strip()


class VoxTellHttp:
    """The engine. servers: one after the other is tried for each scan; all run the same model. known: sentences (lower
    case) that they can be asked; None if they have the text encoder and can be asked anything. locks: folder of the files
    by which workers on this machine keep to one job per address."""

    name = "voxtell-http"
    licence = LICENCE

    def __init__(self, servers: Sequence[Server], model: str, known: set[str] | None, locks: Path) -> None:
        self.version = model
        self._servers = list(servers)
        self._known = known
        self._locks = locks

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """See ``Grounder``."""
        tell = progress or (lambda done, total: True)
        asked = [n for n, one in enumerate(sentences) if can_be_asked(one) and self._knows(one)]
        masks: dict[int, NDArray[np.uint8]] = {}
        if asked:
            with self._free_server(tell) as server:
                found = _masks(server, voxels, grid, [sentences[n] for n in asked], tell)
            masks = dict(zip(asked, from_reader(found), strict=True))
        answers = []
        for n, sentence in enumerate(sentences):
            if n in masks:
                mask = from_dense(masks[n])
                answers.append(marked(sentence, mask, None, 0.0 if mask.is_empty else CONFIDENCE))
            else:
                answers.append(unasked(sentence, grid, NOT_EMBEDDED))
        return answers

    def _knows(self, sentence: str) -> bool:
        return self._known is None or key(sentence) in self._known

    @contextmanager
    def _free_server(self, tell: Progress) -> Iterator[Server]:
        """One that no other worker on this machine is using, locked for as long as it is used."""
        while True:
            for server in self._servers:
                name = f"voxtell-{hashlib.sha256(server.url.encode()).hexdigest()[:16]}.lock"
                with (self._locks / name).open("a") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        continue
                    self._servers.append(self._servers.pop(self._servers.index(server)))  # the next scan: the next one
                    yield server
                    return
            _wait(1.0, tell)


def _masks(
    server: Server, voxels: NDArray[np.int16], grid: Grid, sentences: list[str], tell: Progress
) -> NDArray[np.uint8]:
    """Masks [sentence, z, y, x]. The whole exchange is begun again if the server forgets or goes away."""
    scan = nifti_bytes(voxels, grid)
    forgotten, away_since = 0, 0.0
    while True:
        try:
            job = server.start(server.upload(scan, grid.size), sentences)
            away_since = 0.0
            _follow(server, job, tell)
            return server.result(job, (len(sentences), *grid.size))
        except Forgotten as error:
            forgotten += 1
            if forgotten == LOST:
                raise EngineError(
                    f"VoxTell's server at {server.url} forgot the scan {LOST} times; is it short of memory?"
                ) from error
        except Away as error:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise EngineError(f"VoxTell's server {error}.") from error
            _wait(2.0, tell)


def _follow(server: Server, job: str, tell: Progress) -> None:
    """Until the job is done. Raises EngineError if it fails, GroundingCancelled if the caller wants it to stop."""
    done, total = 0, 1
    while True:
        for event in server.events(job):
            status = event.get("status")
            if status == "done":
                return
            if status == "error":
                raise EngineError(f"VoxTell's server stopped with an error: {str(event.get('message'))[:300]}")
            if status == "cancelled":
                raise GroundingCancelled("stopped at the server")
            done, total = int(event.get("done", done)), int(event.get("total", total))
            _go_on(server, job, tell, done, total)
        _go_on(server, job, tell, done, total)
        time.sleep(0.2)


def _go_on(server: Server, job: str, tell: Progress, done: int, total: int) -> None:
    if not tell(done, total):
        with suppress(Away, Forgotten, EngineError):
            server.cancel(job)
        raise GroundingCancelled("stopped while the server was at it")


def _wait(seconds: float, tell: Progress) -> None:
    time.sleep(seconds)
    if not tell(0, 1):
        raise GroundingCancelled("stopped while a server was waited for")


def make(*, urls: Sequence[str] = (), token: str = "", embeds: bool = False, locks: str = "") -> VoxTellHttp:
    """The engine, if every server that answers runs the same model. urls: addresses such as "http://gpu1:1527". embeds: the
    servers have the text encoder, so they may be asked any sentence. Raises EngineUnavailable."""
    if not urls:
        raise EngineUnavailable("No VoxTell server is set up here: VOXTELL_URLS names their addresses (docs/gpu.md).")
    if find_spec("blosc2") is None:
        raise EngineUnavailable(
            "blosc2 is not installed, in which the server's masks come (requirements-voxtell-http.txt)."
        )
    servers, told = [Server(url, token) for url in urls], []
    problems = []
    for server in servers:
        try:
            told.append(server.capabilities())
        except (Away, Forgotten, EngineError) as error:
            problems.append(str(error) or f"{server.url} is no VoxTell server")
    if not told:
        raise EngineUnavailable(f"No VoxTell server can be used: {'; '.join(problems)}.")
    models = sorted({str(one.get("model", "unknown")) for one in told})
    if len(models) > 1:
        raise EngineUnavailable(f"The VoxTell servers run different models ({', '.join(models)}).")
    known = set.intersection(*({key(str(one)) for one in each.get("available_embeddings", [])} for each in told))
    if not (known or embeds):
        raise EngineUnavailable(
            "The VoxTell servers have no embedding in common, so they could be asked nothing. Start them with --embeddings, "
            "or set VOXTELL_EMBEDS=1 if they have the text encoder."
        )
    return VoxTellHttp(servers, models[0], None if embeds else known, Path(locks or tempfile.gettempdir()))
