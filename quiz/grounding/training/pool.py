"""Phantoms on disk, made once and used for many steps: one file per seed, written whole or not at all."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quiz.grounding.training import phantoms
from quiz.grounding.training.findings import Target
from quiz.grounding.training.phantoms import STEP_MM, Phantom, Told

VERSION = 1
"""Raised when the same seed gives another phantom."""


SEEDS_APART = 1_000_000
RESERVED = range(220, 1000)
"""Of each million these are never learned from: thresholds are chosen and models tested on them."""


def seeds_of(run: int, count: int) -> list[int]:
    """Seeds of the phantoms that a run of training learns from; no two runs share one."""
    first = run * SEEDS_APART
    return [first + n + (len(RESERVED) if n >= RESERVED.start else 0) for n in range(count)]


def path_of(folder: Path, seed: int, step_mm: float = STEP_MM) -> Path:
    fine = "" if step_mm == STEP_MM else f"-{step_mm:g}mm"
    return folder / f"phantom-v{VERSION}-{seed}{fine}.npz"


def fill(folder: Path, seeds: Iterable[int], workers: int = 1, step_mm: float = STEP_MM) -> list[Path]:
    """Make the phantoms that are missing; gives the files of all of them, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(seeds)
    missing = [(folder, seed, step_mm) for seed in wanted if not path_of(folder, seed, step_mm).exists()]
    if workers > 1 and len(missing) > 1:
        with get_context("spawn").Pool(workers) as pool:
            pool.map(_write, missing, chunksize=4)
    else:
        for item in missing:
            _write(item)
    return [path_of(folder, seed, step_mm) for seed in wanted]


def _write(item: tuple[Path, int, float]) -> None:
    folder, seed, step_mm = item
    save(phantoms.make(seed, step_mm), path_of(folder, seed, step_mm))


def save(phantom: Phantom, path: Path) -> None:
    arrays: dict[str, NDArray[Any]] = {"voxels": phantom.voxels}
    told: list[dict[str, Any]] = []
    for n, one in enumerate(phantom.told):
        told.append({"sentence": one.sentence, "category": one.category, "target": asdict(one.target)})
        told[-1] |= {"size_mm": one.size_mm, "twin": one.twin, "fine_low": list(one.fine_low)}
        arrays[f"truth{n}"] = np.packbits(one.truth)
        if one.fine is not None and one.fine_truth is not None:
            arrays |= {f"fine{n}": one.fine, f"fine_truth{n}": one.fine_truth}
    words = json.dumps({"seed": phantom.seed, "step_mm": phantom.step_mm, "told": told}).encode()
    arrays["words"] = np.frombuffer(words, dtype=np.uint8)
    half = path.with_suffix(".part.npz")
    np.savez(half, **arrays)  # type: ignore[arg-type]
    half.rename(path)


def load(path: Path) -> Phantom:
    with np.load(path, allow_pickle=False) as stored:
        words = json.loads(stored["words"].tobytes())
        voxels = stored["voxels"]
        told = []
        for n, one in enumerate(words["told"]):
            truth = np.unpackbits(stored[f"truth{n}"], count=voxels.size).reshape(voxels.shape).astype(bool)
            fine, fine_truth = (stored.get(f"fine{n}"), stored.get(f"fine_truth{n}"))
            z, y, x = one["fine_low"]
            target = Target(**one["target"])
            told.append(
                Told(
                    one["sentence"],
                    one["category"],
                    target,
                    one["size_mm"],
                    truth,
                    one["twin"],
                    fine,
                    fine_truth,
                    (z, y, x),
                )
            )
    return Phantom(words["seed"], voxels, tuple(told), words.get("step_mm", STEP_MM))
