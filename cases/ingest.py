"""One volume in, all or nothing: files first under names that nothing points to yet, rows last in one transaction."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from django.db import transaction

from cases import storage
from cases.imaging import anatomy, content, masks, measure, nifti, nifti_masks, rexgrounding, slices
from cases.imaging.gzipped import FileRefused
from cases.imaging.rexgrounding import Entry, Source
from cases.imaging.rim import Surrounding, surrounding
from cases.models import Category, Finding, Instance, Volume
from cases.signals import volume_recorded

logger = logging.getLogger(__name__)

FORMAT_VERSION = 5
"""Raised when what is stored or computed at import changes: everything is then imported again."""

MOST_ANNOTATED = 3
"""Instances per finding after which the annotators of the train split were to stop."""


class ImportRefused(Exception):
    """An entry that cannot be imported; the message is the reason, for the report."""


class HeldBack(ImportRefused):
    """An entry whose files can be read but whose masks do not seem to lie on what their sentences say."""


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
    """A volume whose bytes are in the store; only its rows are missing. seconds: what each step took."""

    entry: Entry
    columns: dict
    findings: list[StoredFinding]
    fingerprint: str
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def fingerprint(entry: Entry, source: Source) -> str:
    """Changes when the entry, one of its files or its metadata does; reads no content."""
    stats = [(path.stat().st_size, path.stat().st_mtime_ns) for path in (source.ct, source.mask)]
    meta = asdict(source.metadata) if source.metadata else None
    described = json.dumps([FORMAT_VERSION, asdict(entry), stats, source.old, meta], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def check_headers(entry: Entry, source: Source) -> None:
    """Raise ImportRefused if the headers already say that the entry cannot be imported."""
    try:
        frame = nifti.read_frame(source.ct, source.metadata, old=source.old)
        if frame.shape != entry.shape:
            raise ImportRefused(
                f"The CT has the shape {nifti.by(frame.shape)}, the JSON says {nifti.by(entry.shape or ())}."
            )
        nifti_masks.check_masks(source.mask, frame, findings=len(entry.sentences))
    except FileRefused as error:
        raise ImportRefused(str(error)) from error


def store_volume(
    entry: Entry, source: Source, *, mark: str, credit: tuple[str, str] = ("", ""), trusted: bool = False
) -> StoredVolume:
    """Read both files and put slices and masks into the store. Touches no rows, so it may run in another process.

    ``trusted``: a person has looked; the content check only warns. Raises ImportRefused with the reason.
    """
    check_headers(entry, source)
    clock = _Clock()
    with slices.Encoder() as encoder:
        try:
            with clock("read CT"):
                ct = nifti.read_ct(source.ct, source.metadata, old=source.old, ready=encoder.add)
            with clock("find lungs"):
                lungs = anatomy.lung_field(ct.voxels, ct.grid)
            with clock("read masks"):
                truth = nifti_masks.read_masks(source.mask, ct.frame, findings=len(entry.sentences))
                examined = [_examine(one, mask, ct, lungs) for one, mask in _pairs(entry, truth)]
        except FileRefused as error:
            raise ImportRefused(str(error)) from error
        warnings = [*ct.frame.notes, *(warning for one in examined for warning in one.warnings)]
        if reason := _suspicion(ct, examined):
            if not trusted:
                raise HeldBack(reason)
            warnings.append(f"Taken on trust. {reason}")
        with clock("compress"):
            encoded = encoder.result()
    with clock("write"):
        key = storage.slices_key(entry.stem, encoded)
        if not storage.has_slices(key):
            storage.save_slices(key, encoded)
        findings = [_store_finding(entry, one) for one in examined]
    return StoredVolume(entry, _columns(entry, ct, lungs, key, credit), findings, mark, warnings, clock.seconds)


class _Clock:
    """Seconds of each named step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.seconds[step] = round(time.monotonic() - started, 3)


@dataclass(frozen=True)
class _Examined:
    """A finding whose mask was read: all that is kept of it, so that only one mask is held at a time."""

    sentence: rexgrounding.Sentence
    packed: bytes
    digest: str
    measures: list[measure.Measure]
    judged: tuple[content.Expectation, Surrounding] | None
    warnings: list[str]


