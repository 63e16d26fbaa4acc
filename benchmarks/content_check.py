"""How often the content check catches a turned mask, and how often it is wrong about one that is not turned.

    .venv/bin/python benchmarks/content_check.py

On the demo's phantoms and, where they are, on the real cases of ../shared/cases; with the masks as they are and made
worse on purpose (grown by two voxels, shrunk by one, moved by one slice and three voxels), because people draw less
exactly than we make phantoms. Prints the tables of docs/content-check.md.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cases.imaging import content, masks, nifti, nifti_masks, rexgrounding  # noqa: E402
from cases.imaging.masks import SparseMask  # noqa: E402
from cases.imaging.phantom.cases import build, demo_cases, tiny  # noqa: E402
from cases.imaging.rim import surrounding  # noqa: E402

REAL = ROOT.parent / "shared" / "cases" / "rexlike"
Case = tuple[str, np.ndarray, tuple[float, float, float], list[tuple[str, SparseMask]]]


def cases() -> Iterator[Case]:
    for case in [tiny(), *(build(spec) for seed in (0, 1) for spec in demo_cases(seed))]:
        pairs = [(finding.category, masks.from_dense(finding.truth)) for finding in case.findings]
        yield f"phantom {case.name}", case.voxels, case.grid.spacing_mm, pairs
    for entry in rexgrounding.read_entries(REAL) if REAL.is_dir() else []:
        located, mask = rexgrounding.locate_ct(REAL, [], entry), rexgrounding.locate_mask(REAL, entry)
        ct = nifti.read_ct(located[0])
        truth = nifti_masks.read_masks(mask, ct.frame, findings=len(entry.sentences))
        pairs = [(sentence.category, one) for sentence, one in zip(entry.sentences, truth, strict=True)]
        yield f"real {entry.stem}", ct.voxels, ct.grid.spacing_mm, pairs


def variants(mask: SparseMask) -> Iterator[tuple[str, SparseMask]]:
    yield "as drawn", mask
    padded = np.pad(mask.cropped() > 0, 4)
    worse = {
        "grown": ndimage.binary_dilation(padded, iterations=2),
        "shrunk": ndimage.binary_erosion(padded),
        "moved": np.roll(padded, (1, 3, 3), (0, 1, 2)),
    }
    for name, changed in worse.items():
        places = np.argwhere(changed) + np.array(mask.origin) - 4
        places = places[((places >= 0) & (places < mask.size)).all(axis=1)]
        if len(places):
            flat = np.ravel_multi_index(tuple(places.T), mask.size)
            yield name, masks.from_flat(flat, np.ones(len(flat), np.uint8), mask.size)


def main() -> None:
    scans, singles = defaultdict(list), defaultdict(list)
    for name, voxels, spacing, pairs in cases():
        judged = defaultdict(list)
        for code, mask in pairs:
            if code in content.EXPECTED:
                for how, changed in variants(mask):
                    places = surrounding(changed.cropped() > 0, changed.origin, changed.size, spacing)
                    judged[how].append((code, (content.EXPECTED[code], places)))
        turns = content.turns_of(voxels.shape)
        for how, found in judged.items():
            groups = [("scan", [one for _, one in found]), *((code, [one]) for code, one in found)]
            for what, group in groups:
                as_is = content.agreement(voxels, group, None)
                turned = [content.agreement(voxels, group, turn) for turn in turns.values()]
                # What the check would see if the file were turned: the turn at hand, and the truth among the others.
                caught = sum(as_is >= content.AGREES and as_is - one >= content.CLEARLY_BETTER for one in turned)
                alarm = max(turned) >= content.AGREES and max(turned) - as_is >= content.CLEARLY_BETTER
                row = (caught, len(turned), alarm, as_is - max(turned))
                (scans[name.split()[0], how] if what == "scan" else singles[what, how]).append(row)
    for title, table in (("whole scans", scans), ("single findings", singles)):
        print(f"\n{title}: cases, turns caught, false alarms, smallest lead of the right orientation")
        for key, rows in sorted(table.items()):
            caught, turns = sum(row[0] for row in rows), sum(row[1] for row in rows)
            alarms, lead = sum(row[2] for row in rows), min(row[3] for row in rows)
            print(
                f"{key[0]:8} {key[1]:9} {len(rows):4} {caught:5}/{turns:<5} {caught / turns:4.0%} {alarms:3} {lead:+.2f}"
            )


if __name__ == "__main__":
    main()
