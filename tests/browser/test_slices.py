"""How the slices of a whole volume come: by themselves near the one on screen, by blocks elsewhere, each of them once; and
what becomes of them when they do not come at once."""

import re
import time

import numpy as np
import pytest

from cases.imaging import blocks, slices
from tests.browser.modules import ORIGIN, open_modules
from tests.browser.waiting import until

pytestmark = pytest.mark.browser

K, J, I = 45, 6, 5


def voxel(k, j, i):
    return 100 * k + 10 * j + i - 1000


class Server:
    """Answers for slices and blocks as the API does. broken: slices that cannot be read. refuses: no blocks at all."""

    def __init__(self, page, broken=(), refuses=False):
        self.asked, self.broken, self.refuses = [], set(broken), refuses
        self.fails = lambda url: None  # or how: what takes the request instead
        k, j, i = np.indices((K, J, I))
        self.stored = [slices.encode(plane) for plane in voxel(k, j, i).astype(np.int16)]
        page.route(f"{ORIGIN}/api/**", self._answer)

    def _answer(self, route):
        kind, n = re.search(r"/api/(slice|block)s/(\d+)/", route.request.url).groups()
        self.asked.append((kind, int(n)))
        failure = self.fails(route.request.url)
        if failure:
            return failure(route)
        if kind == "block":
            if self.refuses:
                return route.fulfill(status=502)
            ks = blocks.within(int(n), K)
            body = blocks.pack([b"" if k in self.broken else self.stored[k] for k in ks])
            return route.fulfill(body=body, content_type="application/octet-stream")
        if int(n) in self.broken:
            return route.fulfill(status=503, json={"detail": "This slice cannot be read.", "code": "damaged"})
        stored = self.stored[int(n)]
        if "preview" in route.request.url:
            stored = slices.to_preview(stored, rows=J, columns=I)
        return route.fulfill(body=slices.gunzip(stored), content_type="application/octet-stream")


@pytest.fixture
def page(chromium):
    page = open_modules(chromium)
    yield page
    page.context.close()


def whole(page, slow=False):
    """The volume as the page has it once everything came or failed, None for a slice that did not; and the failures.

    Whether the line is slow is said here: this machine may be."""
    return page.evaluate(
        """async ([size, slow]) => {
          const { Stack } = await import("/viewer/stack.js");
          const manifest = { size, slices: "/api/slices/{k}/", blocks: "/api/blocks/{n}/", block_slices: 8 };
          const came = new Map();
          const stack = new Stack(manifest, (k) => came.set(k, (came.get(k) ?? 0) + 1));
          stack.open(size[0] >> 1);
          Object.defineProperty(stack, "slow", { get: () => slow, set: () => {} });
          const began = performance.now();
          while (stack.loaded + stack.failed.size < size[0] || stack.flying.size) {
            if (performance.now() - began > 60000) break;
            await new Promise((done) => setTimeout(done, 20));
          }
          return { slices: times(size[0], (k) => (stack.get(k) ? [...stack.get(k)] : null)), failed: [...stack.failed],
                   came: [...came.keys()].sort((a, b) => a - b), worker: Boolean(stack.loader.worker) };
        }""",
        [[K, J, I], slow],
    )


EXPECTED = [[voxel(k, j, i) for j in range(J) for i in range(I)] for k in range(K)]


def test_near_slices_come_alone_and_the_rest_in_blocks(page):
    server = Server(page)
    got = whole(page)
    assert got["slices"] == EXPECTED
    assert got["came"] == list(range(K))
    assert got["worker"]
    alone = [n for kind, n in server.asked if kind == "slice"]
    assert set(alone[:2]) == {22}  # its coarse picture and itself
    # Blocks of 8: 22 lies in 16..23. Within 4 of it, 18..26, slices come alone; of the blocks 16..23 and 24..31 that
    # leaves 16, 17 (fewer than half: alone too) and 27..31 (five of eight: the block).
    assert sorted(set(alone)) == list(range(16, 27))
    assert len(alone) == 1 + 11  # none twice, but for the coarse picture
    assert sorted(n for kind, n in server.asked if kind == "block") == [0, 1, 3, 4, 5]


def test_a_slice_that_no_block_holds_is_asked_for_and_says_why(page):
    broken = {0, 1, 2, 3, 4, 5, 6, 7, 41}  # a whole block, and one of another
    server = Server(page, broken)
    got = whole(page)
    assert got["slices"] == [None if k in broken else plane for k, plane in enumerate(EXPECTED)]
    assert sorted(k for k, _ in got["failed"]) == sorted(broken)
    assert {words for _, words in got["failed"]} == {"This slice cannot be read."}
    assert [n for kind, n in server.asked if kind == "block"].count(0) == 1


