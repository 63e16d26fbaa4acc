"""A chest made of formulas: what the demo and the tests look at when no real CT is there.

Coordinates are millimetres: x towards the patient's left (0 in the midline), y towards the back (0 in the middle of the
body), z towards the head (0 at the lowest slice). Arrays are [k, j, i] as everywhere in the house.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging.geometry import Grid

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

HEADINGS = (
    (0.5, -0.5, 0.75), (0.75, 0.1, 0.3), (0.6, 0.4, -0.45), (0.4, 0.75, 0.1), (0.55, -0.4, -0.5), (0.3, 0.3, 0.9),
    (0.8, -0.35, 0.05), (0.7, 0.6, 0.45), (0.35, 0.5, -0.8),
)  # fmt: skip
"""Ways in which segmental vessels leave the hilum: outwards, back, up."""

AIR, LUNG, FAT, MUSCLE, BLOOD, ORGAN, SPONGY, CORTEX = -1000.0, -862.0, -100.0, 52.0, 125.0, 62.0, 210.0, 720.0
VESSEL = 45.0


@dataclass(frozen=True)
class Body:
    """One person. size: (K, J, I). Scales are 1 for the average."""

    seed: int
    size: tuple[int, int, int] = (128, 512, 512)
    spacing_mm: tuple[float, float, float] = (2.3, 0.7, 0.7)
    girth: float = 1.0
    fat_mm: float = 16.0
    heart: float = 1.0
    height_mm: float = 285.0
    noise_hu: float = 22.0

    @property
    def grid(self) -> Grid:
        dk, dj, di = self.spacing_mm
        _, rows, columns = self.size
        x0, y0 = -(columns - 1) / 2 * di, -(rows - 1) / 2 * dj
        affine = ((di, 0.0, 0.0, x0), (0.0, dj, 0.0, y0), (0.0, 0.0, dk, 0.0), (0.0, 0.0, 0.0, 1.0))
        return Grid(self.size, self.spacing_mm, affine)


@dataclass
class Chest:
    """hu: [k, j, i] without noise. lung: air-holding lung. side: 1 right, 2 left. lobe: 1 upper, 2 middle, 3 lower.

    depth: millimetres from the pleura, roughly. x, y, z: coordinates in millimetres, broadcastable.
    """

    body: Body
    hu: Array
    lung: Mask
    side: NDArray[np.uint8]
    lobe: NDArray[np.uint8]
    x: Array
    y: Array
    z: Array
    rng: np.random.Generator

    def inside(self, side: int, lobe: int) -> Mask:
        """Lung of one side (1 right, 2 left, 0 both) and lobe (0 any)."""
        chosen = self.lung
        if side:
            chosen = chosen & (self.side == side)
        if lobe:
            chosen = chosen & (self.lobe == lobe)
        return chosen


def smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    """Noise of unit size whose features are about ``scale`` voxels wide, made coarse and enlarged."""
    coarse = tuple(max(3, int(np.ceil(n / scale)) + 2) for n in shape)
    field = ndimage.zoom(rng.standard_normal(coarse, dtype=np.float32), np.divide(shape, coarse), order=1)
    out: Array = field[tuple(slice(0, n) for n in shape)].astype(np.float32)
    return out


def make_chest(body: Body) -> Chest:
    """Anatomy without findings. In-plane it is built at half resolution and enlarged, which also blurs edges as a CT does."""
    rng = np.random.default_rng(body.seed)
    K, J, I = body.size
    half = (K, J // 2, I // 2)
    dk, dj, di = body.spacing_mm
    z = (np.arange(K, dtype=np.float32) * dk)[:, None, None]
    y = ((np.arange(half[1], dtype=np.float32) * 2 + 0.5 - (J - 1) / 2) * dj)[None, :, None]
    x = ((np.arange(half[2], dtype=np.float32) * 2 + 0.5 - (I - 1) / 2) * di)[None, None, :]
    warp = [6.0 * smooth_noise(rng, half, 42.0) for _ in range(2)]
    hu, cavity = _soft_tissue(body, x + 0.6 * warp[0], y + 0.6 * warp[1], z, rng)
    wx, wy = x + warp[0], y + warp[1]
    lung = _lungs(body, wx, wy, z, cavity)
    hu[lung] = (LUNG + 0.28 * np.broadcast_to(y, half) + 8 * smooth_noise(rng, half, 9.0))[lung]
    _mediastinum(body, hu, lung, wx, wy, z)
    _bones(body, hu, x + 0.3 * warp[0], y + 0.3 * warp[1], z, cavity, lung)
    _table(hu, x, y)
    fissures = _fissures(x, y, z)
    for surface, only in fissures:
        thin = lung & (np.abs(surface) < 0.9) & only
        hu[thin] += 130
    lobe = np.where(fissures[0][0] < 0, 3, 1).astype(np.uint8)
    lobe[(fissures[1][0] < 0) & (lobe == 1) & (x < 0)] = 2
    side = np.where(x < 0, 1, 2).astype(np.uint8)
    chest = Chest(
        body=body,
        hu=np.ascontiguousarray(_enlarge(ndimage.gaussian_filter(hu, (0.35, 0.7, 0.7)))),
        lung=_enlarge_mask(lung),
        side=_enlarge_mask(np.broadcast_to(side, half)),
        lobe=_enlarge_mask(lobe),
        x=((np.arange(I, dtype=np.float32) - (I - 1) / 2) * di)[None, None, :],
        y=((np.arange(J, dtype=np.float32) - (J - 1) / 2) * dj)[None, :, None],
        z=z,
        rng=rng,
    )
    _trees(chest)
    return chest


def finish(chest: Chest) -> NDArray[np.int16]:
    """Blur and noise of a scanner, then whole HU."""
    body, hu = chest.body, chest.hu
    noise = np.empty(hu.shape[1:], dtype=np.float32)
    out = np.empty(hu.shape, dtype=np.int16)
    for k in range(hu.shape[0]):
        plane = ndimage.gaussian_filter(hu[k], 0.65)
        noise = ndimage.gaussian_filter(chest.rng.standard_normal(plane.shape, dtype=np.float32), 0.85)
        grain = ndimage.gaussian_filter(chest.rng.standard_normal(plane.shape, dtype=np.float32), (0.9, 2.2))
        # Long paths through bone make the shoulders noisier, with streaks from side to side.
        shoulder = max(0.0, (k * body.spacing_mm[0] - 0.78 * body.height_mm) / (0.22 * body.height_mm))
        strength = body.noise_hu * (1 + 0.5 * shoulder)
        plane += strength * (noise / 0.33 * 0.85 + grain / 0.2 * (0.25 + 0.5 * shoulder))
        out[k] = np.clip(np.rint(plane), -1024, 3071)
    return out


# -- parts ------------------------------------------------------------------------------------------------------------


def _soft_tissue(body: Body, x: Array, y: Array, z: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Skin, fat and muscle; and how far out of the chest cavity a point is (1 at its wall)."""
    top = np.clip((z - 0.72 * body.height_mm) / (0.28 * body.height_mm), 0, 1)
    a = (152 + 16 * top) * body.girth
    b = (106 - 8 * top) * body.girth
    flat = 2.35
    out = (np.abs(x / a) ** flat + np.abs(y / b) ** flat) ** (1 / flat)
    hu = np.full(out.shape, AIR, dtype=np.float32)
    hu[out < 1] = FAT
    inner = 1 - body.fat_mm / b
    hu[out < inner] = MUSCLE
    # Muscles are divided by thin layers of fat.
    layers = np.sin(out * 46 + 0.5 * smooth_noise(rng, out.shape, 30.0))
    hu[(out < inner) & (layers > 0.93)] = -60
    hu[(out < 1) & (out > 1 - 2.0 / 106)] = 20
    apex = np.clip(1 - ((z - 0.45 * body.height_mm) / (0.52 * body.height_mm)).clip(0) ** 2.6, 0.02, 1) ** 0.5
    ca, cb = (118 * body.girth) * apex, (80 * body.girth) * (0.35 + 0.65 * apex)
    wall = (np.abs(x / ca) ** 2.3 + np.abs((y + 2 - 14 * (1 - apex)) / cb) ** 2.3) ** (1 / 2.3)
    return hu, wall.astype(np.float32)


