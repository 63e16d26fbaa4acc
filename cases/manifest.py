"""What a viewer must know of a volume before its first slice."""

from typing import Any

from django.urls import reverse

from cases.imaging import blocks, slices, window
from cases.models import Volume


def manifest(volume: Volume) -> dict[str, Any]:
    """Geometry of a volume and where its slices are. Says nothing of findings or of the file's name."""
    version = f"?v={volume.slices_version}"
    return {
        "id": volume.pk,
        "size": list(volume.size),
        "spacing_mm": list(volume.spacing_mm),
        "slices": reverse("volume-slice", kwargs={"pk": volume.pk, "k": 0}).replace("/0/", "/{k}/") + version,
        "slice_filter": slices.FILTER,
        "blocks": reverse("volume-block", kwargs={"pk": volume.pk, "n": 0}).replace("/0/", "/{n}/") + version,
        "block_slices": blocks.SLICES,
        "window_presets": [
            {"name": preset.name, "level": preset.level, "width": preset.width} for preset in window.PRESETS
        ],
        "credit": " ".join(part for part in (volume.credit, volume.licence) if part),
    }