def test_without_blocks_slices_come_one_by_one(page):
    server = Server(page, refuses=True)
    began = time.monotonic()
    assert whole(page)["slices"] == EXPECTED
    # Those on their way when the first one failed, and one more when a wait is over; the first wait is one second.
    asked = len([n for kind, n in server.asked if kind == "block"])
    assert asked <= 3 + (time.monotonic() - began)


def test_the_slice_on_screen_does_not_wait_for_its_block(page):
    """Blocks are held back for good. Whoever scrolls into one of them sees the slice all the same."""
    server = Server(page)
    page.route(f"{ORIGIN}/api/blocks/**", lambda route: None)
    got = page.evaluate(
        """async ([size]) => {
          const { Stack } = await import("/viewer/stack.js");
          const manifest = { size, slices: "/api/slices/{k}/", blocks: "/api/blocks/{n}/", block_slices: 8 };
          const stack = new Stack(manifest, () => {});
          Object.defineProperty(stack, "slow", { get: () => false, set: () => {} }); // however slow this machine is
          const until = async (test) => {
            for (let n = 0; n < 3000 && !test(); n++) await new Promise((done) => setTimeout(done, 20));
          };
          stack.open(22);
          await until(() => [...stack.flying.values()].filter((one) => one.block).length === 3);
          const block = [...stack.flying.values()].find((one) => one.block);
          stack.look(block.k);
          await until(() => stack.get(block.k));
          return [block.k, stack.get(block.k) && [...stack.get(block.k)]];
        }""",
        [[K, J, I]],
    )
    assert got[1] == EXPECTED[got[0]]
    assert ("slice", got[0]) in server.asked


def test_on_a_slow_line_no_block_delays_what_is_looked_at(page):
    server = Server(page)
    assert whole(page, slow=True)["slices"] == EXPECTED
    assert {kind for kind, _ in server.asked} == {"slice"}


# -- what fails and may come yet ----------------------------------------------------------------------------------------

PORTAL = "<!doctype html><title>Welcome to the guest network</title>"
FAILURES = {
    "no network": lambda route: route.abort("internetdisconnected"),
    "signed out": lambda route: route.fulfill(
        status=401, json={"detail": "Authentication credentials were not provided."}
    ),
    "no server behind the proxy": lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>"),
    "asked too often": lambda route: route.fulfill(status=429, json={"detail": "Request was throttled."}),
    "a network that wants a sign-in": lambda route: route.fulfill(content_type="text/html", body=PORTAL),
}


@pytest.mark.parametrize("slow", [False, True], ids=["", "slow line"])
@pytest.mark.parametrize("how", FAILURES)
def test_after_an_outage_every_slice_comes(page, how, slow):
    """An outage of three seconds that begins with the fifth request. Nobody does anything: it ends by itself."""
    server, refused = Server(page), []

    def fails(url):
        if len(server.asked) < 5 or (refused and time.monotonic() - refused[0] > 3):
            return None
        refused.append(time.monotonic())
        return FAILURES[how]

    server.fails = fails
    got = whole(page, slow=slow)
    assert got["slices"] == EXPECTED
    assert got["failed"] == []
    # At most 5 that are out together; then, half a second, one and two seconds later, one each; and one to spare, which is
    # asked for sooner if one of the five was answered.
    assert 1 <= len(refused) <= 9


COUNT = """async ([K, slow, fail, seconds]) => {
    const { Stack } = await import("/viewer/stack.js");
    const manifest = { size: [K, 64, 64], slices: "/api/slices/{k}/", blocks: "/api/blocks/{n}/", block_slices: 8 };
    const stack = new Stack(manifest, () => {}, 64 * 64 * 2 * 100), asked = { exact: 0, coarse: 0, block: 0 };
    Object.defineProperty(stack, "slow", { get: () => slow, set: () => {} });
    stack.loader.start = () => {};
    const answer = async (kind) => {
        asked[kind]++;
        if (fail.includes(kind)) throw new Error("It failed.");
        return new Int16Array(1);
    };
    stack.loader.get = (url) => answer(url.includes("preview") ? "coarse" : "exact");
    stack.loader.getBlock = async (url, count, J, I, signal, give) => {
        await answer("block");
        for (let n = 0; n < count; n++) give(n, new Int16Array(1));
    };
    Object.assign(globalThis, { stack, asked, fail });
    stack.open(K >> 1);
}"""


