"""What the authors of ReXGroundingCT published of its size, to compare an import with (data set note, section 7).

val and test grew with the challenge release; train is the same in both.
"""

SCANS = {
    "base": {"train": 2992, "val": 50, "test": 100},
    "challenge": {"train": 2992, "val": 200, "test": 300},
}

_CODES = ("1a", "1b", "1c", "1d", "1e", "1f", "2a", "2b", "2c", "2d", "2e", "2f", "2g", "2h")
_TRAIN = (236, 282, 446, 194, 314, 150, 1120, 1367, 1507, 1743, 237, 16, 18, 57)

FINDINGS = {
    "base": {
        "train": dict(zip(_CODES, _TRAIN, strict=True)),
        "val": dict(zip(_CODES, (1, 3, 3, 4, 7, 3, 15, 17, 20, 35, 4, 0, 0, 3), strict=True)),
        "test": dict(zip(_CODES, (1, 4, 17, 6, 7, 3, 49, 36, 36, 58, 7, 0, 1, 1), strict=True)),
    },
    "challenge": {
        "train": dict(zip(_CODES, _TRAIN, strict=True)),
        "val": dict(zip(_CODES, (3, 11, 17, 6, 11, 4, 69, 49, 60, 132, 11, 0, 1, 7), strict=True)),
        "test": dict(zip(_CODES, (6, 11, 27, 9, 16, 4, 113, 89, 87, 190, 27, 0, 1, 2), strict=True)),
    },
}
"""Findings per split and category."""