def _pairs(entry: Entry, truth: Iterator[masks.SparseMask]) -> Iterator[tuple[rexgrounding.Sentence, masks.SparseMask]]:
    return zip(entry.sentences, truth, strict=True)


def _examine(
    sentence: rexgrounding.Sentence, mask: masks.SparseMask, ct: nifti.Ct, lungs: anatomy.LungField | None
) -> _Examined:
    expected = content.EXPECTED.get(sentence.category)
    judged = None
    if expected and not mask.is_empty:
        judged = expected, surrounding(mask.cropped() > 0, mask.origin, mask.size, ct.grid.spacing_mm)
    measured = measure.measure(mask, ct.voxels, ct.grid, lungs)
    return _Examined(sentence, masks.pack(mask), masks.digest(mask), measured, judged, _compare(sentence, measured))


def _compare(sentence: rexgrounding.Sentence, measured: list[measure.Measure]) -> list[str]:
    """Differences between the JSON's counts and the file: worth a warning, no reason to refuse."""
    warnings = []
    voxels, instances = measured[0].voxels if measured else 0, max(0, len(measured) - 1)
    if voxels == 0:
        warnings.append(f"Finding {sentence.channel} has an empty mask and is not offered.")
    if sentence.pixels is not None and sentence.pixels != voxels:
        warnings.append(f"Finding {sentence.channel} has {voxels} voxels, the JSON says {sentence.pixels}.")
    if sentence.entity_count is not None and sentence.entity_count != instances:
        warnings.append(f"Finding {sentence.channel} has {instances} instances, the JSON says {sentence.entity_count}.")
    return warnings


def _suspicion(ct: nifti.Ct, examined: list[_Examined]) -> str:
    """Why the pair should be held back, or nothing."""
    if not content.is_hu(ct.voxels):
        return "Hardly a voxel of the CT is as dark as lung; its values do not seem to be HU."
    suspicion = content.compare(ct.voxels, [one.judged for one in examined if one.judged])
    return suspicion.sentence() if suspicion else ""


def _store_finding(entry: Entry, one: _Examined) -> StoredFinding:
    key = storage.truth_key(entry.stem, one.sentence.channel, one.digest)
    if not storage.has_truth(key):
        storage.save_truth(key, one.packed)
    whole, instances = (one.measures[0], one.measures[1:]) if one.measures else (None, [])
    return StoredFinding(
        one.sentence.channel, one.sentence.text, one.sentence.category, key, one.digest, whole, instances
    )


def _columns(entry: Entry, ct: nifti.Ct, lungs: anatomy.LungField | None, key: str, credit: tuple[str, str]) -> dict:
    (k, j, i), (dk, dj, di) = ct.grid.size, ct.grid.spacing_mm
    return {
        "split": entry.split, "patient_key": entry.patient_key, "study_key": entry.study_key,
        "size_k": k, "size_j": j, "size_i": i, "spacing_k": dk, "spacing_j": dj, "spacing_i": di,
        "affine": [list(row) for row in ct.grid.affine],
        "lung_box": [list(span) for span in lungs.box] if lungs else None,
        "midline_i": lungs.midline_i if lungs else None,
        "file_frame": ct.frame.as_json(), "slices_key": key, "credit": credit[0], "licence": credit[1],
    }  # fmt: skip


