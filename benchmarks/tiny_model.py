"""How good is the tiny grounding model? On phantoms that it never saw, beside other engines, and on real CTs.

    .venv/bin/python -m benchmarks.tiny_model [--weights FILE] [--engines tiny,classical] [--real ROOT] [--calibrate]

Prints the tables that docs/model-card-tiny.md quotes.
"""

import argparse
import json
import resource
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import isotonic_regression

from cases.imaging import masks, nifti, nifti_masks, rexgrounding
from quiz.grounding import registry, tiny, weights
from quiz.grounding.base import EngineUnavailable
from quiz.grounding.confidence import agreement
from quiz.grounding.lungs import find_lungs
from quiz.grounding.prior import prior
from quiz.grounding.sentence import CATEGORIES, parse
from quiz.grounding.training import pool, scans

CALIBRATION = 1_000_220
HELD_OUT = 1_000_300
"""Seeds that no run of training uses (``pool.seeds_of``): 80 to choose thresholds on, and those after them to test."""
HIT = 0.1
GRID = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)


def dice(mask, truth):
    total = mask.voxels() + truth.voxels()
    return 2 * int(np.intersect1d(mask.flat(), truth.flat(), assume_unique=True).size) / total if total else 1.0


def pointed(answer, truth):
    """Whether the strongest cell of the heat holds a voxel of the finding."""
    if answer.heat is None or not answer.heat.values.any():
        return False
    cell = np.unravel_index(int(np.argmax(answer.heat.values)), answer.heat.values.shape)
    low = [c * s for c, s in zip(cell, answer.heat.step, strict=True)]
    box = tuple(slice(a, min(a + s, n)) for a, s, n in zip(low, answer.heat.step, truth.size, strict=True))
    return bool(truth.window(box).any())


def measure(engine, files):
    rows = []
    for file in files:
        phantom = pool.load(file)
        lungs = find_lungs(phantom.voxels, phantom.grid)
        begun = time.process_time()
        answers = engine.ground(phantom.voxels, phantom.grid, [one.sentence for one in phantom.told])
        seconds = time.process_time() - begun
        truths = [masks.from_dense(one.truth.astype(np.uint8)) for one in phantom.told]
        for one, answer, truth in zip(phantom.told, answers, truths, strict=True):
            own = dice(answer.mask, truth)
            twin = dice(answer.mask, truths[one.twin]) if one.twin >= 0 else None
            rows.append(
                {
                    "category": one.category,
                    "cut": lungs is not None and not lungs.whole,
                    "dice": own,
                    "hit": own >= HIT,
                    "pointed": pointed(answer, truth),
                    "twin": None if twin is None else twin > own and twin >= HIT,
                    "confidence": answer.confidence,
                    "mask": answer.mask,
                    "seconds": seconds / max(1, len(answers)),
                }
            )
    return rows


def table(name, rows):
    by = defaultdict(list)
    for row in rows:
        by[row["category"]].append(row)
    print(f"\n### {name}: {len(rows)} findings\n")
    print("| category | n | Dice | hit | pointing | marks the twin instead |")
    print("| --- | --- | --- | --- | --- | --- |")
    for code in (*CATEGORIES, "all"):
        some = rows if code == "all" else by[code]
        if some:
            twins = [row["twin"] for row in some if row["twin"] is not None]
            share = f"{sum(twins)} of {len(twins)}" if twins else "-"
            means = " | ".join(f"{np.mean([row[key] for row in some]):.2f}" for key in ("dice", "hit", "pointed"))
            print(f"| {code} | {len(some)} | {means} | {share} |")
    print("\n| scans | n | hit | marks the twin instead |\n| --- | --- | --- | --- |")
    for words, some in (("whole", [r for r in rows if not r["cut"]]), ("cut off", [r for r in rows if r["cut"]])):
        twins = [row["twin"] for row in some if row["twin"] is not None]
        if some:
            print(f"| {words} | {len(some)} | {np.mean([r['hit'] for r in some]):.2f} | {sum(twins)} of {len(twins)} |")
    sure = sorted(rows, key=lambda row: -row["confidence"])
    print("\n| confidence, thirds of the answers | n | hit |\n| --- | --- | --- |")
    for part in np.array_split(np.arange(len(sure)), 3):
        said, hit = (np.mean([sure[n][key] for n in part]) for key in ("confidence", "hit"))
        print(f"| {said:.2f} | {len(part)} | {hit:.2f} |")
    print()
    print(f"{np.mean([row['seconds'] for row in rows]):.1f} CPU-seconds a sentence; ", end="")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB.")


def calibrate(engine, files):
    """Threshold of each category with the best mean Dice on phantoms that are for nothing else, in cubes."""
    scores = defaultdict(list)
    for file in files:
        phantom = pool.load(file)
        look = tiny.Look(engine, phantom.voxels, phantom.grid)
        if look.lungs is None:
            continue
        for one in phantom.told:
            parsed = parse(one.sentence)
            chance = look.chance(parsed, prior(look.lungs, parsed))
            truth = scans.truth_in_cubes(masks.from_dense(one.truth.astype(np.uint8)), phantom.grid)
            row = [2 * (truth & (chance > at)).sum() / max(1, truth.sum() + (chance > at).sum()) for at in GRID]
            scores[one.category].append(row)
    # With few examples a threshold is drawn towards the middle: it has to be better by some margin to be chosen.
    margin = 0.05 * np.abs(np.array(GRID) - 0.45)
    return {code: GRID[int(np.argmax(np.mean(rows, axis=0) - margin))] for code, rows in sorted(scores.items())}


