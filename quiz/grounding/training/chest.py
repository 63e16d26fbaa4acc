"""A chest without findings, drawn from a seed: for training, where it must be quick and no two may be alike.

The demo's phantom (cases.imaging.phantom) is drawn to be looked at and takes ten seconds; this one is drawn at 3 mm in a
fraction of one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quiz.grounding.training.space import Array, Frame, Lattice, Point

AIR, FAT, MUSCLE, BLOOD, ORGAN = -1000.0, -100.0, 50.0, 80.0, 60.0
RIGHT, LEFT = 1, 2
UPPER, MIDDLE, LOWER = 1, 2, 3


@dataclass(frozen=True)
class Anatomy:
    """The shape of one person, in mm and HU, all drawn at random.

    height, width, depth: half extents of the lungs. lean: sideways bend of the spine. turn: rotation in radians.
    """

    height: float
    width: float
    depth: float
    girth: float
    fat: float
    heart: float
    lean: float
    turn: float
    domes: tuple[float, float]
    lung_hu: float
    slope_hu: float
    blood_hu: float
    fissure: tuple[float, float, float]
    warps: tuple[Lattice, Lattice, Lattice]
    texture: Lattice
    vessels: NDArray[np.float32]
    airways: NDArray[np.float32]


@dataclass
class Drawn:
    """A chest on a frame. hu: [k, j, i]. lung: share of the voxel that is lung, 0..1. depth: mm under the pleura,
    negative outside. side: 1 right, 2 left. lobe: 1 upper, 2 middle, 3 lower. lingula: bool."""

    frame: Frame
    hu: Array
    lung: Array
    depth: Array
    side: NDArray[np.uint8]
    lobe: NDArray[np.uint8]
    lingula: NDArray[np.bool_]

    def inside(self, side: int, lobe: int = 0, *, lingula: bool = False) -> NDArray[np.bool_]:
        """Lung of one side (0 both) and lobe (0 any)."""
        chosen = self.lung > 0.5
        if side:
            chosen = chosen & (self.side == side)
        if lobe:
            chosen = chosen & (self.lobe == lobe)
        return chosen & self.lingula if lingula else chosen


def random_anatomy(rng: np.random.Generator) -> Anatomy:
    u = rng.uniform
    height = u(95, 150)
    anatomy = {
        "height": height,
        "width": u(105, 138),
        "depth": u(68, 92),
        "girth": u(1.0, 1.18),
        "fat": u(6, 30),
        "heart": u(0.82, 1.22),
        "lean": rng.normal(0, 5),
        "turn": rng.normal(0, 0.05),
        "domes": (u(35, 75), u(28, 62)),
        "lung_hu": u(-905, -790),
        "slope_hu": u(0.0, 0.6),
        "blood_hu": u(40, 190),
        "fissure": (u(-22, 12), u(0.75, 1.35), u(-8, 18)),
    }
    warps = tuple(Lattice.make(rng, u(45, 70), (0, 0, 0), 220) for _ in range(3))
    return Anatomy(
        **anatomy,  # type: ignore[arg-type]
        warps=warps,  # type: ignore[arg-type]
        texture=Lattice.make(rng, u(10, 22), (0, 0, 0), 220),
        vessels=_tree(rng, height, forks=8, first=u(3.2, 4.8), headings=15),
        airways=_tree(rng, height, forks=4, first=u(2.6, 3.6), headings=7),
    )


def draw(anatomy: Anatomy, frame: Frame) -> Drawn:
    """The chest on a frame, sharp and without noise."""
    a = anatomy
    z0, y0, x0 = np.broadcast_arrays(frame.z, frame.y, frame.x)
    wz, wy, wx = (4.5 * warp.at(frame) for warp in a.warps)
    cos, sin = np.float32(np.cos(a.turn)), np.float32(np.sin(a.turn))
    bent = x0 - np.float32(a.lean) * np.cos(z0 / np.float32(a.height) * 2.2)
    x, y, z = cos * bent + sin * y0 + wx, -sin * bent + cos * y0 + wy, z0 + wz
    h, up = a.height, z / a.height
    apex = np.sqrt(np.clip(1 - np.clip((up + 0.1) / 1.12, 0, None) ** 2.6, 0.015, 1))
    ca, cb = a.width * apex, a.depth * (0.4 + 0.6 * apex)
    wall = (np.abs(x / ca) ** 2.3 + np.abs((y - 10 * (1 - apex)) / cb) ** 2.3) ** np.float32(1 / 2.3)
    in_wall = (1 - wall) * 0.85 * np.minimum(ca, cb)
    dome = np.where(
        x < 0,
        a.domes[0] * np.exp(-(((x + 60) / 62) ** 2) - ((y + 8) / 62) ** 2),
        a.domes[1] * np.exp(-(((x - 62) / 58) ** 2) - ((y + 8) / 58) ** 2),
    )
    heart = _heart(a, x, y, z)
    half = 14 + 10 * np.clip(1 - np.abs(y - 10) / 60, 0, 1) + 8 * np.clip(up + 0.1, 0, 1) * (y < 20)
    half = np.where(y < -0.55 * a.depth, 4.0, half)
    spine = np.sqrt(x**2 + (y - 0.86 * a.depth) ** 2)
    depth = np.minimum(in_wall - 1, z + 0.92 * h - dome)
    depth = np.minimum(depth, np.minimum(np.abs(x - 1) - half, np.minimum(heart - 5, spine - 26)))
    lung = frame.soft(depth)
    lobe_plane = z - a.fissure[0] - a.fissure[1] * y
    minor = z - a.fissure[2] - 0.12 * y
    lobe = np.where(lobe_plane < 0, LOWER, np.where((minor < 0) & (x < 0), MIDDLE, UPPER)).astype(np.uint8)

    body_edge = 1 - (np.abs(x / (a.width * a.girth + 22)) ** 2.4 + np.abs(y / (a.depth * a.girth + 20)) ** 2.4)
    body_mm = body_edge * 45
    hu = AIR + (FAT - AIR) * frame.soft(body_mm)
    hu = _blend(hu, MUSCLE, frame.soft(body_mm - a.fat))
    hu = _blend(hu, -85.0, frame.soft(np.minimum(42 - np.abs(x), in_wall)) * (z > -0.5 * h))
    below = frame.soft(np.minimum(dome - 0.92 * h - z - 1, in_wall))
    hu = _blend(hu, np.where(x < 0, ORGAN, np.where(y > 20, 70.0, 10.0)).astype(np.float32), below)
    gas = 1 - ((x - 55) / 24) ** 2 - ((y + 30) / 18) ** 2 - ((z + 0.92 * h - 22) / 14) ** 2
    hu = _blend(hu, -950.0, frame.soft(gas * 15) * below)
    hu = _blend(hu, a.blood_hu, frame.soft(-heart))
    for edge in _great_vessels(a, x, y, z):
        hu = _blend(hu, a.blood_hu + 15, frame.soft(edge))
    hu = _bones(a, frame, hu, (x, y, z), (in_wall, spine, dome))
    hu = _blend(hu, a.lung_hu + a.slope_hu * y + 10 * a.texture.at(frame), lung)
    trachea = 9.0 - np.sqrt((x + 1) ** 2 + (y - 12) ** 2)
    side = np.sign(x)
    bronchus = (
        6.5 - np.sqrt((y - 12) ** 2 + (z - 0.16 * h + 0.6 * np.abs(x)) ** 2 * 0.8) - np.clip(np.abs(x) - 38, 0, None)
    )
    tube = np.maximum(np.where(z > 0.14 * h, trachea, -9), bronchus)
    hu = _blend(hu, 30.0, frame.soft(tube + 1.8))
    hu = _blend(hu, AIR, frame.soft(tube))
    for surface, only in ((lobe_plane / np.hypot(1, a.fissure[1]), True), (minor, (lobe != LOWER) & (side < 0))):
        thin = np.clip((1.1 - np.abs(surface)) / frame.step + 0.5, 0, min(1.0, 1.2 / frame.step)) * only
        hu = hu + 300 * thin * lung
    share = _deposit(a.vessels, frame, lung)
    hu = _blend(hu, 45.0, share)
    hu = _blend(hu, -960.0, 0.8 * _deposit(a.airways, frame, lung))
    sides = np.where(x < 0, RIGHT, LEFT).astype(np.uint8)
    lingula = (sides == LEFT) & (lobe == UPPER) & (minor < 0)
    return Drawn(frame, hu.astype(np.float32), lung.astype(np.float32), depth.astype(np.float32), sides, lobe, lingula)


def _blend(hu: Array, value: Array | float, share: Array) -> Array:
    return hu + (value - hu) * share


def _heart(a: Anatomy, x: Array, y: Array, z: Array) -> Array:
    """Millimetres outside the heart, roughly."""
    u, v = (x - 20) * 0.86 - (y + 24) * 0.5, (x - 20) * 0.5 + (y + 24) * 0.86
    r = np.sqrt((u / 58) ** 2 + (v / 44) ** 2 + ((z + 0.42 * a.height) / 52) ** 2)
    return np.asarray((r - a.heart) * 48, dtype=np.float32)


def _great_vessels(a: Anatomy, x: Array, y: Array, z: Array) -> list[Array]:
    h = a.height
    descending = np.where(z < 0.34 * h, 12 - np.sqrt((x - 22) ** 2 + (y - 0.6 * a.depth) ** 2), -12)
    ascending = np.where((z > -0.2 * h) & (z < 0.36 * h), 16 - np.sqrt((x + 12) ** 2 + (y + 20) ** 2), -12)
    t = np.clip(((x + 12) * 34 + (y + 20) * 66) / (34**2 + 66**2), 0, 1)
    arch = 13 - np.sqrt((x + 12 - 34 * t) ** 2 + (y + 20 - 66 * t) ** 2 + (z - 0.34 * h) ** 2)
    arteries = np.where(np.abs(x) < 46, 9 - np.sqrt((y - 0.25 * np.abs(x)) ** 2 + (z - 0.05 * h) ** 2), -12)
    return [descending, ascending, arch, arteries]


def _bones(
    a: Anatomy, frame: Frame, hu: Array, at: tuple[Array, Array, Array], edges: tuple[Array, Array, Array]
) -> Array:
    x, y, z = at
    in_wall, spine, _ = edges
    vertebra = 17 - spine
    disc = np.cos(z / 24 * 2 * np.pi) > 0.8
    hu = _blend(hu, np.where(disc, 80.0, 210.0).astype(np.float32), frame.soft(vertebra))
    hu = _blend(hu, np.where(disc, 90.0, 480.0).astype(np.float32), frame.soft(2.0 - np.abs(vertebra - 1)))
    slant = np.cos((z + 0.55 * np.abs(y - 0.8 * a.depth)) / 25 * 2 * np.pi)
    shell = 5 - np.abs(in_wall + 8)
    rib = np.minimum(shell, (slant - 0.1) * 5)
    hu = _blend(hu, 420.0, frame.soft(np.where(np.abs(x) > 22, rib, -9)))
    sternum = np.minimum(6 - np.abs(y + 0.98 * a.depth), 18 - np.abs(x))
    return _blend(hu, 190.0, frame.soft(np.where(z > -0.4 * a.height, sternum, -9)))


def _tree(rng: np.random.Generator, height: float, *, forks: int, first: float, headings: int) -> NDArray[np.float32]:
    """Points of branching tubes: rows of z, y, x, volume in mm3. Grown fork by fork from both hila, thinner each time."""
    starts, ways, radii = [], [], []
    for sign in (-1.0, 1.0):
        for _ in range(headings):
            starts.append((0.02 * height + rng.normal(0, 10), 8 + rng.normal(0, 8), sign * rng.uniform(32, 44)))
            ways.append((rng.normal(0, 0.75), rng.normal(0.1, 0.6), sign * rng.uniform(0.25, 0.9)))
            radii.append(first * rng.uniform(0.7, 1))
    start, way, radius = np.array(starts), np.array(ways), np.array(radii)
    rows = []
    for _ in range(forks):
        way = way / np.linalg.norm(way, axis=1, keepdims=True)
        n = len(start)
        length = (9 + 3.4 * radius) * rng.uniform(0.7, 1.3, n)
        bend = rng.normal(0, 0.2, (n, 3))
        count = 14
        t = (np.arange(count) + 0.5) / count
        along = (
            start[:, None]
            + way[:, None] * (length[:, None] * t)[..., None]
            + bend[:, None] * (length[:, None] * t**2 * 0.5)[..., None]
        )
        spots = 5
        scatter = rng.standard_normal((n, count, spots, 3)) * (radius[:, None, None, None] * 0.5)
        points = (along[:, :, None] + scatter).reshape(-1, 3)
        volume = np.repeat(np.pi * radius**2 * length / count / spots, count * spots)
        rows.append(np.column_stack([points, volume]).astype(np.float32))
        end = along[:, -1]
        turn = rng.standard_normal((n, 3))
        turn -= (turn * way).sum(1, keepdims=True) * way
        turn /= np.linalg.norm(turn, axis=1, keepdims=True)
        small, large = rng.uniform(0.3, 0.6, (n, 1)), rng.uniform(0.45, 0.9, (n, 1))
        start = np.concatenate([end, end])
        way = np.concatenate([way * np.cos(small) + turn * np.sin(small), way * np.cos(large) - turn * np.sin(large)])
        radius = np.concatenate([radius * 0.82, radius * 0.68])
        keep = (np.abs(start[:, 2]) < 140) & (np.abs(start[:, 1]) < 95) & (np.abs(start[:, 0]) < height)
        start, way, radius = start[keep], way[keep], radius[keep]
    return np.concatenate(rows)


def _deposit(points: NDArray[np.float32], frame: Frame, lung: Array) -> Array:
    """Share of every voxel filled by the points' volumes, spread over the eight voxels around each."""
    size = frame.size
    low = (frame.z.flat[0], frame.y.flat[0], frame.x.flat[0])
    where = (points[:, :3] - np.array(low, dtype=np.float32)) / frame.step
    inside = np.all((where >= 0) & (where < np.array(size) - 1.001), axis=1)
    where, volume = where[inside], points[inside, 3] / frame.step**3
    base = where.astype(np.int64)
    share = where - base
    total = np.zeros(size[0] * size[1] * size[2], dtype=np.float64)
    for corner in np.ndindex(2, 2, 2):
        weight = volume.copy()
        for axis in range(3):
            weight *= share[:, axis] if corner[axis] else 1 - share[:, axis]
        flat = ((base[:, 0] + corner[0]) * size[1] + base[:, 1] + corner[1]) * size[2] + base[:, 2] + corner[2]
        total += np.bincount(flat, weight, minlength=total.size)
    filled: Array = np.clip(total.reshape(size), 0, 1).astype(np.float32) * lung
    return filled


def middle_of(drawn: Drawn, flat: int) -> Point:
    k, j, i = np.unravel_index(flat, drawn.lung.shape)
    return float(drawn.frame.z.flat[k]), float(drawn.frame.y.flat[j]), float(drawn.frame.x.flat[i])
