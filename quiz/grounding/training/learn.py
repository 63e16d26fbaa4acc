"""How the small network learns: steps from a seed, a checkpoint now and then, the running mean of the weights as result.

Step n sees the same phantom, the same words and the same crops whenever it is run, so a run that was cut off goes on where
it stopped. torch is imported where it is used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from quiz.grounding import inputs, network, resample, weights
from quiz.grounding.inputs import Array, Window
from quiz.grounding.lungs import Lungs
from quiz.grounding.prior import prior
from quiz.grounding.sentence import Parsed, attributes, parse
from quiz.grounding.training.phantoms import Phantom, Told

CTS = 2
SENTENCES = 4
"""So many CTs in one step, and at most so many sentences of each."""
CROP = 32
PART = 35.0
"""A cube belongs to a finding from this share on, in per cent; the fullest cube of a small one always does."""
RATE = 2e-3
START_RATE = 1e-3
"""Of a run that begins with weights that have learned something."""
WARM_UP = 60
DECAY = 1e-4
MEAN = 0.99
CLIP = 1.0
SAVE_SECONDS = 120.0
MOST_LOST = 20
"""So many steps in a row without a finite loss end a run."""

Source = Callable[[], Phantom]
"""Gives one CT with its findings, when it is needed first."""
Report = Callable[[int, float, float], None]
"""Called after a step with its number, its loss and the share of the run that is done."""


@dataclass
class Lesson:
    """One CT to learn from: its lungs, the block around them, what is told of it, and what was made of the sentences.

    maps: where the words allow each finding to lie, 0..255, by number of the finding and whether lobe and zone were
    forgotten; filled as they are asked for.
    """

    lungs: Lungs
    window: Window
    told: tuple[Told, ...]
    parsed: tuple[Parsed, ...]
    maps: dict[tuple[int, bool], NDArray[np.uint8]] = field(default_factory=dict)

    def place(self, n: int, *, vague: bool) -> Array:
        if (n, vague) not in self.maps:
            parsed = replace(self.parsed[n], lobes=frozenset(), zones=frozenset()) if vague else self.parsed[n]
            self.maps[n, vague] = np.rint(255 * prior(self.lungs, parsed)).astype(np.uint8)
        return np.asarray(self.maps[n, vague], dtype=np.float32) / np.float32(255)


def lesson(phantom: Phantom) -> Lesson | None:
    """None if there are no lungs in it, or nothing is told of it."""
    spacing = (phantom.step_mm,) * 3
    cubes = np.rint(resample.to_cubes(phantom.voxels, spacing, inputs.STEP_MM)).astype(np.int16)
    lungs = inputs.find_lungs(cubes)
    if lungs is None or not phantom.told:
        return None
    told = []
    for one in phantom.told:
        share = resample.to_cubes(one.truth.astype(np.int16) * 100, spacing, inputs.STEP_MM)
        # From voxel middles to cube middles: both lie half an edge from the corner.
        z, y, x = ((at + 0.5) * phantom.step_mm / inputs.STEP_MM - 0.5 for at in one.fine_low)
        told.append(replace(one, truth=share >= min(PART, 0.9 * float(share.max())), fine_low=(z, y, x)))
    window = inputs.around_lungs(lungs, network.MULTIPLE)
    return Lesson(lungs, window, tuple(told), tuple(parse(one.sentence) for one in told))


def forget(rng: np.random.Generator, parsed: Parsed) -> tuple[Parsed, bool]:
    """A worse reader: now and then a trait or some words are lost, so that neither is relied upon alone. Also says
    whether lobe and zone were lost."""
    draw = rng.random(5)
    words = parsed.text.split()
    if draw[0] < 0.15:
        words = []
    elif draw[0] < 0.6:
        words = [word for word in words if rng.random() > 0.25]
    parsed = replace(parsed, text=" ".join(words))
    if draw[1] < 0.06 and words:
        parsed = replace(parsed, category="")
    vague = bool(draw[2] < 0.1)
    if vague:
        parsed = replace(parsed, lobes=frozenset(), zones=frozenset())
    if draw[3] < 0.2:
        parsed = replace(parsed, depth="", plural=False)
    if draw[4] < 0.2:
        parsed = replace(parsed, size_mm=0.0)
    return parsed, vague


def text_tensors(parsed: Sequence[Parsed]) -> tuple[Any, Any]:
    """(attributes [n, 30], words [n, 40]) as tensors."""
    import torch

    traits = torch.from_numpy(np.stack([attributes(one) for one in parsed]))
    return traits, torch.from_numpy(np.stack([inputs.tokens(one.text) for one in parsed]))


def step_loss(net: Any, lessons: Sequence[Lesson], rng: np.random.Generator) -> Any:
    """Loss of some CTs and up to three sentences of each, all in one batch: with one CT alone torch leaves its fast
    convolutions."""
    import torch
    from torch.nn import functional as F

    size = tuple(max(one.window.size[axis] for one in lessons) for axis in range(3))
    volumes, places, truths, said = [], [], [], []
    rows: list[int] = []
    fine: list[Any] = []
    for row, one in enumerate(lessons):
        shift = rng.integers(-3, 4, 3)
        moved = zip(one.window.low, one.window.size, size, shift, strict=True)
        low = [at + (have - want) // 2 + int(n) for at, have, want, n in moved]
        window = Window((low[0], low[1], low[2]), size)  # type: ignore[arg-type]
        volumes.append(window.cut(inputs.channels(one.lungs)))
        for n in rng.permutation(len(one.told))[:SENTENCES].tolist():
            told = one.told[n]
            parsed, vague = forget(rng, one.parsed[n])
            place = one.place(n, vague=vague)
            if told.fine is not None:
                fine.append((one, told, parsed, window, len(rows), place))
            said.append(parsed)
            places.append(window.cut(place))
            truths.append(window.cut(told.truth))
            rows.append(row)
    volume = _tensor(np.stack(volumes)).contiguous(memory_format=torch.channels_last_3d)
    place, truth = _tensor(np.stack(places))[:, None], _tensor(np.stack(truths))[:, None]
    traits, words = text_tensors(said)
    which = torch.tensor(rows)
    text = net.sentence(traits, words)
    small = F.avg_pool3d(place, 2)
    features = net.encode(volume)
    logits, y = net.decode([x if n == 0 else x[which] for n, x in enumerate(features)], text, small)
    loss = _loss(logits, F.avg_pool3d(truth, 4)).mean()
    # Finer only in a cube, mostly around the finding itself: that is where the time goes.
    parts: list[list[Any]] = [[], [], [], [], [], []]
    for n, row in enumerate(rows):
        others = [m for m, theirs in enumerate(rows) if theirs == row]
        focus = truth[n if rng.random() < 0.7 else int(rng.choice(others))][0]
        box = _cube(rng, focus, CROP)
        half, quarter = (tuple(slice(part.start // s, part.stop // s) for part in box) for s in (2, 4))
        parts[0].append(logits[(slice(n, n + 1), slice(None), *quarter)])
        parts[1].append(y[(slice(n, n + 1), slice(None), *quarter)])
        parts[2].append(features[0][(slice(row, row + 1), slice(None), *half)])
        parts[3].append(small[(slice(n, n + 1), slice(None), *half)])
        parts[4].append(volume[(slice(row, row + 1), slice(0, 2), *box)])
        parts[5].append(truth[(slice(n, n + 1), slice(None), *box)])
    first, second, third, fourth, fifth, cube = (torch.cat(part) for part in parts)
    middle, full = net.refine(first, second, third, text, fourth, fifth)
    loss = loss + 0.5 * _loss(middle, F.avg_pool3d(cube, 2)).mean() + _loss(full, cube).mean()
    return loss + _fine_loss(net, rng, fine, logits) if fine else loss


def _fine_loss(net, rng, fine, coarse_logits):  # type: ignore[no-untyped-def]
    """The second pass: nodules' surroundings at 1.5 mm, with what the first pass thought of them."""
    import torch
    from torch.nn import functional as F

    volumes, places, truths = [], [], []
    for one, told, _, window, row, place in fine:
        if rng.random() < 0.5:
            logits = coarse_logits[row : row + 1].detach()
            chance = F.interpolate(logits, scale_factor=4, mode="trilinear").sigmoid()[0, 0].numpy()
            coarse = window.put_back(chance, one.lungs.hu.shape)
        else:
            # Early on the first pass knows little: half of the time the truth plays it, blurred and unsure.
            blurred = ndimage.gaussian_filter(told.truth.astype(np.float32), rng.uniform(0.5, 1.5))
            coarse = blurred / max(float(blurred.max()), 1e-6) * rng.uniform(0.4, 1.0)
        volumes.append(inputs.fine_channels(told.fine, one.lungs, told.fine_low, coarse))
        places.append(inputs.sample_fine(place, told.fine_low))
        truths.append(told.fine_truth)
    volume = _tensor(np.stack(volumes)).contiguous(memory_format=torch.channels_last_3d)
    truth = _tensor(np.stack(truths))[:, None]
    text = net.sentence(*text_tensors([parsed for _, _, parsed, *_ in fine]))
    small = F.avg_pool3d(_tensor(np.stack(places))[:, None], 2)
    features = net.encode(volume)
    logits, y = net.decode(features, text, small)
    _, full = net.refine(logits, y, features[0], text, small, volume[:, :2])
    return 0.5 * (_loss(logits, F.avg_pool3d(truth, 4)) + _loss(full, truth)).mean()


