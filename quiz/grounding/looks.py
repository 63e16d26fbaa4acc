"""What each category looks like: rules on HU, shape and place that propose regions for a sentence.

All lengths are millimetres and all densities HU. The bands are those of radiological usage (emphysema below about -950,
ground glass between lung and tissue, water near 0, soft tissue above it); shapes are told by the curvature of smoothed HU
(a ball curves in three directions, a vessel in two, a plate in one). Thresholds were set by looking at synthetic chests
and at four public CTs, not tuned on any data set that is reported.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from quiz.grounding.lungs import Lungs, block_mean
from quiz.grounding.regions import Region
from quiz.grounding.scene import Bools, Cut, Floats, Scene
from quiz.grounding.sentence import Parsed

LIKELY = 0.15
"""Where the prior is lower than this nothing is looked for."""
BLOB_MM = (4.0, 6.0, 9.0, 13.0, 19.0, 28.0, 42.0, 60.0, 85.0)
"""Diameters of balls that are tried when the sentence says no size; a said size is tried with its neighbours."""
FINE_BLOB_MM = 14.0
"""Smaller balls are looked for in the fine cut."""
JOINED = frozenset({"1a", "1b", "1c", "1d", "1e", "1f", "2f"})
"""Categories of many small pieces, which are proposed together."""
MOST_PEAKS = 24
MOST_REGIONS = 12

Looks = Callable[[Scene, Parsed, Floats], list[Region]]


def regions_for(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    """Proposals for a sentence, best first. where: the prior, on the coarse grid."""
    found = _LOOKS[parsed.category](scene, parsed, where)
    return sorted((region for region in found if region.score > 0), key=lambda region: -region.score)[:MOST_REGIONS]


# -- pieces of the coarse picture -------------------------------------------------------------------------------------


def _opened(mask: Bools, cell_mm: tuple[float, float, float], radius_mm: float) -> Bools:
    """What is left of a mask after everything thinner than twice the radius is taken away."""
    padded = np.pad(mask, 1)
    depth = ndimage.distance_transform_edt(padded, sampling=cell_mm)
    core = depth > radius_mm
    if not core.any():
        return np.zeros_like(mask)
    near = ndimage.distance_transform_edt(~core, sampling=cell_mm) <= radius_mm + max(cell_mm) / 2
    return np.asarray((near & padded)[1:-1, 1:-1, 1:-1])


def _pieces(mask: Bools, weight: Floats, scene: Scene, band: tuple[float, float], *, grow: int = 1) -> list[Region]:
    """Connected pieces of a coarse mask, scored by the weight they hold; grown by a cell, because the border of a finding
    fills its outermost cells only in part."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    if not count:
        return []
    sums = np.bincount(labels.ravel(), weights=(weight * mask).ravel(), minlength=count + 1)
    sums[0] = 0
    out = []
    for n in np.argsort(-sums)[:MOST_REGIONS]:
        if sums[n] <= 0:
            break
        piece = labels == n
        if grow:
            piece = ndimage.binary_dilation(piece, iterations=grow)
        # The square root: a piece twice as large is not twice as likely what is meant.
        out.append(Region(piece, (0, 0, 0), scene.lungs.step, float(np.sqrt(sums[n])), band))
    return out


def _below_lung(lungs: Lungs) -> Bools:
    """Cells under the lowest air of their column, here and in the other lung mirrored: liver, spleen and stomach, which a
    lung's hull takes in where its base is hollow."""
    air = lungs.air
    lowest = np.where(air.any(axis=0), air.argmax(axis=0), air.shape[0])
    if lungs.midline is not None:
        columns = np.clip(np.round(2 * lungs.midline - np.arange(air.shape[2])).astype(int), 0, air.shape[2] - 1)
        lowest = np.minimum(lowest, lowest[:, columns] + round(12 / lungs.cell_mm[0]))
    return np.asarray(np.arange(air.shape[0])[:, None, None] < lowest[None])


