"""Speed, memory and size of an import, next to what unpacking alone costs.

    .venv/bin/python benchmarks/import_speed.py            # 512 x 512 x 336, three findings
    .venv/bin/python benchmarks/import_speed.py --worst    # 1024 x 1024 x 1005, thirteen findings (about 6 GB on disk)
    .venv/bin/python benchmarks/import_speed.py --many     # a second run over 3,000 entries

The CT is the first of ../shared/cases, mirrored along z to the depth wanted, if it is there; otherwise a phantom.
"""

import gzip
import io
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
REAL = ROOT.parent / "shared/cases/rexlike/ct/dataset/train_fixed/train_9001/train_9001_a/train_9001_a_1.nii.gz"
BLOCK = 1 << 20


def make(root: Path, size: tuple[int, int, int], findings: int) -> None:
    """One scan with its masks, in the data set's layout, gzip level 6 as nibabel's users write it."""
    x_size, y_size, z_size = size
    if REAL.is_file():
        image = nib.load(REAL)
        ct, affine = np.asarray(image.dataobj), image.affine.copy()
    else:
        from cases.imaging.phantom.chest import Body, finish, make_chest

        ct = finish(make_chest(Body(1))).transpose(2, 1, 0)
        affine = np.diag([-0.7, -0.7, 2.3, 1.0])
    affine[:3, 2] *= ct.shape[2] / z_size  # the same chest in more slices
    if x_size < ct.shape[0]:  # or in larger voxels
        step = ct.shape[0] // x_size
        ct = ct[::step, ::step]
        affine[:3, :2] *= step
    back_and_forth = np.abs((np.arange(z_size) % (2 * ct.shape[2] - 2)) - (ct.shape[2] - 1))
    scale = x_size // ct.shape[0]
    affine[:3, :2] /= scale
    rng = np.random.default_rng(0)
    ct_file, mask_file = root / "ct" / "train_9401_a_1.nii.gz", root / "segmentations" / "train_9401_a_1.nii.gz"
    for path in (ct_file, mask_file):
        path.parent.mkdir(parents=True)
    header = nib.Nifti1Image(np.zeros((1, 1, 1), np.int16), affine).header
    header.set_data_shape(size)
    header.set_slope_inter(1, 0)
    header.set_sform(affine, 1)
    header["vox_offset"] = 352
    with gzip.open(ct_file, "wb", 6 if scale == 1 else 1) as file:
        file.write(header.binaryblock + b"\0" * 4)
        for z in back_and_forth:
            plane = np.kron(ct[:, :, z], np.ones((scale, scale), np.int16)) if scale > 1 else ct[:, :, z]
            noise = rng.integers(-9, 9, plane.shape, np.int16) if scale > 1 else 0
            file.write((plane + noise).astype(np.int16).tobytes(order="F"))
    header = nib.Nifti1Image(np.zeros((1, 1, 1, 1), np.uint8), np.eye(4)).header
    header.set_data_shape((findings, *size))
    header["vox_offset"] = 352
    centres = [(0.3 + 0.4 * (n % 2), 0.4 + 0.03 * n, 0.2 + 0.05 * n) for n in range(findings)]
    x, y = np.mgrid[:x_size, :y_size] / x_size
    with gzip.open(mask_file, "wb", 1) as file:
        file.write(header.binaryblock + b"\0" * 4)
        for z in range(z_size):
            plane = np.zeros((findings, x_size, y_size), np.uint8)
            for n, (cx, cy, cz) in enumerate(centres):
                radius = 0.02 + 0.012 * n
                plane[n] = (x - cx) ** 2 + (y - cy) ** 2 + (z / z_size - cz) ** 2 < radius**2
            file.write(plane.tobytes(order="F"))
    keys = [str(n) for n in range(findings)]
    entry = {
        "name": "train_9401_a_1.nii.gz", "shape": list(size),
        "findings": {key: f"Finding {key}" for key in keys}, "categories": dict.fromkeys(keys, "2h"),
    }  # fmt: skip
    (root / "dataset.json").write_text(json.dumps({"train": [entry], "val": [], "test": []}))


def copies(root: Path, count: int) -> None:
    """The same scan under more names, by hard links."""
    content = json.loads((root / "dataset.json").read_text())
    first = content["train"][0]
    content["train"] = []
    for n in range(count):
        name = f"train_{9401 + n}_a_1.nii.gz"
        content["train"].append(first | {"name": name})
        for folder in ("ct", "segmentations"):
            if not (root / folder / name).exists():
                (root / folder / name).hardlink_to(root / folder / "train_9401_a_1.nii.gz")
    (root / "dataset.json").write_text(json.dumps(content))