def agreed(measured):
    """Where classical and tiny agree, how often is each of them right?"""
    if not {"classical", "tiny"} <= set(measured):
        return
    shared = [agreement(a["mask"], b["mask"]) for a, b in zip(measured["classical"], measured["tiny"], strict=True)]
    print("\n| Dice between classical and tiny | n |" + "".join(f" {name} hits |" for name in measured))
    print("| --- | --- |" + " --- |" * len(measured))
    for low, high, words in ((0, 0.05, "below 0.05"), (0.05, 0.3, "0.05 to 0.3"), (0.3, 2, "0.3 and more")):
        these = [n for n, dice in enumerate(shared) if low <= dice < high]
        if these:
            cells = [f" {np.mean([rows[n]['hit'] for n in these]):.2f} |" for rows in measured.values()]
            print(f"| {words} | {len(these)} |" + "".join(cells))


def count_hits(rows):
    """(mean of the map within a mask, share of masks that hit): a rising line through fifths of some answers."""
    rows = sorted((row["confidence"], float(row["hit"])) for row in rows if row["confidence"])
    means, hits = np.array(rows).T
    rising = isotonic_regression(hits).x
    parts = np.array_split(np.arange(len(rows)), 5)
    return [(round(float(means[part].mean()), 3), round(float(rising[part].mean()), 3)) for part in parts]


def stamp(source, target, thresholds, hits):
    """The weights to be shipped: those of a run, with what was calibrated and the version in their metadata."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(source, framework="pt") as stored:
        counted = {"thresholds": json.dumps(thresholds), "hits": json.dumps(hits)}
        words = {**stored.metadata(), **counted, "version": weights.VERSION}
        save_file({name: stored.get_tensor(name) for name in stored.keys()}, target, metadata=words)  # noqa: SIM118
    print(f"{target}: sha256 {weights.sha256_of(Path(target))}")


def real(engines, root):
    print("\n### Real CTs, never trained on\n")
    print("| scan | finding | " + " | ".join(f"{name}: Dice, pointing" for name in engines) + " |")
    print("| --- | --- |" + " --- |" * len(engines))
    for entry in rexgrounding.read_entries(root):
        located, mask = rexgrounding.locate_ct(root, [], entry), rexgrounding.locate_mask(root, entry)
        ct = nifti.read_ct(located[0])
        truths = list(nifti_masks.read_masks(mask, ct.frame, findings=len(entry.sentences)))
        answers = {}
        for name, engine in engines.items():
            answers[name] = engine.ground(ct.voxels, ct.frame.grid, [s.text for s in entry.sentences])
        for n, (sentence, truth) in enumerate(zip(entry.sentences, truths, strict=True)):
            cells = []
            for name in engines:
                answer = answers[name][n]
                cells.append(f"{dice(answer.mask, truth):.2f}, {'yes' if pointed(answer, truth) else 'no'}")
            print(f"| {entry.stem} | {sentence.category} {sentence.text} | {' | '.join(cells)} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="Other weights than the shipped ones.")
    parser.add_argument("--engines", default="tiny,classical,combined")
    parser.add_argument("--folder", type=Path, default=Path("var/tiny/held-out"))
    parser.add_argument("--phantoms", type=int, default=60)
    parser.add_argument("--from", dest="first", type=int, default=HELD_OUT, help="Seed of the first of them.")
    parser.add_argument("--step", type=float, default=3.0, help="Voxels of the phantoms, mm.")
    parser.add_argument("--real", type=Path, help="A folder in the data set's layout.")
    parser.add_argument("--calibrate", type=int, default=0, help="Choose thresholds on so many other phantoms first.")
    parser.add_argument("--output", type=Path, help="Write the weights here, with the thresholds that were chosen.")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    engines = {}
    for name in options.engines.split(","):
        try:
            if name == "tiny":
                engines[name] = tiny.make(path=options.weights)
            else:
                engines[name] = registry.make(name)
        except EngineUnavailable as error:
            print(f"{name}: {error}")
    if options.calibrate:
        files = pool.fill(options.folder, range(CALIBRATION, CALIBRATION + options.calibrate))
        thresholds = calibrate(engines["tiny"], files)
        engines["tiny"].loaded.thresholds.update(thresholds)
        engines["tiny"].loaded.hits.clear()
        hits = count_hits(measure(engines["tiny"], files))
        engines["tiny"].loaded.hits.extend(hits)
        print(json.dumps(thresholds), json.dumps(hits))
        if options.output:
            stamp(options.weights, options.output, thresholds, hits)
    files = pool.fill(options.folder, range(options.first, options.first + options.phantoms), step_mm=options.step)
    measured = {}
    for name, engine in engines.items():
        measured[name] = measure(engine, files)
        table(f"{name} {engine.version}", measured[name])
    agreed(measured)
    if options.real:
        real(engines, options.real)


if __name__ == "__main__":
    main()