def counted(page, K, slow, fail, seconds, each=""):
    """Requests of a minute of the page's own clock, by kind; each: what the page does in every tenth of a second."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.evaluate(COUNT, [K, slow, fail, seconds])
    for _ in range(10 * seconds):
        page.clock.run_for(100)
        page.evaluate(each or "0")
    return page.evaluate("[asked, stack.loaded]")


@pytest.mark.parametrize("K", [45, 300], ids=["within the budget", "larger than the budget"])
@pytest.mark.parametrize("slow", [False, True], ids=["quick line", "slow line"])
def test_where_everything_fails_little_is_asked(page, K, slow):
    # The exact and the coarse one to begin with, of which the first breaks the line. Then one at a time, after half a
    # second, 1, 2, 4 and every 5 seconds: at 0.5, 1.5, 3.5, 7.5, 12.5, 17.5 ... 57.5 s. That is 2 + 4 + 10.
    asked, loaded = counted(page, K, slow, ["exact", "coarse", "block"], 60)
    assert loaded == 0
    assert 10 <= sum(asked.values()) <= 16


def test_one_who_scrolls_while_everything_fails_asks_once_a_second(page):
    each = "stack.look((stack.focus + 1) % 300)"
    asked, _ = counted(page, 300, True, ["exact", "coarse", "block"], 30, each)
    assert 20 <= sum(asked.values()) <= 2 + 30


def test_a_slice_that_is_looked_at_does_not_wait_for_the_rest_of_the_line(page):
    # Tried at 0.5, 1.5, 3.5, 7.5, 12.5 and 17.5 s: at 20 s the line would rest for two and a half seconds more.
    counted(page, 300, True, ["exact", "coarse", "block"], 20)
    page.evaluate("() => { fail.length = 0; stack.look(170); }")
    until(page, "Boolean(stack.get(170))")  # though the clock of the page stands still


def test_what_says_that_the_line_is_back_is_believed_once_a_second(page):
    each = "stack.resume({ anew: true })"
    asked, _ = counted(page, 300, True, ["exact", "coarse", "block"], 30, each)
    # Up to five together each time, as nothing is known of the line then.
    assert 20 <= sum(asked.values()) <= 2 + 5 * 30


def test_where_only_coarse_pictures_fail_the_exact_ones_come(page):
    asked, loaded = counted(page, 45, True, ["coarse"], 60)
    assert loaded == 45
    assert asked["exact"] == 45
    # The first one, and after waits of 1, 2, 4, 8 ... seconds as long as there is something to ask for.
    assert 1 <= asked["coarse"] <= 7


@pytest.mark.parametrize("steps", [0, 7, 130])
def test_a_volume_larger_than_the_budget_comes_to_rest(page, steps):
    """A budget of 100 slices: what was pushed out is not asked for again at once.

    A quarter of it, 25 slices, are 400 coarse pictures, a sixteenth each. The rest are 75 of 1,000 slices.
    """
    each = f"stack.focus < 500 + {steps} && stack.look(stack.focus + 1)"
    asked, loaded = counted(page, 1000, False, [], 30, each)
    assert loaded == 75
    # What is held, what was scrolled past, and those few that were out when the budget was full.
    assert asked["exact"] + 8 * asked["block"] <= 75 + 2 * steps + 40
    assert asked["coarse"] <= 400 + steps + 10
    before = page.evaluate("({ ...asked })")
    page.clock.run_for(5000)
    assert page.evaluate("({ ...asked })") == before


def test_a_connection_without_a_word_is_given_up_and_a_slow_one_is_not(page):
    """15 seconds without a byte are too many; a slice that takes a minute is not given up as long as it comes."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.evaluate(
        """async () => {
            const { fetchSlice } = await import("/viewer/slice_fetch.js");
            globalThis.fetch = async (url, { signal }) => {
                const given = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
                if (url === "/silent") return given;
                given.catch(() => {});
                let sent = 0;
                const body = new ReadableStream({
                    start: (control) => signal.addEventListener("abort", () => control.error(signal.reason)),
                    async pull(control) {
                        if (url === "/stops" && sent === 2) return new Promise(() => {});
                        await new Promise((done) => setTimeout(done, 12000));
                        control.enqueue(new Uint8Array(2));
                        if (++sent === 5) control.close();
                    },
                });
                return new Response(body, { headers: { "Content-Type": "application/octet-stream" } });
            };
            globalThis.how = {};
            for (const url of ["/silent", "/stops", "/slow"]) {
                fetchSlice(url, 1, 5, new AbortController().signal).then(
                    (plane) => (how[url] = plane.length), (error) => (how[url] = [error.message, Boolean(error.final)]));
            }
        }"""
    )
    stalled = ["The connection to the server has stalled.", False]
    page.clock.run_for(14_000)
    assert page.evaluate("how") == {}
    page.clock.run_for(1_500)
    until(page, "how['/silent']")
    assert page.evaluate("how") == {"/silent": stalled}
    for _ in range(50):
        page.clock.run_for(1000)
        page.evaluate("0")
    # Two pieces at 12 and 24 seconds and then nothing: given up at 39. Five at 12, 24, 36, 48 and 60 seconds.
    assert page.evaluate("how") == {"/silent": stalled, "/stops": stalled, "/slow": 5}