def _lungs(body: Body, x: Array, y: Array, z: Array, wall: Array) -> Mask:
    """The cavity less the middle, the heart and what lies under the diaphragm."""
    right = x < 0
    dome = np.where(
        right,
        66 * np.exp(-(((x + 62) / 62) ** 2) - ((y + 8) / 62) ** 2),
        52 * np.exp(-(((x - 64) / 58) ** 2) - ((y + 8) / 58) ** 2),
    )
    upper = np.clip((z - 0.5 * body.height_mm) / (0.3 * body.height_mm), 0, 1)
    half_width = 15 + 9 * np.clip(1 - np.abs(y - 10) / 60, 0, 1) + 10 * upper * (y < 20)
    spine = ((x / 27) ** 2 + ((y - 66) / 30) ** 2) < 1
    middle = (np.abs(x - 2) < half_width) & (y > -74)
    front = (np.abs(x) < 4.5) & (y <= -40)
    lung = (wall < 0.985) & (z > dome + 14) & ~middle & ~spine & ~front & ~_heart(body, x, y, z, 5.0)
    return np.asarray(lung, dtype=bool)


def _heart(body: Body, x: Array, y: Array, z: Array, margin: float) -> Mask:
    s = body.heart
    u, v = (x - 20) * 0.86 - (y + 26) * 0.5, (x - 20) * 0.5 + (y + 26) * 0.86
    w = z - 0.3 * body.height_mm
    return np.asarray((u / (58 * s + margin)) ** 2 + (v / (44 * s + margin)) ** 2 + (w / (52 * s + margin)) ** 2 < 1)


