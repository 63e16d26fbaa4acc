"""What tests/golden/*.json holds, worked out in Python. The browser's modules must give the same.

``python -m tests.golden_cases`` writes the files; tests/imaging/test_golden.py says when they are not up to date, and
tests/browser/test_golden.py runs static/viewer/*.js against them. compact.json was worked out by hand and is not made here.
"""

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cases.imaging import masks, slices, window
from tests.between_reference import between

FOLDER = Path(__file__).parent / "golden"
SIZE = (3, 4, 5)


def runs() -> list[dict[str, Any]]:
    """A mask as somebody sent it, the form it has after it was read and written, and its voxels k * J * I + j * I + i."""
    sent: list[tuple[str, dict[str, list[int]]]] = [
        ("nothing", {}),
        ("first and last voxel", {"0": [0, 1], "2": [19, 1]}),
        ("a run over the end of a row is cut there", {"1": [3, 4]}),
        ("runs that touch within a row are one", {"1": [0, 2, 2, 1, 4, 1]}),
        ("a whole slice is one run a row", {"2": [0, 20]}),
        ("keys in any order", {"2": [7, 1], "0": [12, 3]}),
    ]
    found = []
    for what, given in sent:
        mask = masks.from_wire({"size": list(SIZE), "runs": given}, SIZE)
        found.append({"what": what, "sent": given, "mask": masks.to_wire(mask), "voxels": mask.flat().tolist()})
    return found


def slice_bytes() -> list[dict[str, Any]]:
    """HU of a slice and the bytes it travels as, gzip undone, in base64."""
    rng = np.random.default_rng(3)
    planes = [
        np.array([[0, -1, 1], [-1024, 3071, -1024]], dtype=np.int16),
        rng.integers(-1024, 3072, (5, 7)).astype(np.int16),
        np.full((3, 4), -32768, dtype=np.int16),
        np.array([[-32768, 32767], [32767, -32768]], dtype=np.int16),  # differences that wrap round
    ]
    return [
        {"hu": plane.tolist(), "bytes": base64.b64encode(gzip.decompress(slices.encode(plane))).decode()}
        for plane in planes
    ]


def windows() -> list[dict[str, Any]]:
    """Grey of HU. Black at level - width/2, white at level + width/2, halves rounded up."""
    hu = [
        -32767,
        -1351,
        -1350,
        -1349,
        -1024,
        -601,
        -600,
        -599,
        -160,
        -1,
        0,
        1,
        39,
        40,
        41,
        140,
        240,
        241,
        1023,
        3071,
        32767,
    ]
    named = [
        *window.PRESETS,
        window.Window("narrowest", 0, 1),
        window.Window("odd", -7, 255),
        window.Window("two", 0, 2),
    ]
    greys = [window.to_uint8(np.array(hu, dtype=np.int16), one).tolist() for one in named]
    return [
        {"name": one.name, "level": one.level, "width": one.width, "hu": hu, "grey": grey}
        for one, grey in zip(named, greys, strict=True)
    ]


def geometry() -> list[dict[str, Any]]:
    """Pictures of every plane of a volume whose voxels are numbered k * J * I + j * I + i, thin and as a slab's brightest.

    A volume in house order is [k, j, i], towards Superior, Posterior and Left. The axial picture is volume[k]; in the
    others the head is at the top, so k runs backwards down the rows.
    """
    spacing = (5.0, 0.5, 0.75)
    volume = np.arange(np.prod(SIZE)).reshape(SIZE)
    turned = {  # [slice, row, column], and the millimetres along each
        "axial": (volume, spacing, "APRL"),
        "coronal": (volume[::-1].transpose(1, 0, 2), (spacing[1], spacing[0], spacing[2]), "SIRL"),
        "sagittal": (volume[::-1].transpose(2, 0, 1), (spacing[2], spacing[0], spacing[1]), "SIAP"),
    }
    return [
        {
            "view": view, "size": list(SIZE), "spacing_mm": list(spacing),
            "depth_mm": mm[0], "row_mm": mm[1], "col_mm": mm[2],
            "letters": dict(zip(("top", "bottom", "left", "right"), letters, strict=True)),
            "pictures": pictures.tolist(),
            "slab_of_three": [pictures[max(0, n - 1) : n + 2].max(axis=0).tolist() for n in range(len(pictures))],
        }
        for view, (pictures, mm, letters) in turned.items()
    ]  # fmt: skip