def unpack_to_nowhere(root: Path) -> None:
    """The lower limit: every byte unpacked once, by ISA-L in one thread, into a buffer that is used again."""
    from isal import igzip

    buffer = memoryview(bytearray(BLOCK))
    for folder in ("ct", "segmentations"):
        with igzip.open(root / folder / "train_9401_a_1.nii.gz", "rb") as file:
            while file.readinto(buffer):
                pass


def unpack_to_memory(root: Path) -> None:
    """The same, kept: what "decompress both files" gives a program that goes on to use them."""
    from isal import igzip

    kept = []
    for folder in ("ct", "segmentations"):
        kept.append(igzip.decompress((root / folder / "train_9401_a_1.nii.gz").read_bytes()))


def unpack_with_zlib(root: Path) -> None:
    """What nibabel would do."""
    kept = []
    for folder in ("ct", "segmentations"):
        kept.append(gzip.decompress((root / folder / "train_9401_a_1.nii.gz").read_bytes()))


def timed(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Median seconds, and peak resident megabytes of a fresh process that does the work."""
    seconds = []
    for _ in range(times):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            started = time.perf_counter()
            work()
            told = f"{time.perf_counter() - started} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}"
            os.write(write_end, told.encode())
            os._exit(0)
        os.close(write_end)
        os.waitpid(child, 0)
        took, peak = os.read(read_end, 100).decode().split()
        seconds.append(float(took))
    return statistics.median(seconds), int(peak) / 1024


def store_once(root: Path) -> Callable[[], object]:
    """One entry, as a worker does it, into a store that does not hold it yet."""
    from cases import ingest, storage
    from cases.imaging import rexgrounding

    entry = rexgrounding.read_entries(root)[0]
    ct, _ = rexgrounding.locate_ct(root, [], entry)
    source = rexgrounding.Source(ct, rexgrounding.locate_mask(root, entry))

    def work() -> None:
        stored = ingest.store_volume(entry, source, mark="")
        print("   ", stored.seconds)
        storage.forget_slices(stored.columns["slices_key"])

    return work


def stored_size(data: Path) -> int:
    return sum(path.stat().st_size for path in (data / "store").rglob("*.gz"))


def imported(root: Path, workers: int) -> float:
    from django.core.management import call_command

    from cases.models import Volume

    Volume.objects.all().delete()
    started = time.perf_counter()
    call_command("import_rexgroundingct", str(root), workers=workers, verbosity=0, stdout=io.StringIO())
    return time.perf_counter() - started


def main(words: list[str]) -> None:
    data = Path(tempfile.mkdtemp())
    os.environ |= {"SIGHTLINE_DATA": str(data), "DEBUG": "1", "DJANGO_SETTINGS_MODULE": "quiz.settings"}
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    root = data / "rex"
    root.mkdir()
    if "--many" in words:
        many(root)
        return
    size, findings = ((1024, 1024, 1005), 13) if "--worst" in words else ((512, 512, 336), 3)
    print(f"making {size} with {findings} findings ...")
    make(root, size, findings)
    times = 1 if "--worst" in words else 7
    limits = {
        "unpack to nowhere (ISA-L)": timed(lambda: unpack_to_nowhere(root), times)[0],
        "unpack into memory (ISA-L)": timed(lambda: unpack_to_memory(root), times)[0] if times > 1 else None,
        "unpack into memory (zlib)": timed(lambda: unpack_with_zlib(root), times)[0] if times > 1 else None,
    }
    took, peak = timed(store_once(root), times)
    print(f"one worker, one entry: {took:.2f} s, peak {peak:.0f} MB")
    for name, limit in limits.items():
        if limit:
            print(f"  {name}: {limit:.2f} s, ratio {took / limit:.2f}")
    source = (root / "ct" / "train_9401_a_1.nii.gz").stat().st_size
    print(f"stored {stored_size(data) / 1e6:.1f} MB, source {source / 1e6:.1f} MB: {stored_size(data) / source:.2f}")
    if "--worst" not in words:
        copies(root, 12)
        alone = imported(root, 1)
        for workers in (2, 4):
            together = imported(root, workers)
            print(f"12 entries: 1 worker {alone:.1f} s, {workers} workers {together:.1f} s: {alone / together:.2f} x")


def many(root: Path) -> None:
    """3,000 entries: the first import, and the second, which finds nothing to do."""
    from tests import mini

    case = mini.plain("train_9401_a_1.nii.gz")
    mini.save(root / "ct" / case.name, case.ct, mini.AFFINE)
    mini.save(root / "segmentations" / case.name, case.masks, None)
    mini.write_json(root, "dataset.json", train=[case.entry()])
    copies(root, 3000)
    print(f"first import of 3,000 tiny entries: {imported(root, 2):.0f} s")
    from django.core.management import call_command

    started = time.perf_counter()
    call_command("import_rexgroundingct", str(root), verbosity=0, stdout=io.StringIO())
    print(f"second run: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