def _mediastinum(body: Body, hu: Array, lung: Mask, x: Array, y: Array, z: Array) -> None:
    h = body.height_mm
    middle = (np.abs(x) < 42) & (y < 52) & (y > -70) & ~lung & (hu > -200)
    hu[middle & (z > 0.3 * h) & (z < 0.9 * h)] = -85
    below = (hu > -200) & ~lung
    dome = (x < 0) & (x > -115) & (y > -72) & (y < 78) & (z < 80) & below & (np.abs(x) > 4)
    hu[dome & (_inside_cavity(body, x, y))] = ORGAN
    left = (x > 12) & (y < 76) & (y > -70) & (z < 66) & below & _inside_cavity(body, x, y)
    hu[left] = 15
    spleen = ((x - 92) / 30) ** 2 + ((y - 34) / 38) ** 2 + ((z - 8) / 44) ** 2 < 1
    hu[spleen & left] = 75
    gas = ((x - 58) / 24) ** 2 + ((y + 34) / 17) ** 2 + ((z - 32) / 15) ** 2 < 1
    hu[gas & left] = -960
    hu[_heart(body, x, y, z, 4.0) & ~lung] = -75
    hu[_heart(body, x, y, z, 0.0)] = 78
    chambers = _heart(body, x * 1.0, y, z, -16.0)
    hu[chambers] = BLOOD
    hu[((x + 12) ** 2 + (y + 22) ** 2 < 17**2) & (z > 0.42 * h) & (z < 0.66 * h)] = BLOOD + 20
    # The arch runs from the ascending aorta, in front on the right, to the descending one, behind on the left.
    t = np.clip(((x + 12) * 34 + (y + 22) * 72) / (34**2 + 72**2), 0, 1)
    off = (x + 12 - 34 * t) ** 2 + (y + 22 - 72 * t) ** 2 + (z - 0.66 * h) ** 2
    hu[off < 13.5**2] = BLOOD + 20
    hu[((x - 22) ** 2 + (y - 50) ** 2 < 12.5**2) & (z < 0.67 * h)] = BLOOD + 20
    hu[((x + 26) ** 2 + (y + 16) ** 2 < 9**2) & (z > 0.4 * h) & (z < 0.92 * h)] = BLOOD
    trunk = ((x - 14) ** 2 / 1.3 + (y + 30) ** 2 < 14**2) & (z > 0.44 * h) & (z < 0.54 * h)
    hu[trunk] = BLOOD
    for sign in (-1, 1):
        artery = ((y - 2 - 0.25 * np.abs(x)) ** 2 + (z - 0.52 * h) ** 2 < 10**2) & (sign * x > 0) & (np.abs(x) < 44)
        hu[artery] = BLOOD
    hu[((x + 2) ** 2 / 1.4 + (y - 38) ** 2 < 6.5**2) & (z < 0.98 * h)] = 35
    trachea = ((x + 1) ** 2 + (y - 16) ** 2 < 9.2**2) & (z > 0.56 * h)
    hu[((x + 1) ** 2 + (y - 16) ** 2 < 11**2) & (z > 0.56 * h)] = 30
    hu[trachea] = AIR
    for sign in (-1, 1):
        along = np.abs(x) * 0.62
        axis = (y - 18) ** 2 + (z - 0.56 * h + along) ** 2 * 0.8
        reach = (sign * x >= -1) & (np.abs(x) < 46)
        hu[(axis < 8.2**2) & reach] = 30
        hu[(axis < 6.6**2) & reach] = AIR


