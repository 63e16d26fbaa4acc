"""Our client of VoxTell's server against a stand-in that speaks its protocol and has bad days."""

import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from cases.imaging.geometry import Grid
from quiz.grounding import voxtell_http, voxtell_wire
from quiz.grounding.base import EngineError, EngineUnavailable, GroundingCancelled

GRID = Grid((2, 3, 4), (2.5, 0.9, 0.7), tuple(tuple(row) for row in np.eye(4).tolist()))
VOXELS = np.zeros(GRID.size, np.int16)
LEFT = "Nodule on the left"
KNOWN = [LEFT.lower()]


class Blosc2:
    """In place of the library: chunks are not compressed at all."""

    @staticmethod
    def get_cbuffer_sizes(chunk: bytes) -> tuple[int, int, int]:
        return len(chunk), len(chunk), len(chunk)

    @staticmethod
    def decompress(chunk: bytes) -> bytes:
        return chunk


def packed(masks: np.ndarray) -> bytes:
    raw = masks.tobytes()
    head = b"VXA2" + b"\x03|u1" + bytes([masks.ndim]) + struct.pack(f"<{masks.ndim}Q", *masks.shape)
    return head + struct.pack("<3Q", len(raw), len(raw), len(raw)) + raw


def one_voxel(*zyx: int) -> np.ndarray:
    masks = np.zeros((1, *GRID.size), np.uint8)
    masks[(0, *zyx)] = 1
    return masks


class StandIn:
    """What the server answers, by method and path; a list is answered one after the other, its last for ever."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[str | None] = []
        self.answers: dict[str, list] = {
            "GET /capabilities": [{"model": "wired", "available_embeddings": KNOWN}],
            "POST /images": [("", {"X-Meta": json.dumps({"image_id": "i", "shape": list(GRID.size)})})],
            "POST /jobs": [{"job_id": "j"}],
            "GET /jobs/j/events": ['{"done": 1, "total": 1}\n{"status": "done"}\n'],
            "GET /jobs/j/result": [packed(one_voxel(1, 0, 0))],
            "POST /jobs/j/cancel": [{"cancelling": True}],
        }

    def answer(self, call: str) -> tuple[int, bytes, dict[str, str]]:
        waiting = self.answers[call]
        one = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(one, int):
            return one, b'{"detail": "Traceback: /home/gpu1/secret.py"}', {}
        body, headers = one if isinstance(one, tuple) else (one, {})
        body = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
        return 200, body, headers


@contextmanager
def serving() -> Iterator[StandIn]:
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = f"{self.command} {self.path.partition('?')[0]}"
            stand_in.asked.append((self.command, self.path))
            stand_in.headers.append(self.headers.get("Authorization"))
            status, body, headers = stand_in.answer(call)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = reply

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    yield stand_in
    server.shutdown()
    server.server_close()


@pytest.fixture
def stand_in(monkeypatch) -> Iterator[StandIn]:
    monkeypatch.setattr(voxtell_wire, "import_module", lambda name: Blosc2)
    monkeypatch.setattr(voxtell_http, "find_spec", lambda name: name)
    monkeypatch.setattr(voxtell_http.time, "sleep", lambda seconds: None)
    with serving() as stand_in:
        yield stand_in


@pytest.fixture
def second(stand_in) -> Iterator[StandIn]:
    """Another server, the next that is asked."""
    with serving() as second:
        yield second


def engine_of(*servers: StandIn, locks, **more) -> voxtell_http.VoxTellHttp:
    return voxtell_http.make(urls=[one.url for one in servers], token="t", locks=str(locks), **more)


def jobs_of(stand_in: StandIn) -> int:
    return stand_in.asked.count(("POST", "/jobs"))


def test_masks_come_back_in_house_order_and_unknown_sentences_are_not_sent(stand_in, tmp_path):
    """The server's voxel (z, y, x) = (1, 0, 0) is the most posterior left one of the upper slice: j = 2, i = 3."""
    engine = engine_of(stand_in, locks=tmp_path)
    answers = engine.ground(VOXELS, GRID, ["Nobody embedded this", LEFT.upper()])
    assert np.argwhere(answers[1].mask.dense()).tolist() == [[1, 2, 3]]
    assert "no embedding" in answers[0].note
    assert [one.asked for one in answers] == [False, True]
    assert engine.version == "wired"
    assert set(stand_in.headers) == {"Bearer t"}
    assert ("POST", "/images?include_image=false") in stand_in.asked


def test_servers_with_the_text_encoder_are_asked_anything(stand_in, tmp_path):
    engine = engine_of(stand_in, locks=tmp_path, embeds=True)
    (answer,) = engine.ground(VOXELS, GRID, ["Nobody embedded this"])
    assert not answer.mask.is_empty


