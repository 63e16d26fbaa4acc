"""Findings of all fourteen categories put into a drawn chest. Each is a set of numbers first, so that it can be drawn again.

``random_finding`` chooses; ``Finding.paint`` draws on any frame, changes the HU and returns the share of each voxel that
is finding.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quiz.grounding.training.chest import AIR, LEFT, LOWER, MIDDLE, RIGHT, UPPER, Drawn, middle_of
from quiz.grounding.training.space import Array, Frame, Lattice, Point

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Target:
    """Where a finding is put. side: 1 right, 2 left, 0 both. lobe: 0 any. zone: "", "upper", "middle", "lower".
    rim: "", "peripheral" or "central"."""

    side: int
    lobe: int = 0
    zone: str = ""
    lingula: bool = False
    rim: str = ""

    def region(self, drawn: Drawn) -> NDArray[np.bool_]:
        chosen = drawn.inside(self.side, self.lobe, lingula=self.lingula)
        if self.zone:
            third = zones(drawn)
            chosen = chosen & (third == ("lower", "middle", "upper").index(self.zone))
        return chosen


def zones(drawn: Drawn) -> NDArray[np.int64]:
    """Third of the height of the lungs of every slice, 0 the lowest; [k, 1, 1]."""
    filled = np.flatnonzero((drawn.lung > 0.5).any(axis=(1, 2)))
    low, high = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, drawn.lung.shape[0])
    k = np.arange(drawn.lung.shape[0])
    third: NDArray[np.int64] = np.clip((k - low) * 3 // max(1, high - low), 0, 2)[:, None, None]
    return third


@dataclass(frozen=True)
class Finding:
    """category: code of the ontology. kind: the shape. size_mm: what a sentence may say, 0 if nothing. count: instances.
    places: (z, y, x) of each. middle, reach: where to draw it."""

    category: str
    kind: str
    target: Target
    middle: Point
    reach: float
    places: NDArray[np.float32]
    radii: NDArray[np.float32]
    size_mm: float = 0.0
    noise: tuple[Lattice, ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.places)

    def paint(self, drawn: Drawn, region: NDArray[np.bool_] | None = None) -> Array:
        """Change ``drawn`` and give the share of each voxel that is finding. region: where it may lie, by default its
        own; a fine frame has to be told, as zones cannot be seen in it."""
        shares = np.zeros(drawn.lung.shape, dtype=np.float32)
        box = drawn.frame.box(self.middle, self.reach)
        if any(part.start >= part.stop for part in box):
            return shares
        here = (self.target.region(drawn) if region is None else region)[box].astype(np.float32)
        _PAINT[self.kind](self, drawn, box, here, shares)
        return shares


# -- choosing ---------------------------------------------------------------------------------------------------------

CATEGORIES = ("1a", "1b", "1c", "1d", "1e", "1f", "2a", "2b", "2c", "2d", "2e", "2f", "2g", "2h")
WEIGHTS = (0.6, 0.8, 1.0, 0.7, 0.8, 0.7, 1.5, 1.6, 1.8, 3.2, 1.2, 0.6, 0.5, 0.7)
"""How often each is drawn: nodules most, as in reports."""
PLEURAL = ("2e", "2g")


def random_target(rng: np.random.Generator, category: str) -> Target:
    side = int(rng.choice([RIGHT, LEFT]))
    if category in PLEURAL:
        return Target(side)
    rim = str(rng.choice(["", "peripheral", "central"], p=[0.6, 0.3, 0.1]))
    draw = rng.random()
    if category in ("1c", "1d", "1e", "1f", "2c", "2f") and draw < 0.3:
        zone = str(rng.choice(["", "upper", "lower"]))
        return Target(0, 0, zone, rim=rim)
    if draw < 0.6:
        lobe = int(rng.choice([UPPER, MIDDLE, LOWER] if side == RIGHT else [UPPER, LOWER]))
        lingula = side == LEFT and lobe == UPPER and bool(rng.random() < 0.3)
        return Target(side, lobe, lingula=lingula, rim=rim)
    if draw < 0.85:
        return Target(side, 0, str(rng.choice(["upper", "middle", "lower"])), rim=rim)
    return Target(side, rim=rim)


def elsewhere(rng: np.random.Generator, category: str, taken: Target) -> Target:
    """A target that shares no place with another: the other side, or another lobe or zone of the same."""
    if taken.side and (category in PLEURAL or rng.random() < 0.6):
        other = random_target(rng, category)
        return Target(3 - taken.side, other.lobe if other.side == 3 - taken.side else 0, rim=taken.rim)
    if taken.zone and taken.zone != "middle":
        return Target(taken.side, 0, "lower" if taken.zone == "upper" else "upper")
    if taken.lobe:
        return Target(taken.side, LOWER if taken.lobe != LOWER else UPPER)
    return Target(3 - taken.side) if taken.side else Target(int(rng.choice([RIGHT, LEFT])))


def random_finding(rng: np.random.Generator, drawn: Drawn, category: str, target: Target) -> Finding | None:
    """A finding of the category in the target; None if there is no room for it."""
    region = target.region(drawn)
    if region.sum() * drawn.frame.step**3 < 15_000:
        return None
    return _CHOOSE[category](rng, drawn, category, target, region)


def _spot(rng: np.random.Generator, drawn: Drawn, region: NDArray[np.bool_], rim: str, under: float = 1.0) -> Point:
    """A place in the region, ``under`` mm below the pleura if it can be."""
    allowed = region & (drawn.depth > under)
    if rim == "peripheral":
        allowed &= drawn.depth < under + 15
    elif rim == "central":
        allowed &= drawn.depth > 28
    flat = np.flatnonzero(allowed)
    if flat.size == 0:
        flat = np.flatnonzero(region if region.any() else drawn.lung > 0.5)
    return middle_of(drawn, int(rng.choice(flat)))


def _near(points: list[Point]) -> NDArray[np.float32]:
    return np.array(points, dtype=np.float32).reshape(-1, 3)


def _hull(places: NDArray[np.float32], radii: NDArray[np.float32]) -> tuple[Point, float]:
    low, high = (places - radii[:, None]).min(0), (places + radii[:, None]).max(0)
    middle = (low + high) / 2
    return (float(middle[0]), float(middle[1]), float(middle[2])), float((high - low).max() / 2) + 6


def _balls(rng, drawn, category, target, region):  # type: ignore[no-untyped-def]
    """Nodules and masses, ground glass, consolidations, cysts: one or several rounded things."""
    big = {"2d": 0.5, "2c": 0.7, "2b": 0.7, "2h": 0.3}[category]
    several = rng.random() < {"2d": 0.25, "2c": 0.45, "2b": 0.25, "2h": 0.15}[category]
    count = int(rng.integers(2, 6)) if several else 1
    if target.side == 0:
        count = int(rng.integers(4, 9))
    if category == "2d":
        draws = np.where(rng.random(count) < 0.68, rng.uniform(4, 15, count), rng.uniform(15, 55, count))
    else:
        low, high = {"2c": (14, 60), "2b": (18, 80), "2h": (9, 45)}[category]
        draws = rng.uniform(low, high, count) ** 1.0 * (0.8 if count > 1 else 1)
    radii = (draws / 2).astype(np.float32)
    points = []
    for number, radius in enumerate(radii):
        under = min(float(radius) * (0.9 if category in ("2d", "2h") else 0.2), 20.0)
        half = region if target.side else region & (drawn.side == 1 + number % 2)
        points.append(_spot(rng, drawn, half, target.rim, under if rng.random() < 0.8 else 1.0))
    places = _near(points)
    middle, reach = _hull(places, radii * 1.35)
    noise = (
        Lattice.make(rng, float(np.clip(radii.max() * 0.6, 4, 18)), middle, reach),
        Lattice.make(rng, float(rng.uniform(3.5, 7)), middle, reach),
    )
    numbers = {"rough": float(rng.uniform(0.05, 0.3)), "ratio": float(rng.uniform(0.6, 1.4)), "big": big}
    u = rng.uniform
    if category == "2d":
        part = rng.random()
        numbers |= {"core": 0.0, "hu": float(u(-50, 90))}
        if part < 0.14:  # part-solid: a dense core in ground glass
            numbers |= {"hu": float(u(-650, -450)), "core": float(u(0.35, 0.6)), "inner": float(u(-50, 60))}
        elif part < 0.22:  # calcified
            numbers |= {"core": float(u(0.4, 0.9)), "inner": float(u(250, 700))}
        elif part < 0.27 and radii.max() > 9:  # a cavity
            numbers |= {"core": float(u(0.4, 0.7)), "inner": -930.0}
        elif part < 0.36:
            numbers["hu"] = float(u(-700, -350))  # not solid
    elif category == "2c":
        numbers["rise"] = float(u(140, 420))
    elif category == "2b":
        numbers["hu"] = float(u(-20, 90))
        numbers["bronchi"] = float(rng.random() < 0.6)
    else:
        numbers["wall"] = float(rng.choice([u(0.8, 2.0), u(2.5, 6.0)]))
        numbers["hu"] = float(u(-30, 60))
        numbers["inner"] = float(u(-985, -900) if rng.random() < 0.75 else u(0, 25))
    kind = {"2d": "nodule", "2c": "glass", "2b": "dense", "2h": "cyst"}[category]
    return Finding(category, kind, target, middle, reach, places, radii, float(2 * radii.max()), noise, numbers)


def _clouds(rng, drawn, category, target, region):  # type: ignore[no-untyped-def]
    """Emphysema and micronodules: many small balls around a few centres, or all over the region."""
    holes = category == "1c"
    flat = np.flatnonzero(region & (drawn.depth > 1.5))
    if flat.size == 0:
        return None
    halves = [region] if target.side else [region & (drawn.side == 1), region & (drawn.side == 2)]
    centres = [_spot(rng, drawn, half, target.rim, 4.0) for half in halves for _ in range(int(rng.integers(1, 4)))]
    spread = float(rng.uniform(12, 45) if holes else rng.uniform(8, 26))
    frame = drawn.frame
    k, j, i = np.unravel_index(flat, drawn.lung.shape)
    at = np.column_stack([frame.z.ravel()[k], frame.y.ravel()[j], frame.x.ravel()[i]])
    near = np.min([np.sum((at - np.array(c)) ** 2, axis=1) for c in centres], axis=0)
    chance = np.exp(-near / (2 * spread**2)) + 1e-9
    if holes and rng.random() < 0.3:
        chance = chance * (drawn.depth.ravel()[flat] < 12)  # under the pleura
    total = chance.sum()
    if total <= 1e-6:
        return None
    count = int(rng.integers(60, 320) if holes else rng.integers(25, 120))
    count = min(count, max(20, int(flat.size * 0.05)))
    chosen = rng.choice(flat.size, size=count, p=chance / total)
    places = (at[chosen] + rng.uniform(-1.5, 1.5, (count, 3))).astype(np.float32)
    radii = (rng.gamma(4, 0.9, count) + 1.4 if holes else rng.uniform(1.1, 2.4, count)).astype(np.float32)
    middle, reach = _hull(places, radii)
    numbers = {"hu": float(rng.uniform(-995, -955) if holes else rng.uniform(-120, 40))}
    return Finding(category, "holes" if holes else "dots", target, middle, reach, places, radii, 0.0, (), numbers)


def _fields(rng, drawn, category, target, region):  # type: ignore[no-untyped-def]
    """Septal thickening, mosaic attenuation, honeycombing: a texture over a part of the region."""
    place = _spot(rng, drawn, region, "peripheral" if category in ("1d", "2f") else target.rim, 3.0)
    radius = float(rng.uniform(28, 75) if target.side else rng.uniform(50, 110))
    if target.side == 0:
        place = (place[0], place[1], 0.0)
        radius = float(rng.uniform(110, 150))
    places = _near([place])
    radii = np.array([radius], dtype=np.float32)
    scale = {"1d": rng.uniform(8, 13), "1f": rng.uniform(16, 32), "2f": rng.uniform(5, 9)}[category]
    noise = (
        Lattice.make(rng, float(scale), place, radius * 1.3),
        Lattice.make(rng, float(scale), place, radius * 1.3),
        Lattice.make(rng, 20.0, place, radius * 1.3),
    )
    u = rng.uniform
    numbers = {
        "1d": {"depth": float(u(16, 40)), "hu": float(u(180, 420))},
        "1f": {"rise": float(u(70, 190)), "cut": float(u(-0.4, 0.4))},
        "2f": {"depth": float(u(10, 24)), "wall": float(u(-350, 0)), "cell": float(u(5, 10))},
    }[category]
    kind = {"1d": "net", "1f": "mosaic", "2f": "comb"}[category]
    return Finding(category, kind, target, place, radius * 1.25, places, radii, 0.0, noise, numbers)


def _tubes(rng, drawn, category, target, region):  # type: ignore[no-untyped-def]
    """Thick-walled or wide airways: straight pieces that run outwards and down or up with the bronchi."""
    count = int(rng.integers(2, 7))
    centre = np.array(_spot(rng, drawn, region, "", 8.0))
    ways, places = [], []
    for _ in range(count):
        place = centre + rng.normal(0, 11, 3)
        way = place - np.array([0.0, 5.0, np.sign(place[2]) * 25.0])
        way = way / np.linalg.norm(way) + rng.normal(0, 0.25, 3)
        places.append(place)
        ways.append(way / np.linalg.norm(way))
    lengths = rng.uniform(9, 20, count)
    wide = category == "1b"
    radii = rng.uniform(2.6, 6.0, count) if wide else rng.uniform(1.2, 2.6, count)
    spots = np.array(places, dtype=np.float32)
    middle, reach = _hull(spots, (lengths + radii + 4).astype(np.float32))
    numbers = {
        "wall": float(rng.uniform(1.0, 2.0) if wide else rng.uniform(1.8, 3.2)),
        "hu": float(rng.uniform(-80, 50)),
    }
    for number, (way, length) in enumerate(zip(ways, lengths, strict=True)):
        numbers |= {f"w{number}{axis}": float(way[axis]) for axis in range(3)} | {f"l{number}": float(length)}
    return Finding(category, "tubes", target, middle, reach, spots, radii.astype(np.float32), 0.0, (), numbers)


def _band(rng, drawn, category, target, region):  # type: ignore[no-untyped-def]
    several = rng.random() < 0.25
    count = int(rng.integers(2, 4)) if several else 1
    places = _near([_spot(rng, drawn, region, "peripheral" if rng.random() < 0.7 else "", 3.0) for _ in range(count)])
    lengths = rng.uniform(14, 42, count).astype(np.float32)
    middle, reach = _hull(places, lengths)
    numbers = {"thick": float(rng.uniform(1.0, 3.2)), "hu": float(rng.uniform(-250, 50))}
    for number in range(count):
        way = rng.standard_normal(3) * np.array([1.3, 1.0, 0.6])
        numbers |= {f"w{number}{axis}": float(v) for axis, v in enumerate(way / np.linalg.norm(way))}
    noise = (Lattice.make(rng, 16.0, middle, reach),)
    return Finding(category, "bands", target, middle, reach, places, lengths, 0.0, noise, numbers)


def _layer(rng, drawn, category, target, region):  # type: ignore[no-untyped-def]
    """Fluid, thickened pleura, or air between lung and wall."""
    where = np.argwhere(region)
    frame = drawn.frame
    z = frame.z.ravel()[where[:, 0]]
    low, high = float(z.min()), float(z.max())
    back, front = float(frame.y.ravel()[where[:, 1]].max()), float(frame.y.ravel()[where[:, 1]].min())
    x = float(np.median(frame.x.ravel()[where[:, 2]]))
    places = _near([((low + high) / 2, (front + back) / 2, x)])
    u = rng.uniform
    numbers = {"low": low, "high": high, "back": back, "front": front, "x": x}
    if category == "2e":
        thin = rng.random() < 0.2
        numbers |= {
            "thin": float(thin),
            "deep": float(u(3, 8) if thin else rng.choice([u(8, 25), u(25, 80)])),
            "top": float(u(0.2, 0.9)),
            "hu": float(u(-8, 35)),
            "slope": float(u(0.1, 0.5)),
        }
    else:
        numbers |= {
            "deep": float(rng.choice([u(5, 18), u(18, 55)])),
            "start": float(u(-0.5, 0.5)),
            "front_share": float(u(0, 1)),
        }
    middle = (float(places[0, 0]), float(places[0, 1]), x)
    noise = (Lattice.make(rng, 30.0, middle, 170.0),)
    kind = "fluid" if category == "2e" else "air"
    radii = np.array([150.0], dtype=np.float32)
    return Finding(category, kind, target, middle, 170.0, places, radii, 0.0, noise, numbers)


_CHOOSE: dict[str, Callable[..., Finding | None]] = {
    "1a": _tubes, "1b": _tubes, "1c": _clouds, "1d": _fields, "1e": _clouds, "1f": _fields, "2a": _band, "2b": _balls,
    "2c": _balls, "2d": _balls, "2e": _layer, "2f": _fields, "2g": _layer, "2h": _balls,
}  # fmt: skip


# -- drawing ----------------------------------------------------------------------------------------------------------


def _each_ball(finding: Finding, frame: Frame, box: Box):  # type: ignore[no-untyped-def]
    """(slices within the frame, millimetres inside the uneven surface, radius) of every ball."""
    rough, ratio = finding.numbers.get("rough", 0.0), finding.numbers.get("ratio", 1.0)
    for (z, y, x), radius in zip(finding.places.tolist(), finding.radii.tolist(), strict=True):
        own = frame.box((z, y, x), radius * 1.5 + frame.step)
        if any(part.start >= part.stop for part in own):
            continue
        near = frame.part(own)
        edge = radius * (1 + rough * finding.noise[0].at(near))
        away = np.sqrt(((near.z - z) * ratio) ** 2 + (near.y - y) ** 2 + (near.x - x) ** 2)
        yield own, near, (edge - away).astype(np.float32), radius


def _paint_nodule(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    region = np.zeros(drawn.lung.shape, dtype=np.float32)
    region[box] = here
    for own, near, edge, radius in _each_ball(finding, drawn.frame, box):
        # A small nodule keeps its volume: partial voxels count from half a voxel out.
        share = near.soft(edge) * np.clip(drawn.lung[own] + 0.3, 0, 1) * region[own]
        spikes = np.clip(finding.noise[1].at(near) - 0.9, 0, 1) * np.clip(1 + edge / (0.5 * radius), 0, 1) * (edge < 0)
        part = drawn.hu[own]
        hu = finding.numbers["hu"]
        part = part + np.clip(hu - part, 0, None) * share
        part = part + 350 * spikes * region[own] * (finding.numbers["rough"] > 0.17)
        if finding.numbers["core"]:
            core = near.soft(edge - radius * (1 - finding.numbers["core"])) * share
            part = part + (finding.numbers["inner"] - part) * core
        drawn.hu[own] = part
        shares[own] = np.maximum(shares[own], share)


def _paint_glass(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    region = np.zeros(drawn.lung.shape, dtype=np.float32)
    region[box] = here
    for own, near, edge, _ in _each_ball(finding, drawn.frame, box):
        share = np.clip(edge / 5 + 0.5, 0, 1) * region[own]
        part = drawn.hu[own]
        rise = finding.numbers["rise"] * (1 + 0.15 * finding.noise[1].at(near))
        drawn.hu[own] = np.where(part < -250, part + rise * share, part)
        shares[own] = np.maximum(shares[own], share)


def _paint_dense(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    region = np.zeros(drawn.lung.shape, dtype=np.float32)
    region[box] = here
    for own, near, edge, _ in _each_ball(finding, drawn.frame, box):
        share = np.clip(edge / 4 + 0.5, 0, 1) * region[own]
        texture = finding.noise[1].at(near)
        value = finding.numbers["hu"] + 20 * texture
        if finding.numbers["bronchi"]:
            value = np.where((np.abs(texture) < 0.1) & (edge > 3), -600.0, value)
        part = drawn.hu[own]
        drawn.hu[own] = part + (value - part) * share
        shares[own] = np.maximum(shares[own], share)


def _paint_cyst(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    region = np.zeros(drawn.lung.shape, dtype=np.float32)
    region[box] = here
    for own, near, edge, _ in _each_ball(finding, drawn.frame, box):
        share = near.soft(edge) * region[own]
        inner = near.soft(edge - finding.numbers["wall"]) * region[own]
        part = drawn.hu[own]
        part = part + (finding.numbers["hu"] - part) * share
        drawn.hu[own] = part + (finding.numbers["inner"] - part) * inner
        shares[own] = np.maximum(shares[own], share)


def _paint_balls(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    region = np.zeros(drawn.lung.shape, dtype=np.float32)
    region[box] = here
    frame = drawn.frame
    for (z, y, x), radius in zip(finding.places.tolist(), finding.radii.tolist(), strict=True):
        own = frame.box((z, y, x), radius + frame.step)
        if any(part.start >= part.stop for part in own):
            continue
        near = frame.part(own)
        share = near.soft(radius - near.away((z, y, x)))
        # Where the ball is smaller than a voxel, its volume is what a voxel sees of it.
        share = share * min(1.0, 4.19 * radius**3 / frame.step**3) * region[own]
        part = drawn.hu[own]
        drawn.hu[own] = np.where(part < -500, part + (finding.numbers["hu"] - part) * share, part)
        shares[own] = np.maximum(shares[own], share)


def _paint_field(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    near = drawn.frame.part(box)
    away = near.away(finding.middle)
    envelope = finding.radii[0] * (1 + 0.15 * finding.noise[2].at(near)) - away
    inside = np.clip(envelope / 6 + 0.5, 0, 1) * here
    first, second = finding.noise[0].at(near), finding.noise[1].at(near)
    part = drawn.hu[box]
    if finding.kind == "mosaic":
        share = np.clip((first - finding.numbers["cut"]) * 3 + 0.5, 0, 1) * inside
        drawn.hu[box] = np.where(part < -300, part + finding.numbers["rise"] * share, part)
    elif finding.kind == "net":
        share = inside * np.clip((finding.numbers["depth"] - drawn.depth[box]) / 4 + 0.5, 0, 1)
        lines = np.maximum(np.clip(1 - np.abs(first) * 3.5, 0, 1), np.clip(1 - np.abs(second) * 3.5, 0, 1))
        drawn.hu[box] = part + finding.numbers["hu"] * lines * share * (part < -200)
    else:
        share = inside * np.clip((finding.numbers["depth"] - drawn.depth[box]) / 3 + 0.5, 0, 1)
        cell = finding.numbers["cell"]
        u = ((near.x + 2 * first + 0.3 * near.y) / cell) % 1 - 0.5
        v = ((near.y - 2 * second) / cell) % 1 - 0.5
        w = (near.z / (cell * 1.2)) % 1 - 0.5
        hole = np.clip((0.44 - np.sqrt(u**2 + v**2 + 0.6 * w**2)) * cell / drawn.frame.step + 0.5, 0, 1)
        value = finding.numbers["wall"] + (-930 - finding.numbers["wall"]) * hole
        drawn.hu[box] = part + (value - part) * share
    shares[box] = np.maximum(shares[box], share)


def _paint_tubes(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    near = drawn.frame.part(box)
    numbers = finding.numbers
    for number, ((z, y, x), radius) in enumerate(zip(finding.places.tolist(), finding.radii.tolist(), strict=True)):
        way = [numbers[f"w{number}{axis}"] for axis in range(3)]
        dz, dy, dx = near.z - z, near.y - y, near.x - x
        along = way[0] * dz + way[1] * dy + way[2] * dx
        off = np.sqrt(np.maximum(dz**2 + dy**2 + dx**2 - along**2, 0))
        bulge = radius * (1 + 0.2 * np.sin(along / 4 + number))
        ends = numbers[f"l{number}"] - np.abs(along)
        outer = near.soft(np.minimum(bulge + numbers["wall"] - off, ends)) * here
        inner = near.soft(np.minimum(bulge - off, ends)) * here
        part = drawn.hu[box]
        part = part + (numbers["hu"] - part) * outer
        drawn.hu[box] = part + (-980 - part) * inner
        shares[box] = np.maximum(shares[box], outer)


def _paint_bands(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    near = drawn.frame.part(box)
    numbers = finding.numbers
    wobble = 1.5 * finding.noise[0].at(near)
    for number, ((z, y, x), length) in enumerate(zip(finding.places.tolist(), finding.radii.tolist(), strict=True)):
        way = [numbers[f"w{number}{axis}"] for axis in range(3)]
        dz, dy, dx = near.z - z, near.y - y, near.x - x
        off = np.abs(way[0] * dz + way[1] * dy + way[2] * dx + wobble)
        around = np.sqrt(dz**2 + dy**2 + dx**2)
        thick = numbers["thick"] * np.clip(1.4 - around / length, 0, 1)
        step = drawn.frame.step
        share = np.clip((thick - off) / step + 0.5, 0, np.minimum(1, 2 * thick / step)) * (around < length) * here
        part = drawn.hu[box]
        drawn.hu[box] = part + np.clip(numbers["hu"] - part, 0, None) * share
        shares[box] = np.maximum(shares[box], share)


def _paint_layer(finding: Finding, drawn: Drawn, box: Box, here: Array, shares: Array) -> None:
    near = drawn.frame.part(box)
    n = finding.numbers
    here = drawn.lung[box] * (drawn.side[box] == finding.target.side)
    rise = (near.z - n["low"]) / (n["high"] - n["low"])
    wave = finding.noise[0].at(near)
    depth = drawn.depth[box]
    part = drawn.hu[box]
    if finding.kind == "fluid":
        if n["thin"]:
            inside = np.minimum(n["deep"] + 1.5 * wave - depth, 40 * (n["top"] - rise) + 8 * wave)
            inside = np.minimum(inside, near.y - (n["back"] + n["front"]) / 2 + 30 * wave)
        else:
            fall = np.clip(1 - (rise / n["top"]).clip(0) ** 1.6, 0, 1)
            level = n["back"] - n["deep"] * fall + 0.004 * (near.x - n["x"]) ** 2 * (1 - 0.4 * fall)
            inside = np.where(fall > 0.02, near.y - level + 2 * wave + n["slope"] * 20 * (0.25 - rise), -9)
        share = near.soft(inside) * here
        squeezed = np.clip((inside + 9) / 9, 0, 1) * (inside < 0) * here
        part = part + 330 * squeezed * (part < -300)
        drawn.hu[box] = part + (n["hu"] - part) * share
    else:
        grow = np.clip((rise * 2 - 1 - n["start"]) * 1.2 + 0.15, 0, 1)
        from_front = near.y - n["front"]
        inside = n["deep"] * grow + 2 * wave - np.where(n["front_share"] < 0.7, from_front * 0.55 + depth * 0.6, depth)
        share = near.soft(np.where(grow > 0.02, inside, -9)) * here
        line = np.clip((1.2 - np.abs(inside + 1)) / near.step + 0.5, 0, min(1, 1.4 / near.step)) * (grow > 0.02) * here
        part = part + np.clip(-150 - part, 0, None) * line
        drawn.hu[box] = part + (AIR + 8 - part) * share
    drawn.lung[box] = drawn.lung[box] * (1 - share)
    shares[box] = np.maximum(shares[box], share)


_PAINT: dict[str, Callable[[Finding, Drawn, Box, Array, Array], None]] = {
    "nodule": _paint_nodule, "glass": _paint_glass, "dense": _paint_dense, "cyst": _paint_cyst, "holes": _paint_balls,
    "dots": _paint_balls, "net": _paint_field, "mosaic": _paint_field, "comb": _paint_field, "tubes": _paint_tubes,
    "bands": _paint_bands, "fluid": _paint_layer, "air": _paint_layer,
}  # fmt: skip
