"""VoxTell on another machine: the package's own server, used as a GPU appliance behind our queue.

The server keeps scans and jobs in its memory only, works on one job at a time and forgets everything when it restarts. So
one job at a time is sent to each address, a scan is sent again if the server no longer knows it, and a server that is away
is waited for, for a while. It sends masks and no probabilities. Addresses, and what a server says in its own words, are
logged; the sentences for people hold neither.
"""

import fcntl
import hashlib
import json
import logging
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
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

logger = logging.getLogger(__name__)

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
NO_ANSWER = "VoxTell's server does not answer."
NO_VOXTELL = "Something answers that is no VoxTell server."
ALL_CHANGED = (
    "The VoxTell servers have other models or embeddings than when this worker started. Start the worker again."
)


class Away(Exception):
    """The server did not answer, or not as it should; it may be back soon. The text is for the log."""


class Forgotten(Exception):
    """The server does not know the scan or the job any more."""


class Changed(Exception):
    """The server has another model, or fewer embeddings, than the engine was opened with."""


class Server:
    """One address. token: sent as a bearer token if it is not empty."""

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            logger.error("VOXTELL_URLS: %r is no address", url)
            raise EngineUnavailable("VOXTELL_URLS has no address of a VoxTell server; one looks like http://gpu1:1527.")
        self.url = url
        self._open = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def capabilities(self) -> tuple[str, set[str]]:
        """The name of its model, and the sentences (lower case) that it has embeddings of."""
        with self._asked("GET", "/capabilities") as reply:
            told = json.loads(reply.read(1 << 26))
            return str(told["model"]), {key(str(one)) for one in told["available_embeddings"]}

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
            raise Away(f"{self.url} does not answer: {error!r}") from error
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("%s does not answer as VoxTell's server does: %r", self.url, error)
            raise EngineError(NO_VOXTELL) from error
        finally:
            connection.close()

    def _refuse(self, reply: HTTPResponse) -> None:
        said = f"{self.url} answers {reply.status}: {_detail(reply.read(65536))}"
        if reply.status in (502, 503, 504):  # a proxy before a server that is starting
            raise Away(said)
        logger.warning(said)
        if reply.status in (401, 403):
            raise EngineUnavailable("VoxTell's server refuses the token (VOXTELL_TOKEN).")
        if reply.status == 404:
            raise Forgotten(NO_VOXTELL)
        raise EngineError("VoxTell's server could not do it.")


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
            found = self._masks(voxels, grid, [sentences[n] for n in asked], tell)
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

    def _masks(self, voxels: NDArray[np.int16], grid: Grid, sentences: list[str], tell: Progress) -> NDArray[np.uint8]:
        """Masks [sentence, z, y, x], of a server that still is what it was when this was opened."""
        scan, changed = nifti_bytes(voxels, grid), set[Server]()
        while len(changed) < len(self._servers):
            with self._free_server(tell, besides=changed) as server:
                try:
                    return self._exchange(server, scan, grid.size, sentences, tell)
                except Changed:
                    changed.add(server)
        raise EngineUnavailable(ALL_CHANGED)

    @contextmanager
    def _free_server(self, tell: Progress, besides: Collection[Server] = ()) -> Iterator[Server]:
        """One that no other worker on this machine is using, locked for as long as it is used."""
        while True:
            for server in [one for one in self._servers if one not in besides]:
                held = self._lock(server)
                if held is None:
                    continue
                with held:
                    self._servers.append(self._servers.pop(self._servers.index(server)))  # the next scan: the next one
                    yield server
                return
            _wait(1.0, tell)

    def _lock(self, server: Server) -> IO[str] | None:
        """The server's lock file, which holds it until it is closed; None while another worker has it."""
        name = f"voxtell-{hashlib.sha256(server.url.encode()).hexdigest()[:16]}.lock"
        try:
            file = (self._locks / name).open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                raise
        except BlockingIOError:
            return None
        except OSError as error:
            logger.error("the lock file of %s: %s", server.url, error)
            raise EngineError(
                f"Workers cannot take turns at VoxTell's servers: the file for it cannot be used ({error.strerror})."
            ) from error
        return file

    def _exchange(
        self, server: Server, scan: bytes, size: tuple[int, int, int], sentences: list[str], tell: Progress
    ) -> NDArray[np.uint8]:
        """Masks of one server. The whole exchange is begun again if it forgets or goes away; it may come back Changed."""
        forgotten, away_since = 0, 0.0
        while True:
            try:
                self._check(server, sentences)
                job = server.start(server.upload(scan, size), sentences)
                away_since = 0.0
                _follow(server, job, tell)
                return server.result(job, (len(sentences), *size))
            except Forgotten as error:
                forgotten += 1
                if forgotten == LOST:
                    raise EngineError(
                        f"VoxTell's server forgot the scan {LOST} times; is it short of memory?"
                    ) from error
            except Away as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > AWAY_SECONDS:
                    logger.warning("given up: %s", error)
                    raise EngineError(NO_ANSWER) from error
                _wait(2.0, tell)

    def _check(self, server: Server, sentences: list[str]) -> None:
        """Raises Changed if the server can no longer be asked these sentences in this engine's name."""
        try:
            model, known = server.capabilities()
        except Forgotten as error:  # something else has the address by now
            raise Changed from error
        if model != self.version:
            logger.warning("%s is passed over: it runs %s, not %s as this engine", server.url, model, self.version)
            raise Changed
        if self._known is not None and not known.issuperset(map(key, sentences)):
            logger.warning("%s is passed over: it lacks embeddings that the others have", server.url)
            raise Changed


def _follow(server: Server, job: str, tell: Progress) -> None:
    """Until the job is done. Raises EngineError if it fails, GroundingCancelled if the caller wants it to stop."""
    done, total = 0, 1
    while True:
        for event in server.events(job):
            status = event.get("status")
            if status == "done":
                _go_on(server, job, tell, total, total)
                return
            if status == "error":
                said = str(event.get("message"))[:300]
                logger.warning("%s stopped with an error: %s", server.url, said)
                short = "out of memory" in said.lower()
                raise EngineError(f"VoxTell's server {'ran out of memory' if short else 'stopped with an error'}.")
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
    servers = [Server(url, token) for url in urls]
    told, problems = list[tuple[str, set[str]]](), set[str]()
    for server in servers:
        try:
            told.append(server.capabilities())
        except Away as error:
            logger.warning("not asked: %s", error)
            problems.add(NO_ANSWER)
        except (Forgotten, EngineError) as error:
            problems.add(str(error))
    if not told:
        raise EngineUnavailable(f"No VoxTell server can be used. {' '.join(sorted(problems))}")
    models = sorted({model for model, _ in told})
    if len(models) > 1:
        raise EngineUnavailable(f"The VoxTell servers run different models ({', '.join(models)}).")
    known = set.intersection(*(sentences for _, sentences in told))
    if not (known or embeds):
        raise EngineUnavailable(
            "The VoxTell servers have no embedding in common, so they could be asked nothing. Start them with --embeddings, "
            "or set VOXTELL_EMBEDS=1 if they have the text encoder."
        )
    return VoxTellHttp(servers, models[0], None if embeds else known, Path(locks or tempfile.gettempdir()))
