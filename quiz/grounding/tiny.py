"""The engine ``tiny``: a small network of our own, trained on phantoms, on the CPU. Weights: ``weights``; card: docs.

A CT is brought to cubes of 3 mm and encoded once; each sentence is decoded by itself and cut at its category's
threshold. Where it finds something small that should be a nodule, it looks again at 1.5 mm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cases.imaging import masks
from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask
from quiz.grounding import inputs, network, resample, weights
from quiz.grounding.base import EngineError, Grounding, GroundingCancelled, Heat, Progress
from quiz.grounding.confidence import whole_or_cut
from quiz.grounding.inputs import STEP_MM, Array
from quiz.grounding.prior import prior, words_used
from quiz.grounding.sentence import Parsed, attributes, parse

REVISION = 1
"""Raised when this code gives other answers with the same weights; the version of the engine is that of both."""
THRESHOLD = 0.5
MOST_CUBES = 10_000_000
"""Far more than any chest."""
LOOK_AGAIN = ("2d",)
SMALL_MM = 36.0
"""What is wider than this is not looked at again: the small cube would cut it."""
MOST_LOOKS = 4
LEAST_SHARE = 0.1
"""Pieces with less than this share of the largest one's volume are left out."""
SOLID = ("2d",)
SOLID_HU, EDGE_HU = -150.0, -400.0
"""What is denser than the first in its densest quarter is solid, and ends half-way between soft tissue and lung (about 50
and -850 HU), which its cubes do not show. Source: partial volume; a border voxel belongs to what fills half of it."""

NOTHING = "The model marks nothing for this sentence."
NOT_A_NUMBER = "The model's answer is not a number; its weights may be damaged."
MEMORY = "There was not enough memory for this scan."
TOO_LARGE = "This scan is {cubes:,} cubes of 3 mm large; at most {most:,} are looked at."


def make(*, path: str | Path | None = None, device: str = "cpu", **_: object) -> Tiny:
    """The engine with the weights that are shipped, or with others that were trained here (``path``)."""
    loaded = weights.load(Path(path), None) if path else weights.load(weights.path_of(), weights.SHA256)
    return Tiny(loaded, device)


class Tiny:
    """Grounder. version: of the weights and of this code."""

    name = "tiny"

    def __init__(self, loaded: weights.Loaded, device: str = "cpu") -> None:
        self.version = f"{loaded.words.get('version', weights.VERSION)}.{REVISION}"
        self.loaded = loaded
        self.device = device
        self.net = loaded.net.to(device)

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """See ``base.Grounder``."""
        _tell(progress, 0, len(sentences) + 1)
        try:
            return self._ground(voxels, grid, sentences, progress)
        except MemoryError as error:
            raise EngineError(MEMORY) from error
        except RuntimeError as error:
            # torch has an exception of its own for the GPU, and says it in words for the CPU.
            if "out of memory" in str(error).lower() or "not enough memory" in str(error).lower():
                raise EngineError(MEMORY) from error
            raise

    def _ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], progress: Progress | None
    ) -> list[Grounding]:
        parsed = [parse(text) for text in sentences]
        cubes = math.prod(
            resample.cubes_along(n, mm, STEP_MM) for n, mm in zip(grid.size, grid.spacing_mm, strict=True)
        )
        if cubes > MOST_CUBES:
            raise EngineError(TOO_LARGE.format(cubes=cubes, most=MOST_CUBES))
        look = Look(self, voxels, grid) if any(not one.note for one in parsed) else None
        _tell(progress, 1, len(sentences) + 1)
        answers = []
        for n, (text, one) in enumerate(zip(sentences, parsed, strict=True)):
            if look is None or one.note or look.lungs is None:
                note = one.note or words_used(None, one)
                answers.append(Grounding(text, masks.empty(grid.size), None, 0.0, one.as_attributes(), note))
            else:
                answers.append(look.answer(text, one))
            _tell(progress, n + 2, len(sentences) + 1)
        return answers


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None and not progress(done, total):
        raise GroundingCancelled("Stopped.")


