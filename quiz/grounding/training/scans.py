"""Scans of ReXGroundingCT to learn from, as it lies on disk: the train split only, the others are for testing.

Its train masks are partial, about three instances of each finding: what is left out is taught as background here, which
makes a network more reserved than it should be.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cases.imaging import masks, nifti, nifti_masks, rexgrounding
from cases.imaging.geometry import Grid
from quiz.grounding import inputs, resample
from quiz.grounding.training.findings import Target
from quiz.grounding.training.phantoms import Phantom, Told


def names(root: Path, folders: tuple[Path, ...] = ()) -> list[str]:
    """Scans of the train split whose CT and masks are there. Raises rexgrounding.DatasetError."""
    return [
        entry.stem
        for entry in rexgrounding.read_entries(root)
        if entry.split == "train"
        and not entry.problem
        and rexgrounding.locate_ct(root, folders, entry)
        and rexgrounding.locate_mask(root, entry)
    ]


def read(root: Path, name: str, folders: tuple[Path, ...] = ()) -> Phantom:
    """A scan in cubes, with its sentences and masks, as if it were a phantom.

    Raises rexgrounding.DatasetError if the scan is not there, ValueError if a file cannot be read.
    """
    entry = next((one for one in rexgrounding.read_entries(root) if one.stem == name), None)
    located = rexgrounding.locate_ct(root, folders, entry) if entry else None
    mask = rexgrounding.locate_mask(root, entry) if entry else None
    if entry is None or located is None or mask is None:
        raise rexgrounding.DatasetError(f"{name}: its CT or its masks are not in {root}.")
    ct = nifti.read_ct(located[0], old=located[1])
    truths = nifti_masks.read_masks(mask, ct.frame, findings=len(entry.sentences))
    told = tuple(
        Told(sentence.text, sentence.category, Target(0), 0.0, truth_in_cubes(truth, ct.frame.grid))
        for sentence, truth in zip(entry.sentences, truths, strict=True)
        if not truth.is_empty
    )
    cubes = resample.to_cubes(ct.voxels, ct.frame.grid.spacing_mm, inputs.STEP_MM)
    return Phantom(0, np.rint(np.clip(cubes, -1024, 3071)).astype(np.int16), told, inputs.STEP_MM)


def truth_in_cubes(truth: masks.SparseMask, grid: Grid) -> NDArray[np.bool_]:
    """Cubes of which a mask fills a good part; of a small one the fullest cube."""
    share = resample.to_cubes((truth.dense() > 0).astype(np.int16) * 100, grid.spacing_mm, inputs.STEP_MM)
    return np.asarray(share >= min(35.0, 0.9 * float(share.max())))