def _inside_cavity(body: Body, x: Array, y: Array) -> Mask:
    return np.asarray((np.abs(x / (119 * body.girth)) ** 2.3 + np.abs((y + 2) / (81 * body.girth)) ** 2.3) < 1)


def _bones(body: Body, hu: Array, x: Array, y: Array, z: Array, wall: Array, lung: Mask) -> None:
    h = body.height_mm
    # A rib runs round the chest and falls towards the front: in one slice it is cut obliquely, many ribs side by side.
    ring = (wall > 1.025) & (wall < 1.125) & (np.abs(x) > 14) & (y < 82)
    phase = ((z - 0.62 * y + 6 * np.sign(x)) / 25.0) % 1.0
    across = np.abs(wall - 1.075) / 0.05
    along = np.abs(phase - 0.25) / 0.23
    rib = ring & (across**2 + along**2 < 1) & (z < 0.93 * h)
    core = ring & (across**2 + along**2 < 0.45) & rib
    hu[rib] = CORTEX
    hu[core] = SPONGY
    body_bone = (x / 18.5) ** 2 + ((y - 60) / 14.5) ** 2
    disc = (z % 24.0) < 4.5
    hu[(body_bone < 1) & disc] = 85
    hu[(body_bone < 1) & ~disc] = 480
    hu[(body_bone < 0.8) & ~disc] = SPONGY
    arch_bone = ((x / 19) ** 2 + ((y - 80) / 15) ** 2 < 1) & (y > 70)
    hu[arch_bone & ((z % 24.0) > 3)] = 420
    hu[(np.abs(x) < 36) & (np.abs(y - 80 - 0.14 * np.abs(x)) < 4.5) & (np.abs(z % 24.0 - 13) < 5)] = 380
    hu[(np.abs(x) < 3.5) & (y > 88) & (y < 106) & (np.abs(z % 24.0 - 11) < 7)] = 400
    hu[(x / 8.5) ** 2 + ((y - 80) / 7.5) ** 2 < 1] = 22
    sternum = (np.abs(x) < 15) & (np.abs(y + 87 * body.girth - 0.03 * z) < 6) & (z > 0.3 * h) & (z < 0.83 * h)
    hu[sternum] = 420
    hu[sternum & (np.abs(x) < 12) & (np.abs(y + 87 * body.girth - 0.03 * z) < 3.5)] = 130
    blade = np.abs(y - 74 + 0.0052 * (np.abs(x) - 84) ** 2 + 0.25 * (np.abs(x) - 84)) < 3.6
    hu[blade & (np.abs(np.abs(x) - 88) < 36 - 0.25 * np.abs(z - 0.75 * h)) & (z > 0.5 * h) & (wall > 1.13)] = 430
    collar = (y + 58 - 0.3 * np.abs(x)) ** 2 + (z - 0.93 * h - 0.06 * np.abs(x)) ** 2 < 7**2
    hu[collar & (np.abs(x) > 14) & (np.abs(x) < 120)] = 450


def _table(hu: Array, x: Array, y: Array) -> None:
    line = y - 128 + 0.0016 * x**2
    place = np.broadcast_to((np.abs(line) < 2.0) & (np.abs(x) < 172), hu.shape)
    hu[place & (hu < -900)] = -150
    filling = np.broadcast_to((line > 2.0) & (line < 26) & (np.abs(x) < 172), hu.shape)
    hu[filling & (hu < -900)] = -945


def _fissures(x: Array, y: Array, z: Array) -> list[tuple[Array, Mask]]:
    """Oblique and horizontal fissure: height above the surface in mm, and where the surface exists."""
    oblique = z - (118 + 0.95 * y + 6 * np.sin(x / 26))
    horizontal = z - (134 + 5 * np.sin(y / 24))
    return [
        (oblique.astype(np.float32), np.ones((1, 1, 1), dtype=bool)),
        ((horizontal + 0 * x).astype(np.float32), np.asarray((oblique > 0) & (x < 0))),
    ]