class Look:
    """One CT looked at: encoded once, asked as often as there are sentences."""

    def __init__(self, engine: Tiny, voxels: NDArray[np.int16], grid: Grid) -> None:
        self.engine, self.voxels, self.grid = engine, voxels, grid
        cubes = np.clip(np.rint(resample.to_cubes(voxels, grid.spacing_mm, STEP_MM)), -1024, 3071).astype(np.int16)
        self.lungs = inputs.find_lungs(cubes)
        if self.lungs is not None:
            self.window = inputs.around_lungs(self.lungs, network.MULTIPLE)
            self.windows, self.features = self._encode(self.window.cut(inputs.channels(self.lungs))[None])

    def _encode(self, volumes: Array) -> tuple[Any, Any]:
        import torch

        with torch.inference_mode():
            tensor = self._tensor(volumes)
            return tensor[:, :2], self.engine.net.encode(tensor)

    def _tensor(self, array: Array) -> Any:
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(self.engine.device)
        return tensor.contiguous(memory_format=torch.channels_last_3d) if tensor.dim() == 5 else tensor

    def _chance(self, parsed: Parsed, places: Array, features: Any, windows: Any) -> Array:
        """The map of one sentence for each of the volumes in ``features``, 0..1, [n, k, j, i]."""
        import torch
        from torch.nn import functional as F

        n = len(places)
        with torch.inference_mode():
            words = torch.from_numpy(inputs.tokens(parsed.text)[None]).to(self.engine.device)
            text = self.engine.net.sentence(self._tensor(attributes(parsed)[None]), words).expand(n, -1)
            small = F.avg_pool3d(self._tensor(places[:, None]), 2)
            logits, y = self.engine.net.decode(features, text, small)
            _, full = self.engine.net.refine(logits, y, features[0], text, small, windows)
            chance: Array = full.sigmoid()[:, 0].float().cpu().numpy()
        if not np.isfinite(chance).all():
            raise EngineError(NOT_A_NUMBER)
        return chance

    def chance(self, parsed: Parsed, place: Array) -> Array:
        """The first pass: how likely each cube is part of the finding, 0..1. place: the prior map."""
        chance = self._chance(parsed, self.window.cut(place)[None], self.features, self.windows)[0]
        return np.asarray(self.window.put_back(chance, self.lungs.hu.shape), dtype=np.float32)  # type: ignore[union-attr]

    def answer(self, text: str, parsed: Parsed) -> Grounding:
        assert self.lungs is not None
        place = prior(self.lungs, parsed)
        # The network may lean over lobes and zones, whose borders are a guess, but not over to the other side.
        side = prior(self.lungs, replace(parsed, lobes=frozenset(), zones=frozenset(), front="", depth=""))
        coarse = self.chance(parsed, place) * (side > 0)
        at = self.engine.loaded.thresholds.get(parsed.category, THRESHOLD)
        kept = _pieces(coarse, at)
        # Lowered before it is looked up, so that what was counted holds for whole and for cut scans.
        sure = self._sure(whole_or_cut(float(coarse[kept].mean()) if kept.any() else 0.0, whole=self.lungs.whole))
        closer = self._closer(parsed, coarse, kept, place) if parsed.category in LOOK_AGAIN else []
        mask = self._mask(parsed, coarse * _softly(kept), closer, at)
        note = " ".join(filter(None, (words_used(self.lungs, parsed), NOTHING if mask.is_empty else "")))
        return Grounding(text, mask, self._heat(coarse), sure, parsed.as_attributes(), note)

    def _sure(self, mean: float) -> float:
        """How often a mask with such a mean of the map within it has hit, where that was counted."""
        counted = self.engine.loaded.hits
        if not counted or not mean:
            return mean
        means, shares = zip(*counted, strict=True)
        return float(np.interp(mean, means, shares))

    def _closer(
        self, parsed: Parsed, coarse: Array, kept: NDArray[np.bool_], place: Array
    ) -> list[tuple[Array, list[float]]]:
        """(map at 1.5 mm, corner in mm) of the cube around each small piece."""
        labels, count = ndimage.label(kept, np.ones((3, 3, 3)))
        found = []
        for n, box in enumerate(ndimage.find_objects(labels), start=1):
            if max(part.stop - part.start for part in box) * STEP_MM <= SMALL_MM:
                peak = np.unravel_index(int(np.argmax(np.where(labels == n, coarse, 0))), coarse.shape)
                middle = ndimage.center_of_mass(labels[box] == n)
                found.append((float(coarse[peak]), [m + part.start for m, part in zip(middle, box, strict=True)]))
        found = sorted(found, reverse=True)[:MOST_LOOKS]
        if not found or count == 0:
            return []
        assert self.lungs is not None
        edge = STEP_MM * inputs.FINE_STEP
        volumes, places, corners = [], [], []
        for _, middle in found:
            # Middles of cubes lie half an edge from their corners.
            low_mm = [(m + 0.5) * STEP_MM - n * edge / 2 for m, n in zip(middle, inputs.FINE_SIZE, strict=True)]
            axes = zip(self.voxels.shape, self.grid.spacing_mm, low_mm, inputs.FINE_SIZE, strict=True)
            by_axis = [resample.weights(n, mm, low + (np.arange(many) + 0.5) * edge, edge) for n, mm, low, many in axes]
            hu = np.clip(resample.averaged(self.voxels, by_axis), -1024, 3071)
            z, y, x = ((low + edge / 2) / STEP_MM - 0.5 for low in low_mm)
            first = (z, y, x)
            volumes.append(inputs.fine_channels(hu, self.lungs, first, coarse))
            places.append(inputs.sample_fine(place, first))
            corners.append(low_mm)
        windows, features = self._encode(np.stack(volumes))
        chances = self._chance(parsed, np.stack(places), features, windows)
        return list(zip(chances, corners, strict=True))

    def _mask(self, parsed: Parsed, coarse: Array, closer: list[tuple[Array, list[float]]], at: float) -> SparseMask:
        """Voxels of the CT where the map, or the closer one where there is one, is above the threshold."""
        _, J, I = self.grid.size
        planes: dict[int, NDArray[np.bool_]] = {}
        for k, rows, columns, plane in self._planes(coarse, [0.0, 0.0, 0.0], STEP_MM, at):
            planes.setdefault(k, np.zeros((J, I), dtype=bool))[rows, columns] = plane > at
        edge = STEP_MM * inputs.FINE_STEP
        for chance, low_mm in closer:
            piece = _pieces(chance, at)
            if not piece.any():
                continue
            for k, rows, columns, plane in self._planes(chance * _softly(piece), low_mm, edge, None):
                planes.setdefault(k, np.zeros((J, I), dtype=bool))[rows, columns] = plane > at
        trim(planes, self.voxels, parsed.category)
        flat = [k * J * I + np.flatnonzero(plane) for k, plane in sorted(planes.items())]
        if not flat:
            return masks.empty(self.grid.size)
        voxels = np.concatenate(flat)
        return masks.from_flat(voxels, np.ones(voxels.size, dtype=np.uint8), self.grid.size)

    def _planes(
        self, cubes: Array, low_mm: list[float], edge: float, at: float | None
    ) -> Iterator[tuple[int, slice, slice, Array]]:
        if at is not None:
            # Only the part that can be above the threshold is brought back to the CT.
            spots = np.nonzero(cubes > at * 0.5)
            if spots[0].size == 0:
                return
            box = tuple(slice(max(0, int(s.min()) - 1), int(s.max()) + 2) for s in spots)
            cubes = cubes[box]
            low_mm = [low + part.start * edge for low, part in zip(low_mm, box, strict=True)]
        yield from resample.planes_of(cubes, low_mm, edge, self.grid.size, self.grid.spacing_mm)

    def _heat(self, coarse: Array) -> Heat:
        step = tuple(max(1, round(STEP_MM / mm)) for mm in self.grid.spacing_mm)
        out = coarse
        for axis, (n, s, mm) in enumerate(zip(self.grid.size, step, self.grid.spacing_mm, strict=True)):
            middles = (np.arange(-(-n // s)) * s + s / 2) * mm
            matrix = resample.weights(coarse.shape[axis], STEP_MM, np.minimum(middles, n * mm), 0.0)
            out = np.moveaxis(np.tensordot(matrix, out, axes=(1, axis)), 0, axis)
        return Heat(np.rint(255 * np.clip(out, 0, 1)).astype(np.uint8), (step[0], step[1], step[2]))


def trim(planes: dict[int, NDArray[np.bool_]], voxels: NDArray[np.int16], category: str) -> None:
    """Take the air off a solid finding's border. planes: the mask by slice, changed in place."""
    if category not in SOLID or not any(plane.any() for plane in planes.values()):
        return
    inside = np.concatenate([voxels[k][plane] for k, plane in planes.items()])
    if np.percentile(inside, 75) >= SOLID_HU:
        for k, plane in planes.items():
            plane &= voxels[k] > EDGE_HU


def _pieces(chance: Array, at: float) -> NDArray[np.bool_]:
    """Where the map is above the threshold, without specks beside something large."""
    labels, count = ndimage.label(chance > at, np.ones((3, 3, 3)))
    if count == 0:
        return np.zeros(chance.shape, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept: NDArray[np.bool_] = (sizes >= LEAST_SHARE * sizes.max())[labels]
    return kept


def _softly(kept: NDArray[np.bool_]) -> Array:
    """1 on the pieces and one cube around them, so that borders stay where the map puts them; 0 elsewhere."""
    return np.asarray(ndimage.binary_dilation(kept, np.ones((3, 3, 3))), dtype=np.float32)
