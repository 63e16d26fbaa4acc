"""Findings put into a phantom chest. Each returns its truth mask: instance numbers, uint8 [k, j, i]."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging.phantom.chest import AIR, Chest, Mask

Truth = NDArray[np.uint8]
Place = tuple[float, float, float]
"""x (left), y (back), z (head) in millimetres."""


def _blank(chest: Chest) -> Truth:
    return np.zeros(chest.body.size, dtype=np.uint8)


def _box(chest: Chest, place: Place, reach_mm: float) -> tuple[slice, slice, slice]:
    K, J, I = chest.body.size
    dk, dj, di = chest.body.spacing_mm
    x, y, z = place
    middle = (z / dk, y / dj + (J - 1) / 2, x / di + (I - 1) / 2)
    k, j, i = (
        slice(max(0, int(c - reach_mm / mm)), min(n, int(c + reach_mm / mm) + 2))
        for c, mm, n in zip(middle, (dk, dj, di), (K, J, I), strict=True)
    )
    return k, j, i


def _distance(chest: Chest, place: Place, box: tuple[slice, slice, slice]) -> NDArray[np.float32]:
    x, y, z = chest.x[:, :, box[2]], chest.y[:, box[1], :], chest.z[box[0]]
    away = np.sqrt((x - place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2)
    return np.asarray(away, dtype=np.float32)


def _rough(chest: Chest, shape: tuple[int, ...], scale_mm: float) -> NDArray[np.float32]:
    """Smooth noise in a box, about unit size, with features of ``scale_mm``."""
    sigma = [scale_mm / mm / 2 for mm in chest.body.spacing_mm]
    field = ndimage.gaussian_filter(chest.rng.standard_normal(shape, dtype=np.float32), sigma)
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def settle(chest: Chest, place: Place, margin_mm: float, inside: Mask) -> Place:
    """The nearest place from which a ball of the margin stays within ``inside``, or the deepest one there is."""
    box = _box(chest, place, 60.0)
    room = ndimage.distance_transform_edt(np.pad(inside[box], 1), sampling=chest.body.spacing_mm)[1:-1, 1:-1, 1:-1]
    enough = room >= min(margin_mm, float(room.max()) * 0.95)
    away = np.where(enough, _distance(chest, place, box), np.inf)
    k, j, i = np.unravel_index(int(np.argmin(away)), away.shape)
    return (
        float(chest.x[0, 0, box[2]][i]),
        float(chest.y[0, box[1], 0][j]),
        float(chest.z[box[0], 0, 0][k]),
    )


def nodules(chest: Chest, places: Sequence[tuple[Place, float]], *, rough: float = 0.06, hu: float = 35.0) -> Truth:
    """Solid balls with uneven edges: (place, diameter in mm) each."""
    truth = _blank(chest)
    for number, (place, diameter) in enumerate(places, start=1):
        box = _box(chest, place, diameter)
        noise = _rough(chest, truth[box].shape, max(3.0, diameter / 3))
        edge = diameter / 2 * (1 + rough * noise) - _distance(chest, place, box)
        ball = (edge > 0) & chest.lung[box]
        weight = np.clip(edge / 0.8 + 0.5, 0, 1) * chest.lung[box]
        part = chest.hu[box]
        chest.hu[box] = part + (hu - part) * weight * (part < hu)
        truth[box][ball] = number
        if rough > 0.1:
            _spicules(chest, place, diameter)
    return truth


def _spicules(chest: Chest, place: Place, diameter: float) -> None:
    box = _box(chest, place, diameter)
    away = _distance(chest, place, box)
    lines = _rough(chest, away.shape, 2.6)
    fade = np.clip(1 - (away - diameter / 2) / (0.35 * diameter), 0, 1)
    strength = np.clip(lines - 0.9, 0, 1.2) * fade * (away > diameter / 2) * chest.lung[box]
    chest.hu[box] += (450 * strength).astype(np.float32)


def ground_glass(chest: Chest, places: Sequence[tuple[Place, float]], *, rise: float = 340.0) -> Truth:
    """Haze through which vessels stay visible."""
    truth = _blank(chest)
    for number, (place, diameter) in enumerate(places, start=1):
        box = _box(chest, place, diameter)
        noise = _rough(chest, truth[box].shape, 9.0)
        depth = diameter / 2 * (1 + 0.16 * noise) - _distance(chest, place, box)
        weight = np.clip(depth / 5.0 + 0.5, 0, 1) * chest.lung[box]
        part = chest.hu[box]
        texture = 1 + 0.12 * _rough(chest, part.shape, 3.0)
        chest.hu[box] = np.where(part < -300, part + rise * weight * texture, part)
        truth[box][(depth > 0) & chest.lung[box]] = number
    return truth


def consolidation(chest: Chest, place: Place, radii: Place, *, side: int, lobe: int) -> Truth:
    """Dense lung against the pleura, with air in its bronchi."""
    truth = _blank(chest)
    box = _box(chest, place, max(radii) * 1.5)
    x, y, z = chest.x[:, :, box[2]] - place[0], chest.y[:, box[1], :] - place[1], chest.z[box[0]] - place[2]
    noise = _rough(chest, truth[box].shape, 13.0)
    depth = 1 + 0.2 * noise - np.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2)
    region = chest.inside(side, lobe)[box]
    weight = np.clip(depth * 5 + 0.5, 0, 1) * region
    part = chest.hu[box]
    tubes = np.abs(_rough(chest, part.shape, 8.0)) + np.abs(_rough(chest, part.shape, 8.0))
    bronchogram = (tubes < 0.18) & (depth > 0.2)
    target = np.where(bronchogram, -760.0, 28.0 + 14 * noise)
    chest.hu[box] = np.where(weight > 0, part + (target - part) * weight, part)
    truth[box][(depth > 0) & region] = 1
    return truth


def effusion(chest: Chest, *, side: int, depth_mm: float, top_mm: float) -> Truth:
    """Fluid behind the lung: deepest at the base, a meniscus towards the sides, none above ``top_mm``."""
    lung = chest.inside(side, 0)
    centre = -66.0 if side == 1 else 66.0
    fall = np.clip(1 - (chest.z / top_mm) ** 1.6, 0, 1)
    level = 76.0 - depth_mm * fall + 0.0045 * (chest.x - centre) ** 2 * (1 - 0.4 * fall)
    rim = (chest.y - level) * fall.clip(0.02)
    fluid = lung & (rim > 0) & (fall > 0.03)
    chest.hu[fluid] = 9.0
    chest.lung &= ~fluid
    squeezed = chest.lung & (chest.y > level - 7) & (fall > 0.08) & (chest.side == side)
    chest.hu[squeezed] += 260
    return np.asarray(fluid, dtype=np.uint8)


def pneumothorax(chest: Chest, *, side: int, depth_mm: float) -> Truth:
    """Air in front of the lung, bounded by the thin line of the pleura."""
    lung = chest.inside(side, 0)
    h = chest.body.height_mm
    grow = np.clip((chest.z - 0.32 * h) / (0.4 * h), 0, 1)
    front = np.full((chest.body.size[0], 1, chest.body.size[2]), 999.0, dtype=np.float32)
    first = np.argmax(lung, axis=1)
    some = lung.any(axis=1)
    front[:, 0, :] = np.where(some, chest.y[0, :, 0][first], 999.0)
    front = ndimage.gaussian_filter1d(front, 4, axis=2)
    depth = chest.y - front
    limit = depth_mm * grow
    free = lung & (depth < limit) & (limit > 2.0)
    line = lung & (depth >= limit) & (depth < limit + 1.6) & (limit > 2.0)
    chest.hu[free] = AIR + 6
    chest.hu[line] = -260
    chest.lung &= ~(free | line)
    return np.asarray(free, dtype=np.uint8)


def emphysema(chest: Chest, *, sides: Sequence[int], lobe: int = 1, count: int = 420) -> Truth:
    """Small black holes without walls, most in the inner upper lobes; one instance per side."""
    truth = _blank(chest)
    for number, side in enumerate(sides, start=1):
        region = ndimage.binary_erosion(chest.inside(side, lobe), iterations=3)
        places = np.argwhere(region)
        chosen = places[chest.rng.choice(len(places), count)]
        for (k, j, i), radius in zip(chosen, chest.rng.gamma(4.0, 0.9, count) + 1.2, strict=True):
            place = (float(chest.x[0, 0, i]), float(chest.y[0, j, 0]), float(chest.z[k, 0, 0]))
            box = _box(chest, place, radius + 1)
            hole = (_distance(chest, place, box) < radius) & chest.lung[box] & (chest.hu[box] < -600)
            chest.hu[box][hole] = -968
            truth[box][hole] = number
    return truth


def micronodules(chest: Chest, places: Sequence[tuple[Place, int]], *, side: int) -> Truth:
    """Clusters of nodules of 2-4 mm, some joined by short branches; one instance per cluster."""
    truth = _blank(chest)
    region = chest.inside(side, 0)
    for number, (place, count) in enumerate(places, start=1):
        for _ in range(count):
            spot = tuple(float(c + chest.rng.normal(0, s)) for c, s in zip(place, (11, 13, 10), strict=True))
            radius = float(chest.rng.uniform(1.3, 2.2))
            box = _box(chest, (spot[0], spot[1], spot[2]), radius + 2)
            edge = radius - _distance(chest, (spot[0], spot[1], spot[2]), box)
            ball = (edge > 0) & region[box]
            weight = np.clip(edge / 0.7 + 0.5, 0, 1) * region[box]
            part = chest.hu[box]
            chest.hu[box] = part + (-20 - part) * weight * (part < -20)
            truth[box][ball] = number
    return truth


def bands(chest: Chest, places: Sequence[tuple[Place, Place, float]], *, side: int) -> Truth:
    """Plates: (place, normal direction, length in mm); a few mm thick, reaching the pleura."""
    truth = _blank(chest)
    region = chest.inside(side, 0)
    for number, (place, normal, length) in enumerate(places, start=1):
        box = _box(chest, place, length)
        n = np.array(normal) / np.linalg.norm(normal)
        x, y, z = chest.x[:, :, box[2]] - place[0], chest.y[:, box[1], :] - place[1], chest.z[box[0]] - place[2]
        off = n[0] * x + n[1] * y + n[2] * z + 1.3 * _rough(chest, truth[box].shape, 16.0)
        around = np.sqrt(x**2 + y**2 + z**2)
        thick = 2.1 * np.clip(1.3 - around / length * 1.6, 0, 1)
        plate = (np.abs(off) < thick) & (around < length * 0.75) & region[box]
        weight = np.clip((thick - np.abs(off)) / 0.8 + 0.5, 0, 1) * (around < length * 0.75) * region[box]
        part = chest.hu[box]
        chest.hu[box] = part + (-40 - part) * weight * (part < -40)
        truth[box][plate] = number
    return truth


def bronchiectasis(chest: Chest, places: Sequence[tuple[Place, Place, float]], *, side: int) -> Truth:
    """Wide airways: (place, direction, inner radius in mm); black lumen, thick wall, an artery beside it."""
    truth = _blank(chest)
    region = chest.inside(side, 0)
    for number, (place, direction, radius) in enumerate(places, start=1):
        box = _box(chest, place, 26.0)
        d = np.array(direction) / np.linalg.norm(direction)
        x, y, z = chest.x[:, :, box[2]] - place[0], chest.y[:, box[1], :] - place[1], chest.z[box[0]] - place[2]
        along = d[0] * x + d[1] * y + d[2] * z
        off = np.sqrt(np.maximum(x**2 + y**2 + z**2 - along**2, 0))
        bulge = radius * (1 + 0.22 * np.sin(along / 4.0))
        inside = (np.abs(along) < 20) & region[box]
        wall = inside & (off < bulge + 1.7)
        chest.hu[box][wall] = 10
        chest.hu[box][inside & (off < bulge)] = -985
        truth[box][wall] = number
    return truth


def honeycombing(chest: Chest, *, sides: Sequence[int], depth_mm: float = 15.0) -> Truth:
    """Stacked cysts with shared walls under the pleura of the bases; one instance per side."""
    truth = _blank(chest)
    cell = 6.0
    for number, side in enumerate(sides, start=1):
        lung = chest.inside(side, 3) & (chest.y > 18) & (chest.z < 0.34 * chest.body.height_mm)
        room = ndimage.distance_transform_edt(chest.lung & (chest.side == side), sampling=chest.body.spacing_mm)
        region = lung & (room < depth_mm)
        wobble = 1.4 * np.sin(chest.z / 5.0)
        u = ((chest.x + wobble + 0.3 * chest.y) / cell) % 1 - 0.5
        v = ((chest.y - wobble) / cell) % 1 - 0.5
        w = (chest.z / (cell * 1.3)) % 1 - 0.5
        cyst = np.sqrt(u**2 + v**2 + 0.6 * w**2) < 0.42
        chest.hu[region] = -120
        chest.hu[region & cyst] = -930
        truth[region] = number
    return truth
