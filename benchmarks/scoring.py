"""Time and memory of a grade on 512 x 512 x 336, next to the same numbers worked out on the whole volume.

    .venv/bin/python benchmarks/scoring.py [--alone]

Four findings: a nodule, an effusion of 1.5 litres, 36 micronodules, emphysema through both lungs; each answered as
learners do (one slice, and the whole of it). The full-volume route computes Dice, components and the distances that
the grade's tolerance needs with scipy and MONAI on arrays of the whole volume.
"""

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cases.imaging import masks  # noqa: E402
from cases.imaging.geometry import Grid  # noqa: E402
from quiz.scoring import grade  # noqa: E402
from quiz.scoring.feedback import feedback  # noqa: E402
from quiz.scoring.question import Question  # noqa: E402

SIZE, SPACING = (336, 512, 512), (1.0, 0.7, 0.7)
GRID = Grid(SIZE, SPACING, ((0.7, 0, 0, 0), (0, 0.7, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1)))
Array = np.ndarray


def ellipsoid(centre: tuple[float, ...], radii_mm: tuple[float, ...]) -> Array:
    k, j, i = np.ogrid[: SIZE[0], : SIZE[1], : SIZE[2]]
    parts = zip((k, j, i), centre, radii_mm, SPACING, strict=True)
    return sum(((axis - c) * mm / r) ** 2 for axis, c, r, mm in parts) < 1


def findings() -> dict[str, tuple[str, Array]]:
    rng = np.random.default_rng(0)
    lungs = ellipsoid((168, 250, 150), (140, 95, 65)) | ellipsoid((168, 250, 365), (135, 90, 62))
    effusion = ellipsoid((90, 330, 150), (90, 75, 62)) & (np.arange(512)[None, :, None] > 290)
    micro = np.zeros(SIZE, np.uint8)
    places = np.argwhere(lungs[::8, ::8, ::8]) * 8
    for number, place in enumerate(places[rng.choice(len(places), 36, replace=False)], start=1):
        micro[ellipsoid(tuple(place), (2.5, 2.5, 2.5))] = number
    noise = ndimage.gaussian_filter(rng.standard_normal((168, 256, 256)).astype(np.float32), 2.5)
    holes = np.repeat(np.repeat(np.repeat(noise > np.quantile(noise, 0.8), 2, 0), 2, 1), 2, 2) & lungs
    return {
        "nodule, 9 mm": ("2d", ellipsoid((100, 300, 380), (4.5, 4.5, 4.5)).astype(np.uint8)),
        f"effusion, {effusion.sum() * GRID.voxel_ml / 1000:.1f} l": ("2e", effusion.astype(np.uint8)),
        "36 micronodules as nodules": ("2d", micro),
        "36 micronodules": ("1e", micro),
        f"emphysema, {holes.sum() * GRID.voxel_ml / 1000:.1f} l": ("1c", holes.astype(np.uint8)),
    }


def answers(truth: Array) -> dict[str, tuple[str, Array]]:
    """A slice outlined a little too wide, and all of it, shifted by a voxel and a half."""
    best = int(np.argmax((truth != 0).sum(axis=(1, 2))))
    one = np.zeros(SIZE, bool)
    one[best] = ndimage.binary_dilation(truth[best] != 0, iterations=2)
    return {"slice": ("slice", one), "volume": ("volume", np.roll(truth != 0, (1, 2), (0, 1)))}


def full_volume(truth: Array, painted: Array, with_monai: bool) -> None:
    """What a straightforward scorer does."""
    true, wide = truth != 0, painted
    2 * np.count_nonzero(true & wide) / (np.count_nonzero(true) + np.count_nonzero(wide))
    ndimage.label(wide, ndimage.generate_binary_structure(3, 2))
    if not with_monai:
        for mask in (true, wide):
            ndimage.distance_transform_edt(~mask, sampling=SPACING)
        return
    import torch
    from monai.metrics import compute_dice, compute_surface_dice

    a, b = (torch.from_numpy(mask[None, None]).to(torch.float32) for mask in (true, wide))
    compute_dice(b, a)
    compute_surface_dice(b, a, class_thresholds=[2.0], include_background=True, spacing=SPACING)


def seconds(work: Callable[[], object], times: int) -> float:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def main(words: list[str]) -> None:
    print(f"{'finding':30}{'answer':9}{'grade':>9}{'peak':>9}{'scipy':>9}{'MONAI':>9}{'ratios':>14}")
    for name, (code, truth) in findings().items():
        packed_truth = masks.pack(masks.from_dense(truth))
        for kind, (mode, painted) in answers(truth).items():
            wire = masks.to_wire(masks.from_dense(painted))

            def work(wire=wire, mode=mode, code=code, packed_truth=packed_truth) -> object:
                question = Question(masks.unpack(packed_truth), GRID, code, True, "Finding")
                answer = masks.from_wire(wire, SIZE)
                graded = grade.grade(question, answer, mode=mode)
                return feedback(question, answer, graded), graded

            took = seconds(work, 5)
            tracemalloc.start()
            work()
            peak = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
            line = f"{name:30}{kind:9}{took * 1000:7.0f}ms{peak:7.0f}MB"
            if "--alone" not in words:
                full = seconds(lambda t=truth, p=painted: full_volume(t, p, False), 1)
                monai = seconds(lambda t=truth, p=painted: full_volume(t, p, True), 1)
                line += f"{full:8.1f}s{monai:8.1f}s{full / took:7.0f}{monai / took:7.0f}"
            print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
