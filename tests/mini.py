"""A look-alike of ReXGroundingCT with CT-RATE, small and synthetic, that holds every rule and trap of the real layout.

Written from the data set note (section 10) with nibabel alone, so that a mistake in our own writer cannot hide one in
our reader. ``oracle`` is worked out from the file arrays by plain counting.
"""

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from cases.imaging.phantom.cases import tiny

SHAPE = (48, 40, 24)  # X, Y, Z: no two alike
ZOOMS = (6.0, 6.0, 5.0)
AFFINE = np.array([[-6.0, 0, 0, 141], [0, -6, 0, 120], [0, 0, 5, -60], [0, 0, 0, 1]])  # axis codes L, P, S


@dataclass
class Case:
    """ct: [x, y, z] as in the file. masks: [f, x, y, z]."""

    name: str
    ct: np.ndarray
    masks: np.ndarray
    sentences: list[str]
    categories: list[str]
    extra: dict = field(default_factory=dict)

    def entry(self, *, counts: bool = True, protocol: str = "protocol2") -> dict:
        keys = [str(n) for n in range(len(self.sentences))]
        entry: dict = {"name": self.name, "findings": dict(zip(keys, self.sentences, strict=True))}
        if counts:
            entities = [len(np.unique(mask[mask > 0])) for mask in self.masks]
            entry["entity_counts"] = dict(zip(keys, entities, strict=True))
        entry["shape"] = list(self.ct.shape)
        if counts:
            entry["pixels"] = {key: int((mask > 0).sum()) for key, mask in zip(keys, self.masks, strict=True)}
        entry["categories"] = dict(zip(keys, self.categories, strict=True))
        return entry | {"protocol": protocol} | self.extra


def _blocks(shape: tuple[int, int, int], *blocks: tuple[int, tuple, tuple, tuple]) -> np.ndarray:
    """A mask [x, y, z] of (value, (k0, k1), (j0, j1), (i0, i1)) blocks."""
    mask = np.zeros(shape, np.uint8)
    for value, (k0, k1), (j0, j1), (i0, i1) in blocks:
        mask[i0:i1, j0:j1, k0:k1] = value
    return mask


def rich(name: str = "train_9001_a_2.nii.gz") -> Case:
    """Twelve findings, so that "10" sorts before "2" as text; every odd mask of the note."""
    ct = tiny().voxels.transpose(2, 1, 0).copy()
    found = [
        ("Solid nodule in the left lower lobe", "2d", 30, _blocks(SHAPE, (1, (5, 8), (20, 23), (33, 36)))),
        # Instances 1, 2 and 5 (a gap), of which 1 and 2 touch.
        ("Three nodules in the right lung", "2d", 30,
         _blocks(SHAPE, (1, (15, 17), (13, 15), (9, 11)), (2, (15, 17), (13, 15), (11, 13)),
                 (5, (8, 10), (16, 18), (13, 15)))),
        # One instance made of two pieces and a crumb of one voxel.
        ("Ground-glass opacity in the right upper lobe", "2c", -600,
         _blocks(SHAPE, (1, (17, 19), (18, 20), (12, 15)), (1, (17, 19), (22, 24), (12, 15)),
                 (1, (19, 20), (16, 17), (14, 15)))),
        ("Tiny nodule in the left lung", "2d", 30, _blocks(SHAPE, (1, (14, 15), (16, 18), (37, 39)))),
        # Two findings that overlap: findings 4 and 5 share a block of 2 x 2 x 2.
        ("Consolidation in the left lower lobe", "2b", 30, _blocks(SHAPE, (1, (8, 12), (22, 27), (30, 34)))),
        ("Nodule within the consolidation", "2d", 60, _blocks(SHAPE, (1, (10, 13), (25, 28), (30, 32)))),
        ("Right pleural effusion", "2e", 10, _blocks(SHAPE, (1, (6, 12), (24, 28), (9, 17)))),
        ("Emphysema at the left apex", "1c", -960, _blocks(SHAPE, (1, (18, 21), (14, 18), (32, 37)))),
        ("Linear opacity in the right middle lobe", "2a", -100, _blocks(SHAPE, (1, (12, 13), (12, 18), (8, 10)))),
        ("Micronodules in the left upper lobe", "1e", -200, _blocks(SHAPE, (1, (16, 17), (20, 21), (33, 34)))),
        ("Another focal change of the left lung", "2h", -300, _blocks(SHAPE, (1, (12, 14), (12, 14), (36, 38)))),
        ("Nodule in the right lower lobe", "2d", 30, _blocks(SHAPE, (1, (4, 6), (17, 19), (11, 13)))),
    ]  # fmt: skip
    for _, _, hu, mask in found:
        ct[mask > 0] = hu
    ct[34:36, 16:18, 22] = 1200  # a landmark at the patient's left apex
    ct[:3, :3, :2] = -8192  # padding as scanners write it
    ct[24, 20, 12] = 20000  # metal
    return Case(name, ct, np.stack([mask for *_, mask in found]), [s for s, *_ in found], [c for _, c, *_ in found])