def _enlarge(half: Array) -> Array:
    """Twice as many rows and columns, by bilinear interpolation."""
    for axis in (1, 2):
        before = np.concatenate([half.take([0], axis), half.take(range(half.shape[axis] - 1), axis)], axis)
        after = np.concatenate([half.take(range(1, half.shape[axis]), axis), half.take([-1], axis)], axis)
        shape = list(half.shape)
        shape[axis] *= 2
        out = np.empty(shape, dtype=np.float32)
        even = [slice(None)] * 3
        odd = [slice(None)] * 3
        even[axis], odd[axis] = slice(0, None, 2), slice(1, None, 2)
        out[tuple(even)] = 0.75 * half + 0.25 * before
        out[tuple(odd)] = 0.75 * half + 0.25 * after
        half = out
    return half


def _enlarge_mask(half: NDArray[np.generic]) -> NDArray:  # type: ignore[type-arg]
    return np.repeat(np.repeat(half, 2, axis=1), 2, axis=2)


# -- trees ------------------------------------------------------------------------------------------------------------


def _trees(chest: Chest) -> None:
    """Arteries, veins and bronchi that branch from the hila towards the pleura, thinner at every fork."""
    h = chest.body.height_mm
    for sign in (-1.0, 1.0):
        for start, aim in (((44, 8, 0.52 * h), 0.0), ((40, -4, 0.46 * h), 0.25), ((42, 18, 0.50 * h), -0.15)):
            for heading in HEADINGS:
                direction = np.array([sign * heading[0], heading[1] + aim, heading[2]])
                _branch(chest, np.array([sign * start[0], start[1], start[2]]), direction, 4.6, 0)


def _branch(
    chest: Chest, start: NDArray[np.float64], direction: NDArray[np.float64], radius: float, depth: int
) -> None:
    rng = chest.rng
    direction = direction / np.linalg.norm(direction)
    length = (9 + 3.6 * radius) * rng.uniform(0.75, 1.3)
    bend = rng.normal(0, 0.18, 3)
    at = start
    for step in np.arange(0, length, max(0.8, radius * 0.5)):
        at = start + direction * step + bend * step**2 / length * 0.5
        drawn = stamp(chest, at, radius * (1 - 0.2 * step / length), VESSEL, only=chest.lung)
        if not drawn and depth > 1:
            return
    if radius < 0.55 or depth > 10:
        return
    for spread, share in ((rng.uniform(0.3, 0.6), 0.84), (rng.uniform(0.45, 0.9), 0.68)):
        turn = rng.normal(0, 1, 3)
        turn -= turn @ direction * direction
        turn /= np.linalg.norm(turn)
        _branch(chest, at, direction * np.cos(spread) + turn * np.sin(spread), radius * share, depth + 1)


def stamp(chest: Chest, centre: NDArray[np.float64], radius: float, value: float, *, only: Mask) -> bool:
    """Blend a small ball of tissue in, partial volumes at its rim. False if its centre is not in ``only``."""
    K, J, I = chest.body.size
    dk, dj, di = chest.body.spacing_mm
    k, j, i = centre[2] / dk, centre[1] / dj + (J - 1) / 2, centre[0] / di + (I - 1) / 2
    if not (0 <= k < K - 0.5 and 0 <= j < J - 0.5 and 0 <= i < I - 0.5) or not only[round(k), round(j), round(i)]:
        return False
    reach = radius + 1.0
    box = tuple(
        slice(max(0, int(c - reach / mm)), min(n, int(c + reach / mm) + 2))
        for c, mm, n in ((k, dk, K), (j, dj, J), (i, di, I))
    )
    gz = (np.arange(box[0].start, box[0].stop) - k)[:, None, None] * dk
    gy = (np.arange(box[1].start, box[1].stop) - j)[None, :, None] * dj
    gx = (np.arange(box[2].start, box[2].stop) - i)[None, None, :] * di
    weight = np.clip((radius - np.sqrt(gx**2 + gy**2 + gz**2 * 0.7)) / 0.7 + 0.5, 0, 1) * only[box]
    part = chest.hu[box]
    chest.hu[box] = np.where(weight > 0, np.maximum(part, part + (value - part) * weight), part)
    return True
