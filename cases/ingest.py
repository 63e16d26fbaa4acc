"""One volume in, all or nothing: files first under names that nothing points to yet, rows last in one transaction."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.db import transaction

from cases import storage
from cases.imaging import anatomy, content, masks, measure, nifti, rexgrounding, slices
from cases.imaging.rexgrounding import Entry
from cases.models import Category, Finding, Instance, Volume

FORMAT_VERSION = 1
"""Raised when what is stored or computed at import changes: everything is then imported again."""


class ImportRefused(Exception):
    """An entry that cannot be imported; the message is the reason, for the report."""


@dataclass(frozen=True)
class StoredFinding:
    """A finding whose mask is in the store, with its columns."""

    channel: int
    sentence: str
    category: str
    truth_key: str
    truth_sha256: str
    whole: measure.Measure | None
    instances: list[measure.Measure]


@dataclass(frozen=True)
class StoredVolume:
    """A volume whose bytes are in the store; only its rows are missing."""

    entry: Entry
    columns: dict
    findings: list[StoredFinding]
    fingerprint: str
    warnings: list[str] = field(default_factory=list)


def fingerprint(entry: Entry, ct: Path, mask: Path) -> str:
    """Changes when the entry or one of its files does; reads no content."""
    stats = [(path.stat().st_size, path.stat().st_mtime_ns) for path in (ct, mask)]
    described = json.dumps([FORMAT_VERSION, asdict(entry), stats], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def is_current(entry: Entry, mark: str) -> bool:
    return Volume.objects.filter(name=entry.stem, source__fingerprint=mark).exists()


def store_volume(entry: Entry, ct_path: Path, mask_path: Path, *, mark: str, credit: tuple[str, str]) -> StoredVolume:
    """Read both files and put slices and masks into the store. Touches no rows, so it may run in another process.

    Raises ImportRefused with the reason.
    """
    try:
        ct = nifti.read_ct(ct_path)
        if ct.file_shape != entry.shape:
            raise ImportRefused(f"The CT has the shape {ct.file_shape}, the JSON says {entry.shape}.")
        truth = nifti.read_masks(mask_path, ct, findings=len(entry.sentences))
    except nifti.NiftiError as error:
        raise ImportRefused(str(error)) from error
    pairs = [(sentence.category, mask) for sentence, mask in zip(entry.sentences, truth, strict=True)]
    if suspicion := content.check(ct.voxels, pairs):
        raise ImportRefused(suspicion.sentence())

    digest = hashlib.blake2b(ct.voxels.tobytes(), digest_size=8, key=str(FORMAT_VERSION).encode()).hexdigest()
    key = f"volumes/{entry.stem}-{digest}"
    if not storage.has_slices(key):
        storage.save_slices(key, (slices.encode(plane) for plane in ct.voxels))
    lungs = anatomy.lung_field(ct.voxels, ct.grid)
    warnings = list(ct.notes)
    findings = []
    for sentence, mask in zip(entry.sentences, truth, strict=True):
        warnings += _compare(sentence, mask)
        packed = masks.pack(mask)
        sha256 = hashlib.sha256(packed).hexdigest()
        truth_key = storage.truth_key(entry.stem, sentence.channel, sha256)
        storage.save_truth(truth_key, packed)
        measured = measure.measure(mask, ct.voxels, ct.grid, lungs)
        whole, instances = (measured[0], measured[1:]) if measured else (None, [])
        findings.append(
            StoredFinding(sentence.channel, sentence.text, sentence.category, truth_key, sha256, whole, instances)
        )
    (k, j, i), (dk, dj, di) = ct.grid.size, ct.grid.spacing_mm
    columns = {
        "split": entry.split, "patient_key": entry.patient_key, "study_key": entry.study_key,
        "size_k": k, "size_j": j, "size_i": i, "spacing_k": dk, "spacing_j": dj, "spacing_i": di,
        "affine": [list(row) for row in ct.grid.affine],
        "lung_box": [list(span) for span in lungs.box] if lungs else None,
        "midline_i": lungs.midline_i if lungs else None,
        "slices_key": key, "credit": credit[0], "licence": credit[1],
    }  # fmt: skip
    return StoredVolume(entry, columns, findings, mark, warnings)


def _compare(sentence: rexgrounding.Sentence, mask: masks.SparseMask) -> list[str]:
    """Differences between the JSON's counts and the file: worth a warning, no reason to refuse."""
    warnings = []
    voxels, instances = mask.voxels(), len(mask.instance_values())
    if voxels == 0:
        warnings.append(f"Finding {sentence.channel} has an empty mask and is not offered.")
    if sentence.pixels is not None and sentence.pixels != voxels:
        warnings.append(f"Finding {sentence.channel} has {voxels} voxels, the JSON says {sentence.pixels}.")
    if sentence.entity_count is not None and sentence.entity_count != instances:
        warnings.append(f"Finding {sentence.channel} has {instances} instances, the JSON says {sentence.entity_count}.")
    return warnings


