"""Why an instance was missed, from what was on screen: never there, there too briefly, hidden, or not recognised.

The distinction is that of studies of missed nodules: an error of search, one of too little looking, or one of
recognition. Most errors of trainees on nodules are of the second and third kind. It chooses what to say and what to ask
next; it says nothing of a person. What cannot be told from the log is not told.
"""

from dataclasses import dataclass

from quiz.learning.looks import FIELD_PARTS, Log, Look, spent_ms

BRIEF_MS = 500
"""On screen for less than this in all, it can hardly have been seen (grading proposal, 3.11)."""

LEAST_STEP = 0.05
"""Part of the grey scale, black to white, by which it must stand out from what is around it to be seen in a window.
A proposal, to be tuned on pilot data: an edge of 5 % is plain in noise-free grey, and CT is not free of noise."""

LEAST_PX = 4.0
"""Screen pixels across, below which a shape cannot be told from noise. A proposal: the usual count for telling a shape
is four across."""


@dataclass(frozen=True)
class Target:
    """An instance that was missed. box: ((k0, k1), (j0, j1), (i0, i1)), stops excluded. centroid: (k, j, i).
    mean_hu, contrast_hu: inside, and inside minus a rim around it; None if they are not known."""

    box: tuple[tuple[int, int], ...]
    centroid: tuple[float, ...]
    diameter_mm: float
    mean_hu: float | None
    contrast_hu: float | None


@dataclass(frozen=True)
class Diagnosis:
    """kind: search, brief, window, small or recognition. note: the same in one sentence for the trainee."""

    kind: str
    note: str


def diagnose(
    log: Log, target: Target, *, size: tuple[int, int, int], spacing_mm: tuple[float, float, float], where: str
) -> Diagnosis | None:
    """Why ``target`` was missed, or None if the log does not tell. where: words for its place, such as "slice 212"."""
    on_screen = [(look, _ms_of(look, target, size)) for look in log.looks]
    in_window = [pair for pair in on_screen if _stands_out(pair[0], target)]
    shown, plain = spent_ms(on_screen), spent_ms(in_window)
    seen = spent_ms(pair for pair in in_window if _is_large_enough(pair[0], target, spacing_mm))
    if seen >= BRIEF_MS:
        return Diagnosis(
            "recognition", f"It was on screen for {_seconds(seen)} ({where}): looked at, and not recognised."
        )
    if not log.covers:  # what happened before the log began may have shown it
        return None
    if shown == 0:
        return Diagnosis("search", f"It was never on screen ({where}).")
    if shown < BRIEF_MS:
        return Diagnosis("brief", f"It was on screen for {_seconds(shown)} in all ({where}): too briefly to be seen.")
    if plain < BRIEF_MS:
        window = max((pair for pair in on_screen if not _stands_out(pair[0], target)), key=lambda pair: pair[1])[0]
        return Diagnosis(
            "window",
            f"It was on screen for {_seconds(shown)} ({where}), but hardly stands out in the window you used "
            f"(level {window.level}, width {window.width}).",
        )
    return Diagnosis(
        "small", f"It was on screen for {_seconds(shown)} ({where}), but too small to be made out; zoom in."
    )


def _ms_of(look: Look, target: Target, size: tuple[int, int, int]) -> int:
    """How long slices of the target were on screen with its middle in the part of the picture that was shown."""
    axis = {"axial": 0, "coronal": 1, "sagittal": 2}[look.view]
    a, b = {"axial": (1, 2), "coronal": (0, 2), "sagittal": (0, 1)}[look.view]
    part_a, part_b = (min(FIELD_PARTS - 1, int(target.centroid[n] * FIELD_PARTS / size[n])) for n in (a, b))
    if not look.field >> (FIELD_PARTS * part_a + part_b) & 1:
        return 0
    return look.ms_between(*target.box[axis])


def _stands_out(look: Look, target: Target) -> bool:
    if target.mean_hu is None or target.contrast_hu is None:
        return True
    step = _grey(target.mean_hu, look) - _grey(target.mean_hu - target.contrast_hu, look)
    return abs(step) >= LEAST_STEP


def _grey(hu: float, look: Look) -> float:
    """0 (black) to 1 (white)."""
    return min(1.0, max(0.0, (hu - look.level) / look.width + 0.5))


def _is_large_enough(look: Look, target: Target, spacing_mm: tuple[float, float, float]) -> bool:
    voxel_mm = spacing_mm[1] if look.view == "sagittal" else spacing_mm[2]
    return target.diameter_mm / voxel_mm * look.scale >= LEAST_PX


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f} s" if ms < 10_000 else f"{ms / 1000:.0f} s"
