"""Does a tablet keep its memory? The reading room on one scan of 1024 x 1024 x 1005, 2.1 GB of voxels, in headless Chromium.

    .venv/bin/python benchmarks/viewer/large.py [--folder DIR] [--memory-gb 4] [--size 1024 1024 1005]

The page is told that the device has so much memory, which is what its budget follows; the screen is a tablet's, upright,
with touch. It is opened, waits until nothing more is fetched, then every slice is looked at there and back, and one stroke
each is painted from top to bottom in the coronal and the sagittal plane.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.viewer import measure, stage

TABLET = {"viewport": {"width": 820, "height": 1180}, "has_touch": True, "device_scale_factor": 2}
IDLE = """async () => {
  const { stack } = document.querySelector("ct-viewer");
  while (stack.loaded < stack.goal || stack.flying.size) await new Promise((done) => setTimeout(done, 100));
}"""
LOOK = """async ([from, to]) => {
  const viewer = document.querySelector("ct-viewer");
  let seen = 0, coarse = 0;
  for (let k = from; k !== to; k += Math.sign(to - from)) {
    viewer.k = k;
    await new Promise((done) => requestAnimationFrame(done));
    if (viewer.stack.get(k)) seen++;
    else if (viewer.stack.coarse.has(k)) coarse++;
  }
  return [seen, coarse];
}"""
STROKE = """async (view) => {
  const viewer = document.querySelector("ct-viewer"), [K, J, I] = viewer.size, voxels = viewer.mask.count;
  viewer.view = view;
  const at = (k) => {
    const box = viewer.getBoundingClientRect(), { x, y } = viewer.clientAt(k, J >> 1, I >> 1);
    return { x: x - box.left, y: y - box.top };
  };
  let longest = 0;
  const timed = async (what) => {
    const since = performance.now();
    what();
    longest = Math.max(longest, performance.now() - since);
    await new Promise((done) => requestAnimationFrame(done));
  };
  await timed(() => viewer.strokeBegins(viewer.active, at(K - 1), false));
  for (let n = 1; n <= 50; n++) await timed(() => viewer.strokeMoves(at(((K - 1) * (50 - n)) / 50)));
  await timed(() => viewer.strokeEnds());
  return [viewer.mask.count - voxels, longest];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sightline-large-benchmark")
    parser.add_argument("--memory-gb", type=float, default=4)
    parser.add_argument("--size", type=int, nargs=3, default=[1024, 1024, 1005], metavar=("I", "J", "K"))
    options = parser.parse_args()
    began = time.monotonic()
    stage.prepare(options.folder, tuple(options.size), peers=False)
    print(f"| scan made and imported, s | {time.monotonic() - began:.0f} |", flush=True)
    from playwright.sync_api import sync_playwright

    from tests.run import find_chromium

    with stage.serving(options.folder, peers=False) as ready, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=measure.FLAGS)
        context = browser.new_context(**TABLET)
        origin = f"http://127.0.0.1:{ready.ours}"
        context.add_cookies([{"name": "sessionid", "value": ready.session, "url": origin}])
        page = context.new_page()
        page.set_default_timeout(measure.PATIENCE_MS)
        page.add_init_script(f"Object.defineProperty(navigator, 'deviceMemory', {{ get: () => {options.memory_gb} }})")
        page.add_init_script(path=measure.PAGES / "ours.js")
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("crash", lambda: problems.append("the page crashed"))
        page.goto(origin + ready.room, wait_until="commit")
        first = page.evaluate("bench.first.then(() => performance.now())")
        print(f"| first exact slice, ms | {first:,.0f} |", flush=True)
        page.evaluate(IDLE)
        held, count = page.evaluate("[bench.viewer.stack.loaded, bench.viewer.stack.K]")
        plane = options.size[0] * options.size[1] * 2 / 1e6
        print(f"| slices held, of {count} | {held} ({held * plane:,.0f} MB) |")
        print(f"| until nothing more is fetched, s | {page.evaluate('performance.now()') / 1000:.0f} |")
        print(f"| memory then, MB | {measure.memory_mb(browser):,.0f} |", flush=True)
        steps = [(0, count - 1), (count - 1, 0)]
        for turn, way in enumerate(steps * 2, start=1):
            since = time.monotonic()
            seen, coarse = page.evaluate(LOOK, way)
            took = (time.monotonic() - since) * 1000 / (count - 1)
            words = f"{seen} exact, {coarse} coarse, {took:.0f} ms a step"
            print(f"| {count - 1} slices looked at, turn {turn} | {words} |")
            print(f"| memory after it, MB | {measure.memory_mb(browser):,.0f} |", flush=True)
        for view in ("coronal", "sagittal"):
            voxels, longest = page.evaluate(STROKE, view)
            print(f"| {view} stroke from top to bottom | {voxels:,} voxels, at most {longest:.0f} ms at a time |")
            print(f"| memory after it, MB | {measure.memory_mb(browser):,.0f} |", flush=True)
        print(f"| errors | {len(problems)} {problems[:2] or ''} |")
        print(f"| load of the machine | {os.getloadavg()[0]:.1f} |")
        browser.close()


if __name__ == "__main__":
    main()
