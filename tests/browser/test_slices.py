"""How the slices of a whole volume come: by themselves near the one on screen, by blocks elsewhere, each of them once."""

import re

import numpy as np
import pytest

from cases.imaging import blocks, slices
from tests.browser.modules import ORIGIN, open_modules

pytestmark = pytest.mark.browser

K, J, I = 45, 6, 5


def voxel(k, j, i):
    return 100 * k + 10 * j + i - 1000


class Server:
    """Answers for slices and blocks as the API does. broken: slices that cannot be read. refuses: no blocks at all."""

    def __init__(self, page, broken=(), refuses=False):
        self.asked, self.broken, self.refuses = [], set(broken), refuses
        k, j, i = np.indices((K, J, I))
        self.stored = [slices.encode(plane) for plane in voxel(k, j, i).astype(np.int16)]
        page.route(f"{ORIGIN}/api/**", self._answer)

    def _answer(self, route):
        kind, n = re.search(r"/api/(slice|block)s/(\d+)/", route.request.url).groups()
        self.asked.append((kind, int(n)))
        if kind == "block":
            if self.refuses:
                return route.fulfill(status=502)
            ks = blocks.within(int(n), K)
            body = blocks.pack([b"" if k in self.broken else self.stored[k] for k in ks])
            return route.fulfill(body=body, content_type="application/octet-stream")
        if int(n) in self.broken:
            return route.fulfill(status=503, json={"detail": "This slice cannot be read."})
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
    assert whole(page)["slices"] == EXPECTED
    assert len([n for kind, n in server.asked if kind == "block"]) <= 3  # those on their way when the first one failed


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