def test_a_server_that_was_restarted_gets_the_scan_again(stand_in, tmp_path):
    stand_in.answers["POST /jobs"] = [404, {"job_id": "j"}]
    (answer,) = engine_of(stand_in, locks=tmp_path).ground(VOXELS, GRID, [LEFT])
    assert not answer.mask.is_empty
    assert [path for _, path in stand_in.asked].count("/images?include_image=false") == 2


def test_a_server_that_always_forgets_is_given_up(stand_in, tmp_path):
    stand_in.answers["GET /jobs/j/events"] = [404]
    with pytest.raises(EngineError, match="forgot the scan 3 times"):
        engine_of(stand_in, locks=tmp_path).ground(VOXELS, GRID, [LEFT])


def test_a_server_that_is_starting_is_waited_for(stand_in, tmp_path):
    stand_in.answers["POST /images"].insert(0, 503)
    (answer,) = engine_of(stand_in, locks=tmp_path).ground(VOXELS, GRID, [LEFT])
    assert not answer.mask.is_empty


def test_a_server_that_stays_away_is_given_up(stand_in, tmp_path, monkeypatch, caplog):
    engine = engine_of(stand_in, locks=tmp_path)
    stand_in.answers["POST /images"] = [503]
    monkeypatch.setattr(voxtell_http, "AWAY_SECONDS", 0.0)
    with pytest.raises(EngineError, match=r"^VoxTell's server does not answer\.$"):
        engine.ground(VOXELS, GRID, [LEFT])
    assert f"{stand_in.url} answers 503" in caplog.text


OTHER = [{"model": "another", "available_embeddings": KNOWN}]
FEWER = [{"model": "wired", "available_embeddings": ["something else"]}]


@pytest.mark.parametrize("told", [OTHER, FEWER, [404]])
def test_a_server_that_was_away_and_is_another_is_passed_over(stand_in, second, tmp_path, told, caplog):
    stand_in.answers["GET /capabilities"] = [503, *told]
    engine = engine_of(stand_in, second, locks=tmp_path)
    for _ in range(2):  # the second scan begins with the other server
        (answer,) = engine.ground(VOXELS, GRID, [LEFT])
        assert not answer.mask.is_empty
    assert (jobs_of(stand_in), jobs_of(second)) == (0, 2)
    assert stand_in.url in caplog.text


def test_a_server_that_was_away_and_is_the_same_is_used(stand_in, second, tmp_path):
    stand_in.answers["GET /capabilities"].insert(0, 503)
    engine = engine_of(stand_in, second, locks=tmp_path)
    for _ in range(2):
        engine.ground(VOXELS, GRID, [LEFT])
    assert (jobs_of(stand_in), jobs_of(second)) == (1, 1)


def test_servers_that_all_have_another_model_are_no_longer_this_engine(stand_in, second, tmp_path):
    engine = engine_of(stand_in, second, locks=tmp_path)
    stand_in.answers["GET /capabilities"] = second.answers["GET /capabilities"] = OTHER
    with pytest.raises(EngineUnavailable, match="Start the worker again"):
        engine.ground(VOXELS, GRID, [LEFT])
    assert (jobs_of(stand_in), jobs_of(second)) == (0, 0)


def test_a_server_restarted_with_another_model_in_the_middle_of_a_job_does_not_get_the_scan_again(stand_in, tmp_path):
    engine = engine_of(stand_in, locks=tmp_path)
    stand_in.answers["GET /capabilities"] += OTHER  # when it is taken it is the same
    stand_in.answers["GET /jobs/j/events"] = [404]
    with pytest.raises(EngineUnavailable, match="Start the worker again"):
        engine.ground(VOXELS, GRID, [LEFT])
    assert jobs_of(stand_in) == 1


@pytest.mark.parametrize(
    ("call", "answer", "sentence"),
    [
        ("POST /images", 500, "VoxTell's server could not do it."),
        ("POST /jobs", 401, "VoxTell's server refuses the token (VOXTELL_TOKEN)."),
        ("POST /jobs", 404, "VoxTell's server forgot the scan 3 times; is it short of memory?"),
        ("POST /jobs", "secret", "Something answers that is no VoxTell server."),
        (
            "GET /jobs/j/events",
            '{"status": "error", "message": "CUDA out of memory at /home/gpu1/secret.py"}\n',
            "VoxTell's server ran out of memory.",
        ),
        (
            "GET /jobs/j/events",
            '{"status": "error", "message": "KeyError: secret"}\n',
            "VoxTell's server stopped with an error.",
        ),
    ],
)
def test_what_a_server_says_in_its_own_words_is_logged_and_not_shown(
    stand_in, tmp_path, caplog, call, answer, sentence
):
    stand_in.answers[call] = [answer]
    with pytest.raises(EngineError) as caught:
        engine_of(stand_in, locks=tmp_path).ground(VOXELS, GRID, [LEFT])
    assert str(caught.value) == sentence
    assert stand_in.url in caplog.text