def record_volume(stored: StoredVolume) -> tuple[Volume, list[str]]:
    """Write the rows of a stored volume in one transaction. Returns the volume and warnings.

    Findings keep their identity over re-imports; a changed mask becomes a new truth version.
    """
    known = set(Category.objects.filter(annotated=True).values_list("code", flat=True))
    entry, warnings = stored.entry, list(stored.warnings)
    usable = [finding for finding in stored.findings if finding.category in known]
    for finding in stored.findings:
        if finding.category not in known:
            warnings.append(f"Finding {finding.channel} has the unknown category {finding.category!r} and is left out.")
    if not usable:
        raise ImportRefused("None of its findings has a known category.")
    with transaction.atomic():
        source = {"fingerprint": stored.fingerprint, "name": entry.name}
        volume, _ = Volume.objects.update_or_create(name=entry.stem, defaults={**stored.columns, "source": source})
        for finding in usable:
            _record_finding(volume, finding, exhaustive=entry.exhaustive)
    return volume, warnings


def _record_finding(volume: Volume, stored: StoredFinding, *, exhaustive: bool) -> None:
    row = Finding.objects.filter(volume=volume, channel=stored.channel).first() or Finding(
        volume=volume, channel=stored.channel, truth_version=0
    )
    if row.truth_sha256 != stored.truth_sha256:
        row.truth_version += 1
    whole = stored.whole
    row.sentence, row.category_id, row.exhaustive = stored.sentence, stored.category, exhaustive
    row.truth_key, row.truth_sha256 = stored.truth_key, stored.truth_sha256
    row.cap_reached = not exhaustive and len(stored.instances) >= 3
    row.voxels = whole.voxels if whole else 0
    row.volume_ml, row.diameter_mm = (whole.volume_ml, whole.diameter_mm) if whole else (0.0, 0.0)
    row.box = [list(span) for span in whole.box] if whole else []
    row.centroid = list(whole.centroid) if whole else []
    row.largest_k = whole.largest_k if whole else 0
    row.side, row.zone = (whole.side, whole.zone) if whole else ("", "")
    row.mean_hu, row.rim_contrast_hu = (whole.mean_hu, whole.rim_contrast_hu) if whole else (None, None)
    row.save()
    row.instances.all().delete()
    Instance.objects.bulk_create(
        Instance(
            finding=row,
            value=one.value,
            voxels=one.voxels,
            volume_ml=one.volume_ml,
            diameter_mm=one.diameter_mm,
            box=[list(span) for span in one.box],
            centroid=list(one.centroid),
            largest_k=one.largest_k,
            side=one.side,
            zone=one.zone,
            mean_hu=one.mean_hu,
            rim_contrast_hu=one.rim_contrast_hu,
        )
        for one in stored.instances
    )
