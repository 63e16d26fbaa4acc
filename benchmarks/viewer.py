"""Time to the first slice, scrolling, and submit to feedback, for 512 x 512 x 300 in headless Chromium.

    .venv/bin/python benchmarks/viewer.py

Everything is made in a temporary folder: a phantom of that size is written, imported, served by gunicorn and read.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
PORT = 8765
VIEWER = "document.querySelector('ct-viewer')"
SCROLL = """async () => {
  const viewer = document.querySelector('ct-viewer'), times = [], work = [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  for (let n = 0; n < 120; n++) {
    await frame();
    const start = performance.now();
    viewer.step(n < 60 ? 1 : -1);
    work.push(performance.now() - start);
    await frame();
    await frame();
    times.push(performance.now() - start);
  }
  return { times, work };
}"""


def prepare(data: Path) -> None:
    os.environ |= {"SIGHTLINE_DATA": str(data), "DEBUG": "1", "DJANGO_SETTINGS_MODULE": "quiz.settings"}
    import django

    django.setup()
    from django.core.management import call_command

    from cases.imaging import rexlike
    from cases.imaging.phantom.cases import PhantomCase, PhantomFinding
    from cases.imaging.phantom.chest import Body, finish, make_chest
    from cases.imaging.phantom.lesions import nodules, settle
    from quiz.demo import make_people

    body = Body(1, size=(300, 512, 512), spacing_mm=(0.95, 0.7, 0.7))
    chest = make_chest(body)
    truth = nodules(chest, [(settle(chest, (66.0, 44.0, 70.0), 8.0, chest.inside(2, 3)), 12.0)])
    found = PhantomFinding("12 mm nodule in the left lower lobe", "2d", truth)
    case = PhantomCase("valid_9301_a_1", "val", finish(chest), body.grid, (found,))
    rexlike.write_index(data / "rex", [rexlike.write_case(data / "rex", case)])
    call_command("migrate", verbosity=0)
    call_command("import_rexgroundingct", str(data / "rex"))
    make_people()


def measure(page, address: str) -> dict[str, float]:
    from quiz.demo import PASSWORD

    page.goto(f"{address}/accounts/login/")
    page.fill("[name=login]", "trainee")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.click("text=Any finding")
    page.wait_for_url("**/attempts/*/")
    result = {}
    start = time.perf_counter()
    page.reload(wait_until="commit")
    page.wait_for_selector("ct-viewer canvas")
    page.evaluate(f"{VIEWER}.ready")
    result["first slice, ms"] = (time.perf_counter() - start) * 1000
    while page.evaluate(f"{VIEWER}.stack.loaded") < 300:
        page.wait_for_timeout(20)
    result["whole volume, ms"] = (time.perf_counter() - start) * 1000
    scrolled = page.evaluate(SCROLL)
    result["scroll p50, ms to the frame after"] = statistics.median(scrolled["times"])
    result["scroll p95, ms to the frame after"] = sorted(scrolled["times"])[int(0.95 * len(scrolled["times"]))]
    page.evaluate(f"{VIEWER}.k = 74")
    place = page.evaluate(f"{VIEWER}.clientAt(74, 318, 350)")
    page.mouse.click(place["x"], place["y"])
    start = time.perf_counter()
    page.click("[data-action=submit]")
    page.wait_for_selector("[data-feedback]")
    result["submit to feedback, ms"] = (time.perf_counter() - start) * 1000
    return result


def main() -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        # Only now: the test settings are for processes that have pytest loaded.
        from tests.browser.conftest import FLAGS
        from tests.run import find_chromium

        gunicorn = Path(sys.executable).with_name("gunicorn")
        where = ["--bind", f"127.0.0.1:{PORT}", "-k", "gthread", "-w", "2", "--threads", "4", "--log-level", "error"]
        server = subprocess.Popen([gunicorn, "quiz.wsgi", *where], cwd=ROOT)
        time.sleep(3)
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
                page = browser.new_page(viewport={"width": 1366, "height": 768})
                for name, value in measure(page, f"http://127.0.0.1:{PORT}").items():
                    print(f"{name:36} {value:8.1f}")
                browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