def test_stopping_stops_the_server_too(stand_in, tmp_path):
    stand_in.answers["GET /jobs/j/events"] = ['{"done": 1, "total": 9}\n']
    with pytest.raises(GroundingCancelled):
        engine_of(stand_in, locks=tmp_path).ground(VOXELS, GRID, [LEFT], progress=lambda done, total: False)
    assert ("POST", "/jobs/j/cancel") in stand_in.asked


def test_a_stream_that_falls_silent_is_opened_again(stand_in, tmp_path):
    stand_in.answers["GET /jobs/j/events"] = ['{"done": 1, "total": 2}\n', '{"done": 2, "to', '{"status": "done"}\n']
    told = []
    engine = engine_of(stand_in, locks=tmp_path)
    engine.ground(VOXELS, GRID, [LEFT], progress=lambda done, total: not told.append((done, total)))
    assert told == [(1, 2), (1, 2), (1, 2), (2, 2)]  # the event; each time it fell silent; and the end


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"<html>",
        packed(one_voxel(0, 0, 0))[:-3],
        packed(one_voxel(0, 0, 0)[:, :1]),
        packed(np.zeros((2, *GRID.size), np.uint8)),
        packed(one_voxel(0, 0, 0)).replace(b"|u1", b"|O8"),
        packed(one_voxel(0, 0, 0)) + packed(one_voxel(0, 0, 0))[-40:],
    ],
)
def test_masks_that_cannot_be_read_are_said(stand_in, tmp_path, reply):
    stand_in.answers["GET /jobs/j/result"] = [reply]
    with pytest.raises(EngineError, match="VoxTell's server sent"):
        engine_of(stand_in, locks=tmp_path).ground(VOXELS, GRID, [LEFT])


def test_a_scan_read_in_another_shape_is_said(stand_in, tmp_path):
    stand_in.answers["POST /images"] = [("", {"X-Meta": '{"image_id": "i", "shape": [4, 3, 2]}'})]
    with pytest.raises(EngineError, match="another shape"):
        engine_of(stand_in, locks=tmp_path).ground(VOXELS, GRID, [LEFT])


def test_one_job_at_a_time_is_sent_to_an_address(stand_in, tmp_path):
    """While another worker on this machine holds the address, this one waits, and can be stopped."""
    engine, other = engine_of(stand_in, locks=tmp_path), engine_of(stand_in, locks=tmp_path)
    with other._free_server(lambda done, total: True), pytest.raises(GroundingCancelled):
        engine.ground(VOXELS, GRID, [LEFT], progress=lambda done, total: False)
    assert not engine.ground(VOXELS, GRID, [LEFT])[0].mask.is_empty


def test_a_second_address_is_used_while_the_first_is_busy(stand_in, tmp_path):
    urls = [stand_in.url, stand_in.url + "/"]  # the same stand-in by two names
    one, two = (voxtell_http.make(urls=urls, locks=str(tmp_path)) for _ in range(2))
    with one._free_server(lambda *_: True) as first, two._free_server(lambda *_: True) as second:
        assert {first.url, second.url} == set(urls)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://gpu1", "VOXTELL_URLS has no address"),
        ("http://127.0.0.1:9", r"No VoxTell server can be used\. VoxTell's server does not answer\."),
    ],
)
def test_addresses_that_lead_nowhere_are_said_and_logged(stand_in, caplog, url, words):
    with pytest.raises(EngineUnavailable, match=words) as caught:
        voxtell_http.make(urls=[url])
    assert url not in str(caught.value)
    assert url in caplog.text


def test_a_folder_in_which_no_lock_file_can_be_made_is_said(stand_in, tmp_path):
    with pytest.raises(EngineError, match=r"cannot be used \(No such file or directory\)"):
        engine_of(stand_in, locks=tmp_path / "missing").ground(VOXELS, GRID, [LEFT])
    assert jobs_of(stand_in) == 0


def test_a_refused_token_and_an_empty_bank_are_said(stand_in, tmp_path):
    stand_in.answers["GET /capabilities"] = [401, {"model": "wired", "available_embeddings": []}]
    with pytest.raises(EngineUnavailable, match="refuses the token"):
        engine_of(stand_in, locks=tmp_path)
    with pytest.raises(EngineUnavailable, match="could be asked nothing"):
        engine_of(stand_in, locks=tmp_path)