def _heart(lungs: Lungs) -> Floats:
    """How likely dense tissue in the room of the lungs is heart or mediastinum instead, 0..1: near the middle, in front
    and low, more so on the left."""
    if lungs.midline is None:
        return np.zeros(lungs.hu.shape, dtype=np.float32)
    reach = np.where(lungs.left, 0.62, 0.36).astype(np.float32)
    inner = np.clip((reach - lungs.out) / 0.15 + 0.5, 0, 1)
    ahead = np.clip((0.68 - lungs.back) / 0.15 + 0.5, 0, 1)
    low = np.clip((0.62 - lungs.up) / 0.15 + 0.5, 0, 1)
    middle = np.clip((0.2 - lungs.out) / 0.08 + 0.5, 0, 1)
    return np.asarray(np.maximum(inner * ahead * low, middle), dtype=np.float32)


def _dense(scene: Scene, low: float, high: float) -> Bools:
    lungs = scene.lungs
    return np.asarray(lungs.room & (lungs.hu > low) & (lungs.hu < high) & ~_below_lung(lungs))


# -- focal, larger than a vessel --------------------------------------------------------------------------------------


def consolidation(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    lungs = scene.lungs
    dense = _dense(scene, -250, 130) & (where > LIKELY)
    dense = _opened(dense, lungs.cell_mm, 4.5)
    return _pieces(dense, where * (1 - 0.85 * _heart(lungs)), scene, (-300, 200))


def ground_glass(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    lungs = scene.lungs
    if parsed.size_mm and not parsed.plural:
        balls = blobs(scene, parsed, where, top=-250.0)
        if balls:
            return balls
    # Above what a normal lung varies by; between them a vessel in a cell of air looks the same, but is thin.
    low = max(scene.typical + 140.0, -780.0)
    smooth = ndimage.gaussian_filter(lungs.hu, [2.5 / mm for mm in lungs.cell_mm])
    inner = ndimage.binary_erosion(lungs.air, iterations=1)
    hazy = inner & (smooth > low) & (smooth < -250) & (where > LIKELY)
    hazy = _opened(np.asarray(hazy), lungs.cell_mm, 6.0)
    weight = where * np.clip((lungs.out - 0.15) / 0.15, 0.1, 1)  # vessels crowd at the hilum
    return _pieces(hazy, weight, scene, (low - 40, -100))


def effusion(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    lungs = scene.lungs
    thin = "thicken" in parsed.text.lower() or "plaque" in parsed.text.lower()
    smooth = ndimage.gaussian_filter(lungs.hu, [1.5 / mm for mm in lungs.cell_mm])
    fluid = lungs.room & (smooth > -40) & (smooth < (80 if thin else 42)) & (where > LIKELY / 3)
    if not thin:
        fluid = _opened(np.asarray(fluid), lungs.cell_mm, 4.0)
    dependent = np.clip((lungs.back - 0.45) / 0.3, 0.02, 1) * np.clip(1.2 - lungs.up, 0.2, 1)
    fluid &= dependent > 0.1
    return _pieces(np.asarray(fluid), dependent * (1 - 0.9 * _heart(lungs)), scene, (-60, 100))


def pneumothorax(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    lungs = scene.lungs
    border = min(-950.0, scene.typical - 60)
    smooth = ndimage.gaussian_filter(lungs.hu, [1.5 / mm for mm in lungs.cell_mm])
    black = lungs.air & (smooth < border) & (where > LIKELY / 2) & (lungs.out > 0.2)
    black = _opened(np.asarray(black), lungs.cell_mm, 3.0)
    risen = np.clip(0.25 + 0.5 * (1 - lungs.back) + 0.4 * lungs.up, 0, 1)
    return _pieces(black, np.sqrt(where) * risen, scene, (-1100, -900))


# -- balls ------------------------------------------------------------------------------------------------------------


def nodule(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    return blobs(scene, parsed, where, top=60.0)


def other_focal(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    """Cysts and cavities are dark balls; anything else is looked for as a nodule is."""
    hollow = any(word in parsed.text.lower() for word in ("cyst", "cavit", "pneumatoc"))
    if not hollow:
        return nodule(scene, parsed, where)
    lungs = scene.lungs
    dark = lungs.room & (lungs.hu < min(-930.0, scene.typical - 45)) & (where > LIKELY)
    dark &= lungs.out > 0.15
    return _pieces(np.asarray(dark), where, scene, (-1100, -850))


def blobs(scene: Scene, parsed: Parsed, where: Floats, *, top: float) -> list[Region]:
    """Balls brighter than lung: peaks of the Laplacian of Gaussians of several widths, weighed by how much they curve in
    all three directions and by the prior. top: HU above which nothing is brighter (bone is no better than tissue)."""
    said = parsed.size_mm
    diameters = (
        [said * f for f in (0.75, 1.0, 1.3)] if said else [d for d in BLOB_MM if d < 50 or "mass" in parsed.text]
    )
    likely = where > LIKELY
    fine = scene.cut(likely) if min(diameters) < FINE_BLOB_MM else None
    found: list[tuple[float, float, tuple[int, int, int]]] = []
    coarse = scene.coarse(likely, 1.2 * max(diameters))
    for diameter in diameters:
        cut = fine if fine is not None and diameter < FINE_BLOB_MM else coarse
        if cut is None:
            return []
        weight = where[scene.coarse_index(cut)]
        found += [(score, diameter, cut.middle(cell)) for score, cell in _peaks(cut, weight, diameter, top)]
    chosen: list[tuple[float, float, tuple[int, int, int]]] = []
    for score, diameter, at in sorted(found, reverse=True):
        apart = all(_mm(scene, at, other) > 0.6 * max(diameter, wide) for _, wide, other in chosen)
        if apart:
            chosen.append((score, diameter, at))
        if len(chosen) == MOST_REGIONS:
            break
    return [_ball(scene, at, diameter, score, top, said) for score, diameter, at in chosen]


def _mm(scene: Scene, a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
    return float(np.hypot.reduce([(x - y) * mm for x, y, mm in zip(a, b, scene.grid.spacing_mm, strict=True)]))


def _peaks(cut: Cut, where: Floats, diameter: float, top: float) -> list[tuple[float, tuple[int, int, int]]]:
    """(score, cell) of balls about as wide as the diameter."""
    hu = np.clip(cut.hu, -900.0, top)
    # A ball of radius r answers most strongly to a Gaussian of width r / sqrt(3).
    mm = diameter / 2 / np.sqrt(3)
    sigma = [max(mm / c, 0.5) for c in cut.cell_mm]
    wider = [1.26 * s for s in sigma]
    # Difference of two Gaussians for the Laplacian: the same shape, two separable passes.
    answer = ndimage.gaussian_filter(hu, sigma, truncate=3) - ndimage.gaussian_filter(hu, wider, truncate=3)
    answer *= where > LIKELY
    size = [max(3, 2 * round(diameter / 4 / c) + 1) for c in cut.cell_mm]
    peaks = (answer == ndimage.maximum_filter(answer, size)) & (answer > 15.0)
    cells = np.argwhere(peaks)
    if not len(cells):
        return []
    strength = answer[tuple(cells.T)] * where[tuple(cells.T)]
    out = []
    for n in np.argsort(-strength)[:MOST_PEAKS]:
        cell = (int(cells[n, 0]), int(cells[n, 1]), int(cells[n, 2]))
        out.append((float(strength[n]) * _roundness(hu, cell, mm, cut.cell_mm), cell))
    return out


def _roundness(hu: Floats, cell: tuple[int, int, int], sigma_mm: float, cell_mm: tuple[float, float, float]) -> float:
    """1 if the HU fall off alike in all directions, near 0 for a vessel: the weakest curvature over the strongest."""
    box, at = [], []
    for c, n, mm in zip(cell, hu.shape, cell_mm, strict=True):
        reach = int(np.ceil(4 * sigma_mm / mm)) + 2
        box.append(slice(max(0, c - reach), min(n, c + reach + 1)))
        at.append(c - box[-1].start)
    part = ndimage.gaussian_filter(hu[tuple(box)], [max(sigma_mm / mm, 0.5) for mm in cell_mm], truncate=3)
    curve = np.empty((3, 3))
    for a in range(3):
        for b in range(a, 3):
            curve[a, b] = curve[b, a] = _second(part, at, a, b, cell_mm)
    bent = np.linalg.eigvalsh(curve)
    if bent[2] >= 0 or bent[0] >= 0:
        return 0.05
    return float(np.clip(0.05 + 0.95 * (bent[2] / bent[0]) / 0.5, 0.05, 1.0))


def _second(part: Floats, at: list[int], a: int, b: int, cell_mm: tuple[float, float, float]) -> float:
    """Second derivative along axes a and b at a cell."""

    def value(*moves: tuple[int, int]) -> float:
        place = list(at)
        for axis, by in moves:
            place[axis] = min(max(place[axis] + by, 0), part.shape[axis] - 1)
        return float(part[tuple(place)])

    if a == b:
        return (value((a, 1)) - 2 * value() + value((a, -1))) / cell_mm[a] ** 2
    mixed = value((a, 1), (b, 1)) - value((a, 1), (b, -1)) - value((a, -1), (b, 1)) + value((a, -1), (b, -1))
    return mixed / (4 * cell_mm[a] * cell_mm[b])


def _ball(scene: Scene, at: tuple[int, int, int], diameter: float, score: float, top: float, said: float) -> Region:
    """Voxels around a peak that are denser than half-way between it and the lung, joined to it and no farther out than the
    ball reaches."""
    reach = diameter / 2 * (1.3 if said else 1.5) + 1.0
    spacing = scene.grid.spacing_mm
    # Large balls are cut out in coarser voxels: their border does not need the finest.
    step = tuple(max(1, round(diameter / 40 / mm)) for mm in spacing)
    box = tuple(
        slice(max(0, c - int(reach / mm) - 1), min(n, c + int(reach / mm) + 2))
        for c, mm, n in zip(at, spacing, scene.grid.size, strict=True)
    )
    hu = block_mean(scene.voxels[box], (step[0], step[1], step[2]))
    hu = ndimage.gaussian_filter(hu, 0.6)
    lines = [
        ((s.start + np.arange(n) * t + (t - 1) / 2 - c) * mm)
        for s, n, t, c, mm in zip(box, hu.shape, step, at, spacing, strict=True)
    ]
    away = np.sqrt(lines[0][:, None, None] ** 2 + lines[1][None, :, None] ** 2 + lines[2][None, None, :] ** 2)
    core = hu[away <= max(diameter / 5, max(spacing))]
    peak = min(float(np.median(core)) if core.size else top, top)
    border = (peak + scene.typical) / 2
    solid = (hu > border) & (away <= reach)
    labels, _ = ndimage.label(solid)
    middle = tuple(int(np.argmin(np.abs(line))) for line in lines)
    here = labels[middle] or labels[np.unravel_index(int(np.argmin(np.where(solid, away, np.inf))), solid.shape)]
    piece = (labels == here) & solid if here else away <= diameter / 2
    # Vessels that enter it are cut off where they are thin beside it.
    cell = [t * mm for t, mm in zip(step, spacing, strict=True)]
    thick = _opened(piece, (cell[0], cell[1], cell[2]), min(0.18 * diameter, 4.0))
    if thick.sum() > 0.3 * piece.sum():
        labels, _ = ndimage.label(thick)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        piece = labels == int(sizes.argmax())
    start = (box[0].start, box[1].start, box[2].start)
    return Region(np.asarray(piece), start, (step[0], step[1], step[2]), score)


# -- plates, tubes, nets and dots -------------------------------------------------------------------------------------


def _curvatures(hu: Floats, sigma_mm: float, cell_mm: tuple[float, float, float], at: Bools) -> Floats:
    """Eigenvalues of the Hessian at some cells, ascending, [n, 3], for HU smoothed by sigma and times sigma squared."""
    sigma = [sigma_mm / mm for mm in cell_mm]
    out = np.empty((int(at.sum()), 3, 3), dtype=np.float32)
    for a in range(3):
        for b in range(a, 3):
            order = [int(axis == a) + int(axis == b) for axis in range(3)]
            part = ndimage.gaussian_filter(hu, sigma, order=order, truncate=3)[at]
            out[:, a, b] = out[:, b, a] = part * sigma[a] * sigma[b]
    return np.linalg.eigvalsh(out).astype(np.float32)


def _fine_pieces(
    cut: Cut, mask: Bools, weight: Floats, band: tuple[float, float], *, together: bool, grow: int = 1
) -> list[Region]:
    """Pieces of a mask in a cut, or all of it as one region."""
    if not mask.any():
        return []
    if together:
        grown = ndimage.binary_dilation(mask, iterations=grow) if grow else mask
        return [Region(grown, cut.origin, cut.step, float(np.sqrt((weight * mask).sum())), band)]
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sums = np.bincount(labels.ravel(), weights=(weight * mask).ravel(), minlength=count + 1)
    sums[0] = 0
    out = []
    for n in np.argsort(-sums)[:MOST_REGIONS]:
        if sums[n] > 0:
            piece = labels == n
            grown = ndimage.binary_dilation(piece, iterations=grow) if grow else piece
            out.append(Region(grown, cut.origin, cut.step, float(np.sqrt(sums[n])), band).trimmed())
    return out


def linear(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    """Plates: strongly curved in one direction only."""
    lungs = scene.lungs
    cut = scene.cut(where > LIKELY)
    if cut is None:
        return []
    index = scene.coarse_index(cut)
    weight = where[index]
    hu = np.clip(cut.hu, -900, 50)
    at = (hu > -720) & (weight > LIKELY) & ndimage.binary_erosion(lungs.air | lungs.room, iterations=1)[index]
    at &= ~_below_lung(lungs)[index]
    if not at.any():
        return []
    bent = _curvatures(hu, 2.2, cut.cell_mm, at)
    flat = np.where(bent[:, 0] < 0, -bent[:, 0] - 1.6 * np.maximum(np.abs(bent[:, 1]), np.abs(bent[:, 2])), 0)
    plate = np.zeros(hu.shape, dtype=np.float32)
    plate[at] = np.maximum(flat, 0)
    mask = plate > 70
    dense = np.clip((hu + 750) / 400, 0.1, 1)
    score = (weight * np.sqrt(plate) * dense).astype(np.float32)
    return _fine_pieces(cut, mask, score, (-600, 300), together=False)


def _airways(scene: Scene, where: Floats) -> tuple[Cut, Bools, Bools, Floats] | None:
    """Fine cut, dark lumens closed in by walls, those walls, and the prior there."""
    cut = scene.cut(where > LIKELY)
    if cut is None:
        return None
    index = scene.coarse_index(cut)
    size = [2 * max(1, round(4.0 / mm)) + 1 for mm in cut.cell_mm]
    closed = ndimage.minimum_filter(ndimage.maximum_filter(cut.hu, size), size)
    weight = where[index]
    inside = (weight > LIKELY) & scene.lungs.air[index] & (scene.lungs.out[index] > 0.2)
    lumen = inside & (cut.hu < scene.typical - 40) & (closed - cut.hu > 150)
    wall = ndimage.binary_dilation(lumen, iterations=2) & (cut.hu > -780) & inside
    return cut, np.asarray(lumen), np.asarray(wall), weight


def bronchiectasis(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    found = _airways(scene, where)
    if found is None:
        return []
    cut, lumen, wall, weight = found
    return _fine_pieces(cut, lumen | wall, weight, (-1100, 300), together=True)


def wall_thickening(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    found = _airways(scene, where)
    if found is None:
        return []
    cut, _, wall, weight = found
    return _fine_pieces(cut, wall, weight, (-800, 300), together=True, grow=0)


def _roughness(scene: Scene, cut: Cut) -> Floats:
    """Standard deviation of HU within 4 mm, counting lung only."""
    inside = scene.lungs.air[scene.coarse_index(cut)].astype(np.float32)
    sigma = [4.0 / mm for mm in cut.cell_mm]
    hu = (np.clip(cut.hu, -1000, 0) + 850) * inside
    share = np.maximum(ndimage.gaussian_filter(inside, sigma, truncate=2), 1e-3)
    mean = ndimage.gaussian_filter(hu, sigma, truncate=2) / share
    square = ndimage.gaussian_filter(hu**2, sigma, truncate=2) / share
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0)) * (inside > 0), dtype=np.float32)


def _net(scene: Scene, where: Floats, least: float, band: tuple[float, float], *, rim: bool) -> list[Region]:
    cut = scene.cut(where > LIKELY)
    if cut is None:
        return []
    lungs = scene.lungs
    depth = ndimage.distance_transform_edt(lungs.room, sampling=lungs.cell_mm).astype(np.float32)
    weight = (where * np.clip((32 - depth) / 14, 0.05, 1) if rim else where).astype(np.float32)
    index = scene.coarse_index(cut)
    rough = _roughness(scene, cut)
    mask = (rough > least) & (weight[index] > LIKELY)
    return _fine_pieces(cut, mask, weight[index], band, together=True, grow=0)


def septa(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    return _net(scene, where, 130.0, (-780, 0), rim=True)


def honeycomb(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    lungs = scene.lungs
    return _net(scene, where * np.clip(1.1 - 0.6 * lungs.up, 0, 1), 210.0, (-1100, 100), rim=True)


def micronodules(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    """Dots of a few millimetres, where many of them lie close together."""
    cut = scene.cut(where > LIKELY)
    if cut is None:
        return []
    index = scene.coarse_index(cut)
    weight = where[index]
    inside = (weight > LIKELY) & scene.lungs.air[index]
    hu = np.clip(cut.hu, -900, 0)
    at = inside & (hu > -700)
    if not at.any():
        return []
    bent = _curvatures(hu, 1.5, cut.cell_mm, at)
    dot = np.zeros(hu.shape, dtype=np.float32)
    # All three directions: the weakest one counts.
    dot[at] = np.maximum(-bent[:, 2], 0)
    dots = dot > 20
    near = ndimage.gaussian_filter(dots.astype(np.float32), [8.0 / mm for mm in cut.cell_mm], truncate=2)
    crowded = near > max(0.35 * float(near.max()), 1e-4)
    return _fine_pieces(cut, dots & crowded, weight, (-650, 300), together=True)


def emphysema(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    lungs = scene.lungs
    border = -940.0
    cut = scene.cut(where > LIKELY)
    if cut is None:
        return []
    index = scene.coarse_index(cut)
    inside = lungs.air & (lungs.out > 0.15)
    holes = (cut.hu < border) & inside[index] & (where[index] > 0.3)
    return _fine_pieces(cut, holes, where[index], (-1100, border + 10), together=True)


def mosaic(scene: Scene, parsed: Parsed, where: Floats) -> list[Region]:
    """Patches darker than the rest of the lung."""
    lungs = scene.lungs
    smooth = ndimage.gaussian_filter(lungs.hu, [5.0 / mm for mm in lungs.cell_mm])
    inner = ndimage.binary_erosion(lungs.air, iterations=2)
    if not inner.any():
        return []
    dark = inner & (smooth < np.median(smooth[inner]) - 25) & (where > LIKELY)
    pieces = _pieces(_opened(np.asarray(dark), lungs.cell_mm, 6.0), where, scene, (-1100, -820))
    if not pieces:
        return []
    together = np.logical_or.reduce([piece.cells for piece in pieces])
    return [Region(together, (0, 0, 0), lungs.step, pieces[0].score, (-1100, -820))]


_LOOKS: dict[str, Looks] = {
    "1a": wall_thickening, "1b": bronchiectasis, "1c": emphysema, "1d": septa, "1e": micronodules, "1f": mosaic,
    "2a": linear, "2b": consolidation, "2c": ground_glass, "2d": nodule, "2e": effusion, "2f": honeycomb,
    "2g": pneumothorax, "2h": other_focal,
}  # fmt: skip