def _loss(logits: Any, truth: Any) -> Any:
    """Cross-entropy and soft Dice of each sentence, [n]. Voxels of the finding count more: most findings are small."""
    from torch.nn import functional as F

    axes = (1, 2, 3, 4)
    cross = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    positive = (cross * truth).sum(axes) / (truth.sum(axes) + 1)
    chance = logits.sigmoid()
    dice = 1 - (2 * (chance * truth).sum(axes) + 1) / (chance.sum(axes) + truth.sum(axes) + 1)
    return 4 * cross.mean(axes) + 0.1 * positive + dice


def _cube(rng: np.random.Generator, focus: Any, edge: int) -> tuple[slice, ...]:
    """A cube (corners at whole quarters) that holds a random voxel of the finding, anywhere in the cube's middle half."""
    spots = focus.nonzero()
    size = focus.shape
    spot = spots[int(rng.integers(len(spots)))].tolist() if len(spots) else [n // 2 for n in size]
    box = []
    for centre, n in zip(spot, size, strict=True):
        width = min(edge, n)
        start = int(np.clip(centre - width // 2 + rng.integers(-width // 4, width // 4 + 1), 0, n - width)) // 4 * 4
        box.append(slice(start, start + width))
    return tuple(box)


def _tensor(array: NDArray) -> Any:  # type: ignore[type-arg]
    import torch

    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


# -- the run ----------------------------------------------------------------------------------------------------------


@dataclass
class Run:
    """A run of training. Files: ``weights`` (the running mean, what is shipped) and ``state`` (to go on), in ``folder``.

    start: weights of an earlier run that this one begins with; None for random ones.
    """

    seed: int
    folder: Path
    start: Path | None = None
    steps: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        return START_RATE if self.start else RATE

    def train(
        self,
        sources: Sequence[Source],
        *,
        minutes: float | None = None,
        steps: int | None = None,
        report: Report | None = None,
        threads: int = 0,
    ) -> Any:
        """Train until the minutes or the steps are used up; earlier time of the same run counts. Gives the mean network.

        With ``steps`` the same seed gives the same weights on the same machine; with ``minutes`` the number of steps is
        the machine's."""
        import torch

        if threads:
            torch.set_num_threads(threads)
        torch.manual_seed(self.seed)
        net, mean = network.build(), network.build()
        optimizer = torch.optim.AdamW(net.parameters(), lr=self.rate, weight_decay=DECAY, betas=(0.9, 0.98))
        if self.start:
            net.load_state_dict(weights.load(self.start, None).net.state_dict())
        mean.load_state_dict(net.state_dict())
        self._resume(net, mean, optimizer)
        net.train()
        lessons: dict[int, Lesson | None] = {}
        lost = 0
        begun, saved = time.monotonic() - self.seconds, time.monotonic()
        try:
            while True:
                self.seconds = time.monotonic() - begun
                done = self.steps / steps if steps else self.seconds / (60 * (minutes or 1))
                if done >= 1:
                    break
                rng = np.random.default_rng([self.seed, self.steps, 7])
                chosen = [int(n) for n in rng.choice(len(sources), CTS, replace=len(sources) < CTS)]
                for number in chosen:
                    if number not in lessons:
                        lessons[number] = lesson(sources[number]())
                now = [one for one in (lessons[number] for number in chosen) if one is not None]
                loss = self._step(net, mean, optimizer, now, rng, done) if now else 0.0
                lost = lost + 1 if math.isnan(loss) else 0
                if lost >= MOST_LOST:
                    raise ArithmeticError(
                        f"{lost} steps in a row gave no number; the run is kept as it was before them."
                    )
                self.steps += 1
                if report and now:
                    report(self.steps, loss, done)
                if time.monotonic() - saved > SAVE_SECONDS:
                    self._save(net, mean, optimizer)
                    saved = time.monotonic()
        finally:
            self._save(net, mean, optimizer)
        return mean

    def _step(
        self, net: Any, mean: Any, optimizer: Any, now: list[Lesson], rng: np.random.Generator, done: float
    ) -> float:
        import torch

        rate = self.rate * min(1.0, (self.steps + 1) / WARM_UP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = step_loss(net, now, rng)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            # One such step would spoil every weight for good; the next draws something else.
            return float("nan")
        optimizer.step()
        # The mean of the weights follows quickly at first, when they have little to do with their start.
        keep = min(MEAN, (2 + self.steps) / (11 + self.steps))
        with torch.no_grad():
            for ours, theirs in zip(mean.parameters(), net.parameters(), strict=True):
                ours.lerp_(theirs, 1 - keep)
        return float(loss.detach())

    def _save(self, net: Any, mean: Any, optimizer: Any) -> None:
        from safetensors.torch import save_file

        self.folder.mkdir(parents=True, exist_ok=True)
        words = {"seed": str(self.seed), "steps": str(self.steps), "seconds": f"{self.seconds:.0f}"}
        state = {f"net.{name}": value.contiguous() for name, value in net.state_dict().items()}
        state |= {f"mean.{name}": value.contiguous() for name, value in mean.state_dict().items()}
        for number, values in optimizer.state_dict()["state"].items():
            state |= {f"adam.{number}.{name}": value.contiguous() for name, value in values.items()}
        _write(save_file, state, self.folder / "state.safetensors", words)
        half = {name: value.half().contiguous() for name, value in mean.state_dict().items()}
        _write(save_file, half, self.folder / "weights.safetensors", words)

    def _resume(self, net: Any, mean: Any, optimizer: Any) -> None:
        path = self.folder / "state.safetensors"
        if not path.exists():
            return
        from safetensors import safe_open

        with safe_open(path, framework="pt") as stored:
            words = stored.metadata()
            if int(words["seed"]) != self.seed:
                raise ValueError(f"{path} belongs to a run with seed {words['seed']}; use that seed or another folder.")
            self.steps, self.seconds = int(words["steps"]), float(words["seconds"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        for prefix, module in (("net.", net), ("mean.", mean)):
            module.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
        state = optimizer.state_dict()
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, number, key = name.split(".")
                state["state"].setdefault(int(number), {})[key] = value
        optimizer.load_state_dict(state)


def _write(save: Any, tensors: dict[str, Any], path: Path, words: dict[str, str]) -> None:
    half = path.with_suffix(".part")
    save(tensors, half, metadata=words)
    half.rename(path)