def record_volume(stored: StoredVolume) -> tuple[Volume, list[str]]:
    """Write the rows of a stored volume in one transaction. Returns the volume and warnings.

    Findings keep their identity over re-imports; a changed mask becomes a new truth version. A finding that the entry
    no longer holds keeps its row, because attempts hang on it, and is not offered any more.
    """
    known = set(Category.objects.filter(annotated=True).values_list("code", flat=True))
    entry, warnings = stored.entry, list(stored.warnings)
    usable = [finding for finding in stored.findings if finding.category in known]
    for finding in stored.findings:
        if finding.category not in known:
            warnings.append(
                f"Finding {finding.channel} has the category {finding.category!r}, which carries no masks, "
                "and is left out."
            )
    if not usable:
        raise ImportRefused("None of its findings has a category that carries masks.")
    with transaction.atomic():
        before = Volume.objects.filter(name=entry.stem).first()
        source = {"fingerprint": stored.fingerprint, "name": entry.name}
        volume, _ = Volume.objects.update_or_create(name=entry.stem, defaults={**stored.columns, "source": source})
        for finding in usable:
            _record_finding(volume, finding, exhaustive=entry.exhaustive)
        volume.findings.exclude(channel__in=[finding.channel for finding in usable]).update(voxels=0)
    if before and before.slices_key != volume.slices_key:
        storage.drop_slices(before.slices_key, before.size_k)
    for listener, answer in volume_recorded.send_robust(sender=Volume, volume=volume):
        if isinstance(answer, Exception):  # the import is done; who listens must not undo it
            logger.error("%s failed after the import of %s", listener, volume, exc_info=answer)
    return volume, warnings


def _record_finding(volume: Volume, stored: StoredFinding, *, exhaustive: bool) -> None:
    row = Finding.objects.filter(volume=volume, channel=stored.channel).first() or Finding(
        volume=volume, channel=stored.channel, truth_version=0
    )
    if row.truth_sha256 != stored.truth_sha256:
        row.truth_version += 1
    row.sentence, row.category_id, row.exhaustive = stored.sentence, stored.category, exhaustive
    row.truth_key, row.truth_sha256 = stored.truth_key, stored.truth_sha256
    row.instance_count = len(stored.instances)
    row.cap_reached = not exhaustive and row.instance_count >= MOST_ANNOTATED
    for name, value in (_place(stored.whole) if stored.whole else NOWHERE).items():
        setattr(row, name, value)
    row.save()
    row.instances.all().delete()
    Instance.objects.bulk_create(Instance(finding=row, value=one.value, **_place(one)) for one in stored.instances)


def _place(measured: measure.Measure) -> dict:
    """The columns that findings and instances share."""
    return {
        "voxels": measured.voxels, "volume_ml": measured.volume_ml, "diameter_mm": measured.diameter_mm,
        "box": [list(span) for span in measured.box], "centroid": list(measured.centroid),
        "largest_k": measured.largest_k, "side": measured.side, "zone": measured.zone,
        "mean_hu": measured.mean_hu, "rim_contrast_hu": measured.rim_contrast_hu,
    }  # fmt: skip


NOWHERE = {
    "voxels": 0, "volume_ml": 0.0, "diameter_mm": 0.0, "box": [], "centroid": [], "largest_k": 0,
    "side": "", "zone": "", "mean_hu": None, "rim_contrast_hu": None,
}  # fmt: skip
"""The same columns of an empty mask."""


def problems(volume: Volume) -> list[str]:
    """Re-read everything stored of a volume and compare it with the checksums written at import."""
    found = []
    try:
        if damaged := storage.damaged_slices(volume.slices_key, volume.size_k):
            shown = ", ".join(str(k) for k in damaged[:5]) + (", ..." if len(damaged) > 5 else "")
            found.append(f"{len(damaged)} of {volume.size_k} slices are missing or damaged (k = {shown}).")
    except (OSError, ValueError, KeyError) as error:
        found.append(f"The list of its slices cannot be read: {error}.")
    for finding in volume.findings.all():
        try:
            mask = storage.load_truth(finding.truth_key)
        except (OSError, masks.MaskError) as error:
            found.append(f"The mask of finding {finding.channel} cannot be read: {error}.")
            continue
        if masks.digest(mask) != finding.truth_sha256:
            found.append(f"The mask of finding {finding.channel} is not the one that was imported.")
    return found


def store_again(volume: Volume) -> None:
    """Have the next import write everything stored of a volume anew, whatever lies there now."""
    storage.forget_slices(volume.slices_key)
    for finding in volume.findings.all():
        storage.drop_truth(finding.truth_key)
    volume.source = {**volume.source, "fingerprint": ""}
    volume.save(update_fields=["source"])
