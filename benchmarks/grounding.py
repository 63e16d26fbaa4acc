"""How well the engines mark what sentences say, on public CTs with masks and on synthetic chests made for it.

    .venv/bin/python benchmarks/grounding.py                         # every engine that can run here
    .venv/bin/python benchmarks/grounding.py --engine classical --phantoms 12 --report FILE.json

Numbers on synthetic chests compare engines with each other and say nothing of patients. The few public CTs are named one
by one, never averaged into a claim. The chests here are drawn by another program than those that anything was trained on.
Seconds are those of the processor, per sentence, with the scan's own preparation shared among its sentences.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cases.imaging import masks, nifti, nifti_masks, rexgrounding  # noqa: E402
from cases.imaging.geometry import Grid  # noqa: E402
from cases.imaging.masks import SparseMask  # noqa: E402
from cases.imaging.phantom import lesions  # noqa: E402
from cases.imaging.phantom.chest import Body, Chest, finish, make_chest  # noqa: E402
from quiz.grounding import registry, shown  # noqa: E402
from quiz.grounding.base import EngineUnavailable, Grounding  # noqa: E402
from quiz.grounding.confidence import agreement  # noqa: E402
from quiz.scoring.nearness import within  # noqa: E402

REAL = ROOT.parent / "shared/cases/rexlike"
HIT = 0.1
POINTING_MM = 10.0
RIGHT, LEFT = 1, 2
UPPER, MIDDLE, LOWER = 1, 2, 3
LOBES = {UPPER: "upper", MIDDLE: "middle", LOWER: "lower"}


@dataclass(frozen=True)
class Asked:
    """A sentence with its truth, and the truth of a finding of the same kind elsewhere, if there is one."""

    sentence: str
    category: str
    truth: SparseMask
    twin: SparseMask | None = None


@dataclass(frozen=True)
class Scan:
    name: str
    voxels: np.ndarray
    grid: Grid
    asked: list[Asked]


def real_scans(root: Path) -> Iterator[Scan]:
    for entry in rexgrounding.read_entries(root):
        ct_at, mask_at = rexgrounding.locate_ct(root, [], entry), rexgrounding.locate_mask(root, entry)
        if ct_at is None or mask_at is None:
            continue
        ct = nifti.read_ct(ct_at[0], old=ct_at[1])
        truths = nifti_masks.read_masks(mask_at, ct.frame, findings=len(entry.sentences))
        asked = [Asked(f.text, f.category, t.union()) for f, t in zip(entry.sentences, truths, strict=True)]
        yield Scan(entry.stem, ct.voxels, ct.grid, asked)


def phantom_scans(count: int, seed: int) -> Iterator[Scan]:
    """Chests of many builds and slicings, each with two findings of one kind in different lobes, and two more."""
    for n in range(count):
        rng = np.random.default_rng(1000 * seed + n)
        dk = float(rng.choice([2.0, 3.0, 5.0]))
        di = float(rng.choice([1.4, 1.8]))
        body = Body(
            int(rng.integers(1 << 30)), size=(round(300 / dk), 2 * round(180 / di), 2 * round(180 / di)),
            spacing_mm=(dk, di, di), girth=float(rng.uniform(0.94, 1.06)), fat_mm=float(rng.uniform(9, 22)),
            heart=float(rng.uniform(0.88, 1.15)), noise_hu=float(rng.uniform(12, 34)),
        )  # fmt: skip
        chest = make_chest(body)
        found = list(_pair(chest, rng, n)) + list(_others(chest, rng, n))
        asked = [Asked(sentence, code, masks.from_dense(t).union()) for sentence, code, t in found]
        one, two = asked[:2]
        asked[:2] = [Asked(one.sentence, one.category, one.truth, two.truth),
                     Asked(two.sentence, two.category, two.truth, one.truth)]  # fmt: skip
        yield Scan(f"phantom {n}", finish(chest), body.grid, [a for a in asked if not a.truth.is_empty])


def _spot(chest: Chest, rng: np.random.Generator, side: int, lobe: int, margin_mm: float) -> lesions.Place:
    inside = chest.inside(side, lobe)
    flat = np.flatnonzero(inside)
    k, j, i = np.unravel_index(int(rng.choice(flat)), inside.shape)
    rough = (float(chest.x[0, 0, i]), float(chest.y[0, j, 0]), float(chest.z[k, 0, 0]))
    return lesions.settle(chest, rough, margin_mm, inside)


def _pair(chest: Chest, rng: np.random.Generator, n: int) -> Iterator[tuple[str, str, np.ndarray]]:
    lobes = [(RIGHT, UPPER), (RIGHT, MIDDLE), (RIGHT, LOWER), (LEFT, UPPER), (LEFT, LOWER)]
    for place in rng.permutation(len(lobes))[:2]:
        side, lobe = lobes[place]
        words = f"the {'right' if side == RIGHT else 'left'} {LOBES[lobe]} lobe"
        match n % 4:
            case 0 | 1:
                mm = float(rng.uniform(6, 22))
                truth = lesions.nodules(chest, [(_spot(chest, rng, side, lobe, mm / 2 + 2), mm)])
                yield f"Solid nodule in {words}", "2d", truth
            case 2:
                mm = float(rng.uniform(18, 40))
                truth = lesions.ground_glass(chest, [(_spot(chest, rng, side, lobe, mm * 0.4), mm)])
                yield f"Ground-glass opacity in {words}", "2c", truth
            case _:
                at = _spot(chest, rng, side, lobe, 12)
                truth = lesions.consolidation(chest, at, tuple(rng.uniform(14, 30, 3)), side=side, lobe=lobe)
                yield f"Consolidation in {words}", "2b", truth


def _others(chest: Chest, rng: np.random.Generator, n: int) -> Iterator[tuple[str, str, np.ndarray]]:
    side = int(rng.choice([RIGHT, LEFT]))
    word = "right" if side == RIGHT else "left"
    spot = _spot(chest, rng, side, LOWER, 14)
    heading = tuple(rng.uniform(-0.6, 0.6, 3))
    match n % 6:
        case 0:
            truth = lesions.effusion(chest, side=side, depth_mm=rng.uniform(16, 46), top_mm=rng.uniform(100, 190))
            yield f"{word.capitalize()} pleural effusion", "2e", truth
        case 1:
            truth = lesions.emphysema(chest, sides=(side,), lobe=UPPER, count=500)
            yield f"Centrilobular emphysema in the {word} upper lobe", "1c", truth
        case 2:
            truth = lesions.pneumothorax(chest, side=side, depth_mm=rng.uniform(12, 26))
            yield f"{word.capitalize()} pneumothorax", "2g", truth
        case 3:
            truth = lesions.bronchiectasis(chest, [(spot, heading, 4.2)], side=side)
            yield f"Bronchiectasis in the {word} lower lobe", "1b", truth
        case 4:
            yield (
                f"Tree-in-bud micronodules in the {word} lower lobe",
                "1e",
                lesions.micronodules(chest, [(spot, 34)], side=side),
            )
        case _:
            truth = lesions.honeycombing(chest, sides=(side,))
            yield f"Subpleural honeycombing in the {word} lower zone", "2f", truth
    spot = _spot(chest, rng, side, UPPER, 10)
    truth = lesions.bands(chest, [(spot, tuple(rng.uniform(-0.9, 0.9, 3)), 40)], side=side)
    yield f"Linear scar in the {word} upper lobe", "2a", truth


def dice(a: SparseMask, b: SparseMask) -> float:
    return agreement(a, b)


def points(truth: SparseMask, answer: Grounding, grid: Grid) -> bool:
    """Whether the peak of the engine's heat (of its mask's, if it gives none) lies in the truth or within POINTING_MM."""
    heat = answer.heat or shown.shown_heat(answer.mask, None, grid)
    if heat is None or not heat.values.any():
        return False
    flat = np.ravel_multi_index(
        tuple(min(p, n - 1) for p, n in zip(shown.peak(heat), grid.size, strict=True)), grid.size
    )
    return bool(within(truth, np.array([flat]), POINTING_MM, grid.spacing_mm, flat=False)[0])


def measure(scans: Iterator[Scan], engines: dict) -> list[dict]:
    rows = []
    for scan in scans:
        for name, engine in engines.items():
            start = time.process_time()
            answers = engine.ground(scan.voxels, scan.grid, [a.sentence for a in scan.asked])
            seconds = (time.process_time() - start) / len(answers)
            for a, answer in zip(scan.asked, answers, strict=True):
                own, twin = dice(a.truth, answer.mask), dice(a.twin, answer.mask) if a.twin else None
                rows.append({
                    "scan": scan.name, "size": list(scan.grid.size), "engine": name, "sentence": a.sentence,
                    "category": a.category, "dice": own, "hit": own >= HIT, "twin_dice": twin,
                    "points": points(a.truth, answer, scan.grid), "confidence": answer.confidence,
                    "read": answer.attributes.get("category", ""), "seconds": seconds, "note": answer.note,
                })  # fmt: skip
                tell(rows[-1])
    return rows


def tell(row: dict) -> None:
    twin = "" if row["twin_dice"] is None else f" twin {row['twin_dice']:.2f}"
    print(
        f"  {row['scan']:<16} {row['engine']:<10} {row['category']} dice {row['dice']:.2f}{twin}"
        f" points {'yes' if row['points'] else 'no '} sure {row['confidence']:.2f} {row['seconds']:5.1f} s"
        f"  {row['sentence'][:60]}  {row['note']}",
        flush=True,
    )


def summary(rows: list[dict], title: str) -> None:
    print(f"\n{title}\n{'engine':<12}{'':<6}{'n':>4}{'Dice':>7}{'hit':>6}{'points':>8}{'twin':>7}{'s':>6}")
    for name in dict.fromkeys(row["engine"] for row in rows):
        mine = [row for row in rows if row["engine"] == name]
        for code in ("all", *sorted({row["category"] for row in mine})):
            some = [row for row in mine if code in ("all", row["category"])]
            with_twin = [row for row in some if row["twin_dice"] is not None]
            picked = sum(row["twin_dice"] > max(row["dice"], 0.02) for row in with_twin)
            print(
                f"{name if code == 'all' else '':<12}{code:<6}{len(some):>4}{np.mean([r['dice'] for r in some]):>7.2f}"
                f"{np.mean([r['hit'] for r in some]):>6.2f}{np.mean([r['points'] for r in some]):>8.2f}"
                f"{f'{picked}/{len(with_twin)}' if with_twin else '':>7}{np.mean([r['seconds'] for r in some]):>6.1f}"
            )


def main() -> None:
    ask = argparse.ArgumentParser()
    ask.add_argument("--engine", action="append", help="Only these.")
    ask.add_argument("--phantoms", type=int, default=12)
    ask.add_argument("--seed", type=int, default=7)
    ask.add_argument("--real", type=Path, default=REAL)
    ask.add_argument("--report", type=Path)
    options = ask.parse_args()
    engines = {}
    for name in options.engine or [name for name in registry.names() if name != "text"]:
        try:
            engines[name] = registry.make(name)
        except EngineUnavailable as error:
            print(f"{name}: {error}")
    found = {}
    if options.real.is_dir():
        found["public CTs"] = measure(real_scans(options.real), engines)
    if options.phantoms:
        found["synthetic chests"] = measure(phantom_scans(options.phantoms, options.seed), engines)
    for title, rows in found.items():
        summary(rows, title)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of the process, scans included: {peak:.0f} MB")
    if options.report:
        options.report.write_text(json.dumps({"rows": found, "peak_mb": peak}, indent=1))


if __name__ == "__main__":
    main()
