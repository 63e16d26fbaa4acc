"""What a scanner makes of a chest: slice thickness, kernel, dose, an offset, and a field that may cut the lungs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from quiz.grounding.training.space import Array


@dataclass(frozen=True)
class Scanner:
    """thickness_mm: of a slice. blur_mm: sigma of the kernel in the plane. noise_hu: at 3 mm. shift_hu, gain: calibration.

    cut: share of the height of the field that is missing below and above. crop: share missing at the four sides.
    """

    thickness_mm: float
    blur_mm: float
    noise_hu: float
    grain: float
    shift_hu: float
    gain: float
    cut: tuple[float, float]
    crop: tuple[float, float, float, float]
    seed: int


def random_scanner(rng: np.random.Generator) -> Scanner:
    u = rng.uniform
    cut = (
        float(u(0.05, 0.35)) if rng.random() < 0.12 else 0.0,
        float(u(0.05, 0.35)) if rng.random() < 0.12 else 0.0,
    )
    sides = tuple(float(u(0.0, 0.15)) for _ in range(4)) if rng.random() < 0.2 else (0.0,) * 4
    return Scanner(
        thickness_mm=float(rng.choice([1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 5.0])),
        blur_mm=float(u(0.3, 1.3)),
        noise_hu=float(np.exp(u(np.log(3), np.log(32)))),
        grain=float(u(0.35, 0.8)),
        shift_hu=float(rng.normal(0, 12)),
        gain=float(rng.normal(1, 0.02)),
        cut=cut,
        crop=sides,  # type: ignore[arg-type]
        seed=int(rng.integers(2**31)),
    )


def scan(scanner: Scanner, hu: Array, step: float) -> NDArray[np.int16]:
    """Blur along and across, noise, calibration. step: mm between voxels."""
    rng = np.random.default_rng(scanner.seed)
    plane = scanner.blur_mm / step
    # A box of the slice's thickness has the spread of a bell of thickness / sqrt(12).
    along = scanner.thickness_mm / np.sqrt(12) / step
    out = ndimage.gaussian_filter(hu, (along, plane, plane), truncate=3)
    noise = ndimage.gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), scanner.grain, truncate=2)
    # Fewer photons per voxel: the noise of a cube grows as its edge shrinks, less along thick slices.
    strength = scanner.noise_hu * float(np.clip((3.0 / step) ** 1.2, 1, 3))
    out = (out + noise / max(float(noise.std()), 1e-6) * strength + 1000) * scanner.gain - 1000 + scanner.shift_hu
    return np.asarray(np.clip(np.rint(out), -1024, 3071), dtype=np.int16)


def field(scanner: Scanner, size: tuple[int, int, int]) -> tuple[slice, slice, slice]:
    """The part of a frame that the scan covers."""
    parts = []
    for n, (low, high) in zip(size, (scanner.cut, scanner.crop[:2], scanner.crop[2:]), strict=True):
        parts.append(slice(round(low * n), n - round(high * n)))
    return parts[0], parts[1], parts[2]
