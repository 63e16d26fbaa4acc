"""The reading room's viewer, NiiVue and Cornerstone3D on one 512 x 512 x 300 chest CT in headless Chromium.

    .venv/bin/python benchmarks/viewer/run.py                      # 5 interleaved runs, then 2 Mbit/s
    .venv/bin/python benchmarks/viewer/run.py --runs 3 --no-slow --only sightline --only niivue

Needs chromium, node and npm (the peers are installed into the working folder, never into the product). Every result is
kept in results.json at once: a run that is stopped, or a peer that hangs, loses only itself, and the next goes on.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.viewer import measure, stage
from benchmarks.viewer.line import slow_line

SLOW = {"2 Mbit/s": 2e6}
HANGS_S = 1500


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slow-runs", type=int, default=1)
    parser.add_argument(
        "--no-slow", action="store_true", help="leave out the 2 Mbit/s line, on which peers take minutes"
    )
    parser.add_argument("--only", action="append", choices=[viewer.name for viewer in measure.VIEWERS])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "sightline-viewer-benchmark")
    parser.add_argument(
        "--size", type=int, nargs=3, default=stage.SIZE, metavar=("I", "J", "K"), help="voxels of the CT"
    )
    parser.add_argument("--fresh", action="store_true", help="forget earlier results of the viewers measured")
    parser.add_argument("--one", nargs=3, metavar=("VIEWER", "KIND", "STAGE"), help=argparse.SUPPRESS)
    return parser.parse_args(words)


def one(name: str, kind: str, told: str, folder: Path) -> None:
    """In a process of its own, which may be ended when it hangs: measures and prints JSON."""
    from playwright.sync_api import sync_playwright

    from tests.run import find_chromium

    fields = json.loads(told)
    ready = stage.Stage(**fields | {"logs": {int(port): Path(log) for port, log in fields["logs"].items()}})
    viewer = next(viewer for viewer in measure.VIEWERS if viewer.name == name)
    with sync_playwright() as playwright:
        chromium = find_chromium()
        if kind == "full":
            result = measure.measure(playwright, chromium, viewer, ready, folder)
        else:
            with slow_line(ready.ours if viewer.ours else ready.peers, SLOW[kind]) as port:
                result = measure.first_on_a_slow_line(playwright, chromium, viewer, ready, port, kind)
    print(json.dumps(result | {"load of the machine": os.getloadavg()[0]}))


def asked_of_a_process(name: str, kind: str, ready: stage.Stage, folder: Path) -> dict | None:
    fields = vars(ready) | {"logs": {port: str(log) for port, log in ready.logs.items()}}
    command = [sys.executable, __file__, "--folder", str(folder), "--one", name, kind, json.dumps(fields)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=HANGS_S, check=True)
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        print(f"    {name}: no result ({type(error).__name__})", flush=True)
        return None


def main(words: list[str]) -> None:
    options = parsed(words)
    if options.one:
        one(*options.one, options.folder)
        return
    stage.prepare(options.folder, tuple(options.size))
    file = options.folder / "results.json"
    results: dict[str, dict[str, list]] = json.loads(file.read_text()) if file.exists() else {}
    names = options.only or [viewer.name for viewer in measure.VIEWERS]
    if options.fresh:
        for name in names:
            results.pop(name, None)
    kinds = [("full", options.runs)] + ([] if options.no_slow else [(line, options.slow_runs) for line in SLOW])
    with stage.serving(options.folder) as ready:
        for kind, runs in kinds:
            for run in range(runs):
                for name in names:
                    kept = results.setdefault(name, {}).setdefault(kind, [])
                    if len(kept) > run:
                        continue
                    began = time.monotonic()
                    result = asked_of_a_process(name, kind, ready, options.folder)
                    if result is None:
                        continue
                    kept.append(result)
                    file.write_text(json.dumps(results, indent=1))
                    print(f"{name} {kind} {run + 1}: {time.monotonic() - began:.0f} s", flush=True)
    print(table(results))


def table(results: dict[str, dict[str, list]]) -> str:
    """Medians, as a Markdown table."""
    shown = [viewer for viewer in measure.VIEWERS if viewer.name in results]
    medians: dict[str, dict[str, str]] = {}
    for viewer in shown:
        for kept in results[viewer.name].values():
            for row in dict.fromkeys(row for one in kept for row in one):
                values = [one[row] for one in kept if one.get(row) is not None]
                middle = statistics.median(values) if values else None
                text = "none" if middle is None else f"{middle:,.0f}" if middle >= 20 else f"{middle:.1f}"
                medians.setdefault(row, {})[viewer.name] = text
    lines = ["| | " + " | ".join(viewer.title for viewer in shown) + " |", "| --- |" + " --- |" * len(shown)]
    for row, values in medians.items():
        lines.append(f"| {row} | " + " | ".join(values.get(viewer.name, "not measured") for viewer in shown) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