def plain(name: str) -> Case:
    """Two findings: a nodule of the left lower lobe and an effusion at the right."""
    case = rich(name)
    return Case(name, case.ct, case.masks[[0, 6]], [case.sentences[0], case.sentences[6]], ["2d", "2e"])


def wide(name: str) -> Case:
    """The same in a square slice, as all real ones are: 64 x 64."""
    small = plain(name)
    ct = np.full((64, 64, 24), -1000, np.int16)
    ct[8:56, 12:52] = small.ct
    masks = np.zeros((2, 64, 64, 24), np.uint8)
    masks[:, 8:56, 12:52] = small.masks
    return Case(name, ct, masks, small.sentences, small.categories)


def save(path: Path, array: np.ndarray, affine: np.ndarray | None) -> None:
    image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine)
    if affine is None:
        image.header["pixdim"][1:5] = (1, 1, 1, 0)
    else:
        image.header.set_slope_inter(1, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(image.to_bytes(), 1))


def ct_path(root: Path, name: str, *, tree: str = "{prefix}_fixed") -> Path:
    prefix, patient, letter, _ = name.removesuffix(".nii.gz").split("_")
    study = f"{prefix}_{patient}"
    return root / "ct" / "dataset" / tree.format(prefix=prefix) / study / f"{study}_{letter}" / name


def mask_path(root: Path, name: str) -> Path:
    return root / "segmentations" / name


def put(root: Path, case: Case, *, masks: bool = True) -> None:
    save(ct_path(root, case.name), case.ct, AFFINE)
    if masks:
        save(mask_path(root, case.name), case.masks, None)


def write_json(root: Path, name: str, **splits: list[dict]) -> None:
    content = {"train": [], "val": [], "test": []} | splits
    (root / name).write_text(json.dumps(content, indent=4))


def one_scan(root: Path, case: Case, *, split: str = "train") -> Path:
    """A data set of one scan."""
    root.mkdir(parents=True, exist_ok=True)
    put(root, case)
    write_json(root, "dataset.json", **{split: [case.entry()]})
    return root


def mini(root: Path) -> dict[str, Case]:
    """Both releases, with the files beside them that must be ignored. Returns the cases that have masks."""
    root.mkdir(parents=True)
    train = [rich(), plain("valid_9004_b_1.nii.gz")]  # the prefix is CT-RATE's split, not this data set's
    val, more_val = wide("train_9002_b_1.nii.gz"), plain("train_9006_a_1.nii.gz")
    test, more_test = plain("train_9003_a_2.nii.gz"), plain("train_9007_a_1.nii.gz")
    for case in (*train, val, more_val):
        put(root, case)
    for case in (test, more_test):
        put(root, case, masks=False)
    trained = [case.entry(protocol="protocol1") for case in train]
    write_json(root, "dataset.json", train=trained, val=[val.entry()], test=[test.entry(counts=False)])
    bare = [{k: v for k, v in case.entry(counts=False).items() if k != "protocol"} for case in (test, more_test)]
    write_json(
        root, "MICCAI_challenge_dataset.json",
        train=trained, val=[val.entry(), more_val.entry()], test=bare,
    )  # fmt: skip
    for ignored in ("reports_dataset.json", "anatomical_cot.json", "MLHC_dataset_version.json"):
        (root / ignored).write_text('{"train": [{"name": 7}]}')
    (root / "rexrank_eval.py").write_text("")
    return {case.name: case for case in (*train, val, more_val)}


def oracle(case: Case) -> list[dict]:
    """Per finding what the library must say, counted in the file's own array."""
    expected = []
    for mask in case.masks:
        places = [(int(x), int(y), int(z)) for x, y, z in np.argwhere(mask > 0)]
        # The file is L, P, S: x is i, y is j, z is k. The body's middle is at the middle of x.
        per_slice = {k: sum(z == k for *_, z in places) for k in {z for *_, z in places}}
        mean_x = sum(x for x, *_ in places) / len(places)
        expected.append({
            "voxels": len(places),
            "volume_ml": len(places) * ZOOMS[0] * ZOOMS[1] * ZOOMS[2] / 1000,
            "values": sorted({int(mask[place]) for place in places}),
            "box": [[min(p[axis] for p in places), max(p[axis] for p in places) + 1] for axis in (2, 1, 0)],
            "largest_k": min(k for k, n in per_slice.items() if n == max(per_slice.values())),
            "side": "right" if mean_x < (case.ct.shape[0] - 1) / 2 else "left",
        })  # fmt: skip
    return expected
