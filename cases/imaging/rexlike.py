"""Write cases to disk exactly as ReXGroundingCT and CT-RATE are released, so that the demo enters as an import.

Masks: (F, X, Y, Z) uint8, identity affine, zooms (1, 1, 1, 0). CTs: int16 HU, axes L, P, S, slope 1, intercept 0.
"""

import gzip
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from cases.imaging.phantom.cases import VERSION, CaseSpec, PhantomCase, build

GZIP_LEVEL = 1
"""The demo's files are read once: speed before size."""

CREDIT = {
    "source": "Sightline phantom",
    "licence": "synthetic, no patient",
    "attribution": "Synthetic chest made by Sightline; it shows no patient.",
}


def ct_path(root: Path, name: str) -> Path:
    prefix, patient, letter, _ = name.split("_")
    study = Path(f"{prefix}_{patient}") / f"{prefix}_{patient}_{letter}"
    return root / "ct" / "dataset" / f"{prefix}_fixed" / study / f"{name}.nii.gz"


def write_case(root: Path, case: PhantomCase) -> dict[str, object]:
    """Write the CT and, unless it is a test case, the masks. Returns the entry for dataset.json."""
    _save(ct_path(root, case.name), case.voxels.transpose(2, 1, 0), _ras_affine(case))
    truth = np.stack([finding.truth for finding in case.findings])
    if case.split != "test":
        _save(root / "segmentations" / f"{case.name}.nii.gz", truth.transpose(0, 3, 2, 1), None)
    return entry(case.name, case.split, case)


def entry(name: str, split: str, case: PhantomCase) -> dict[str, object]:
    keys = [str(n) for n in range(len(case.findings))]
    described: dict[str, object] = {
        "name": f"{name}.nii.gz",
        "findings": dict(zip(keys, (finding.sentence for finding in case.findings), strict=True)),
    }
    if split != "test":
        counts = [int(np.unique(finding.truth[finding.truth > 0]).size) for finding in case.findings]
        described["entity_counts"] = dict(zip(keys, counts, strict=True))
    described["shape"] = [int(n) for n in case.voxels.shape[::-1]]
    if split != "test":
        described["pixels"] = {
            key: int(np.count_nonzero(finding.truth)) for key, finding in zip(keys, case.findings, strict=True)
        }
    described["categories"] = dict(zip(keys, (finding.category for finding in case.findings), strict=True))
    described["protocol"] = "protocol1" if split == "train" else split
    return described


def _ras_affine(case: PhantomCase) -> NDArray[np.float64]:
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array(case.grid.affine))


def _save(path: Path, array: NDArray[np.generic], affine: NDArray[np.float64] | None) -> None:
    """A NIfTI under a temporary name, then renamed: a file that is there is whole."""
    image = nib.Nifti1Image(np.asfortranarray(array), np.eye(4) if affine is None else affine)
    if affine is None:
        image.header["pixdim"][1:5] = (1, 1, 1, 0)
        image.header["pixdim"][5:] = 0
    else:
        image.header.set_slope_inter(1, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    with gzip.GzipFile(temporary, "wb", compresslevel=GZIP_LEVEL, mtime=0) as file:
        image.to_stream(file)
    temporary.replace(path)


def write_index(root: Path, entries: Sequence[dict[str, object]]) -> None:
    """dataset.json and CREDITS.json."""
    splits: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
    for one in sorted(entries, key=lambda one: str(one["name"])):
        protocol = str(one["protocol"])
        splits[protocol if protocol in splits else "train"].append(one)
    credits = [{"name": one["name"], **CREDIT} for one in entries]
    for name, content in (("dataset.json", splits), ("CREDITS.json", credits)):
        temporary = root / f".tmp-{name}"
        temporary.write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
        temporary.replace(root / name)


def write_dataset(
    root: Path,
    specs: Sequence[CaseSpec],
    *,
    workers: int = 2,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Make and write the cases that are not on disk yet; a case is there once its stamp is."""
    root.mkdir(parents=True, exist_ok=True)
    missing = [spec for spec in specs if not _stamp(root, spec).exists()]
    done = len(specs) - len(missing)
    if missing:
        with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
            running = {pool.submit(_build_and_write, root, spec): spec for spec in missing}
            for future in as_completed(running):
                future.result()
                done += 1
                if progress:
                    progress(done, len(specs), running[future].name)
    write_index(root, [json.loads(_stamp(root, spec).read_text(encoding="utf-8")) for spec in specs])


def _stamp(root: Path, spec: CaseSpec) -> Path:
    return root / ".made" / f"{spec.name}-{spec.body.seed}-v{VERSION}.json"


def _build_and_write(root: Path, spec: CaseSpec) -> None:
    described = write_case(root, build(spec))
    stamp = _stamp(root, spec)
    stamp.parent.mkdir(exist_ok=True)
    temporary = stamp.with_suffix(".tmp")
    temporary.write_text(json.dumps(described), encoding="utf-8")
    temporary.replace(stamp)