def betweens() -> list[dict[str, Any]]:
    """Painted slices of a plane, as rows of # and ., and what is filled between them."""
    disc = ["......", "..##..", ".####.", ".####.", "..##..", "......"]
    dot = ["......", "......", "..##..", "..##..", "......", "......"]
    shifted = ["......", "...##.", "..####", "..####", "...##.", "......"]
    two = ["......", "#.....", "#....#", ".....#", ".....#", "......"]
    joint = ["......", "######", "######", "######", "######", "......"]
    corner = ["##....", "##....", "......", "......", "....##", "....##"]
    ring = ["......", ".####.", ".#..#.", ".#..#.", ".####.", "......"]
    full = ["######"] * 6
    cases: list[tuple[str, dict[int, list[str]], tuple[float, float, float]]] = [
        ("the same outline twice", {2: disc, 4: disc}, (1, 1, 1)),
        ("a large and a small one, three slices between", {0: disc, 4: dot}, (1, 1, 1)),
        ("one that moves", {0: disc, 3: shifted}, (1, 1, 1)),
        ("pixels four times as wide as high", {0: disc, 4: dot}, (0.5, 2, 1)),
        ("neighbours leave nothing to fill", {3: disc, 4: disc}, (1, 1, 1)),
        ("too far apart: 13 mm of a small thing", {0: dot, 13: dot}, (1, 1, 1)),
        ("just near enough: 12 mm", {0: dot, 4: dot}, (1, 1, 3)),
        ("large things may be further apart: 6 x 6 of 5 mm are 33.9 mm across, and 20 mm is 0.59 of it",
         {0: full, 4: full}, (5, 5, 5)),
        ("no overlap, nothing to fill", {0: ["##....", *["......"] * 5], 3: [*["......"] * 5, "....##"]}, (1, 1, 1)),
        ("two below become one above", {0: two, 3: joint}, (1, 1, 1)),
        ("outlines that touch by a corner are one", {0: ["##....", "##....", "..##..", "..##..", "......", "......"],
                                                    2: disc}, (1, 1, 1)),
        ("a ring stays a ring", {1: ring, 4: ring}, (1, 1, 1)),
        ("three painted slices, each to the next", {0: dot, 2: disc, 5: dot}, (1, 1, 1)),
        ("past a slice that holds something else", {0: corner, 2: [*["......"] * 4, "....##", "....##"], 4: corner},
         (1, 1, 1)),
        ("at the very edge of the plane", {0: full, 2: corner}, (1, 1, 1)),
    ]  # fmt: skip
    found = []
    for what, drawn, mm in cases:
        painted = {n: np.array([[cell == "#" for cell in row] for row in rows]) for n, rows in drawn.items()}
        added = {
            n: ["".join(".#"[int(cell)] for cell in row) for row in new] for n, new in between(painted, *mm).items()
        }
        found.append({
            "what": what, "row_mm": mm[0], "col_mm": mm[1], "depth_mm": mm[2],
            "painted": {str(n): rows for n, rows in drawn.items()},
            "added": {str(n): rows for n, rows in sorted(added.items())},
        })  # fmt: skip
    return found


FILES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "runs": runs,
    "slices": slice_bytes,
    "window": windows,
    "geometry": geometry,
    "between": betweens,
}


def text_of(name: str) -> str:
    """The file as it lies on disk: one case a line, so that a change is seen."""
    return "[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in FILES[name]()) + "\n]\n"


if __name__ == "__main__":
    for name in FILES:
        (FOLDER / f"{name}.json").write_text(text_of(name), encoding="utf-8")
