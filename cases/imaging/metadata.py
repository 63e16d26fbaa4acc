"""CT-RATE's metadata tables: what the headers of its old generation should have said.

CT-RATE was first released with blank NIfTI headers and stored values instead of HU. The tables give, per volume, what
is missing: spacing, position, orientation, rescale slope and intercept (data set note, section 4).
"""

import csv
import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TABLES = ("train_metadata.csv", "validation_metadata.csv")
FOLDERS = (Path("dataset/metadata"), Path("metadata"), Path("ct/dataset/metadata"), Path("ct/metadata"), Path())


@dataclass(frozen=True)
class ScanMetadata:
    """One volume's row. spacing_mm: (dx, dy, dz). position: centre of the first voxel, LPS mm. orientation: the
    directions in which x and y grow, six cosines. HU = slope * stored + intercept."""

    spacing_mm: tuple[float, float, float]
    position: tuple[float, float, float]
    orientation: tuple[float, ...]
    slope: float
    intercept: float

    def lps_affine(self) -> NDArray[np.float64]:
        """4 x 4, maps (x, y, z, 1) of the file to LPS millimetres; slices grow along the cross product of the rows."""
        along_x, along_y = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        affine = np.eye(4)
        directions = (along_x, along_y, np.cross(along_x, along_y))
        for axis, (direction, mm) in enumerate(zip(directions, self.spacing_mm, strict=True)):
            affine[:3, axis] = direction * mm
        affine[:3, 3] = self.position
        return affine


def read_metadata(folders: Iterable[Path], names: Collection[str]) -> dict[str, ScanMetadata]:
    """Rows of the named volumes from every table found in or below the folders' usual places; the first row wins.

    Rows that cannot be read are left out: their volumes are then refused as if there were no table.
    """
    found: dict[str, ScanMetadata] = {}
    tables = dict.fromkeys(folder / below / table for folder in folders for below in FOLDERS for table in TABLES)
    for path in tables:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    name = row.get("VolumeName") or ""
                    if name in names and name not in found and (scan := _scan(row)):
                        found[name] = scan
        except (OSError, UnicodeDecodeError, csv.Error):
            continue
    return found


def _scan(row: dict[str, str]) -> ScanMetadata | None:
    try:
        dx, dy = _numbers(row["XYSpacing"], 2)
        x, y, z = _numbers(row["ImagePositionPatient"], 3)
        scan = ScanMetadata(
            spacing_mm=(dx, dy, float(row["ZSpacing"])),
            position=(x, y, z),
            orientation=tuple(_numbers(row["ImageOrientationPatient"], 6)),
            slope=float(row["RescaleSlope"]),
            intercept=float(row["RescaleIntercept"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return scan if math.isfinite(scan.slope) and math.isfinite(scan.intercept) else None


def _numbers(text: str, count: int) -> list[float]:
    """The numbers of a list written as text: "[0.7, 0.7]"; the tables also hold quotes around each number."""
    values = json.loads(text.replace("'", "").replace('"', "").replace("(", "[").replace(")", "]"))
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{count} numbers expected")
    return [float(value) for value in values]
