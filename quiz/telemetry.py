"""What was on screen, kept with an answer for the trainee's own use: read once, to say why something was missed.

Teachers do not see it; the trainee can delete it, per answer or all of it, and switch it off.
"""

from typing import Any

from cases.models import Finding
from quiz.learning import looks, search
from quiz.models import Attempt, AttemptQuerySet, User, Verdict


def columns(user: User, finding: Finding, payload: object, graded: dict[str, Any]) -> dict[str, Any]:
    """The columns of a submitted attempt that come from what was on screen, beside those of its grade.

    A log that cannot be read is none.
    """
    log = looks.read(payload, finding.volume.size) if user.records_looks else None
    if log is None:
        return {"telemetry": None, "error_type": "", "error_note": ""}
    why = None if graded["verdict"] == "found" or _on_it(graded) else _why(finding, graded["reveal"], log)
    return {
        "telemetry": log.as_json(),
        "error_type": why.kind if why else "",
        "error_note": why.note if why else "",
    }


def _on_it(graded: dict[str, Any]) -> bool:
    """Nothing was found, and yet paint lies on the reference: what was marked too little or too widely was recognised."""
    return graded["verdict"] in (Verdict.MISSED, Verdict.NOT_JUDGED) and graded["reveal"]["touches"]


def _why(finding: Finding, reveal: dict[str, Any], log: looks.Log) -> search.Diagnosis | None:
    """Of the largest instance that was missed; one with a near miss was seen."""
    missed = [one for one in reveal["instances"] if one["outcome"] == "missed"]
    if not missed:
        return None
    largest = max(missed, key=lambda one: one["volume_ml"])
    row = finding.instances.filter(value=largest["value"]).first()
    if row is None:
        return None
    target = search.Target(
        box=tuple((first, stop) for first, stop in row.box),
        centroid=tuple(row.centroid),
        diameter_mm=row.diameter_mm,
        mean_hu=row.mean_hu,
        contrast_hu=row.rim_contrast_hu,
    )
    grid = finding.volume.grid
    where = f"slice {grid.slice_number(row.largest_k)}"
    return search.diagnose(log, target, size=grid.size, spacing_mm=grid.spacing_mm, where=where)


def kept(attempts: AttemptQuerySet) -> AttemptQuerySet:
    """Those of some attempts of which something is kept."""
    return attempts.filter(telemetry__isnull=False)


def forget(attempts: AttemptQuerySet) -> int:
    """Delete what was on screen, and what was told from it. The answers and their grades stay. Returns how many."""
    return kept(attempts).update(telemetry=None, error_type="", error_note="")


def switch(user: User, *, on: bool) -> None:
    """Keep it from now on, or do not."""
    user.records_looks = on
    user.save(update_fields=["records_looks"])


def summary(attempt: Attempt) -> dict[str, Any] | None:
    """What the trainee is told of their own looking: seconds, share of slices seen, windows. None if nothing is kept."""
    size = attempt.finding.volume.size
    log = looks.read(attempt.telemetry, size)
    if log is None:
        return None
    seen = bytearray(size[0])
    for look in log.looks:
        if look.view == "axial":
            for start, count in zip(look.slices[0::3], look.slices[1::3], strict=True):
                seen[start : start + count] = b"\1" * count
    first = None if log.first_mark_ms is None else round(log.first_mark_ms / 1000)
    return {
        "seconds": round(log.duration_ms / 1000),
        "first_mark_seconds": first,
        "slices_seen": sum(seen),
        "slices": size[0],
        "windows": [
            {"level": level, "width": width, "seconds": round(ms / 1000)}
            for (level, width), ms in log.window_ms().items()
            if ms >= 500
        ][:4],
    }
