"""ReXGroundingCT and CT-RATE as they lie on disk: the JSON files, the names, and where a CT is.

Two JSON releases exist (base and challenge); both are read and merged by name. The data set's rules and traps are
described in the docstrings where they matter.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cases.imaging.metadata import ScanMetadata

JSON_FILES = ("MICCAI_challenge_dataset.json", "dataset.json")
"""The challenge release first: its val is a superset of the base release's."""

CREDIT = ("ReXGroundingCT, Rajpurkar Lab, on scans of CT-RATE, Hamamci et al.", "CC BY-NC-SA 4.0")
"""Attribution and licence of the data set's own scans."""

RELEASES = {
    "25e89d26eef53631d1b06c9b6c0bcd75c64190ff2ffce1d6ab8df4ca0ce6411b": "base release of May 2026",
    "3a66087608d5d0177a30c0238845a7e53518fcd82f8f41283a7d14fc02b37e6a": "challenge release of June 2026",
}
"""SHA-256 of the JSON files that were seen as published; another is a newer release, or was changed."""

SPLITS = ("train", "val", "test")
EXHAUSTIVE_SPLITS = frozenset({"val", "test"})
"""In these every instance is annotated; in train about three per finding are."""

_NAME = re.compile(
    r"(?P<prefix>train|valid)_(?P<patient>[0-9]{1,9})_(?P<letter>[a-z]{1,3})_(?P<series>[0-9]{1,4})\.nii\.gz"
)


class DatasetError(ValueError):
    """A folder that is not the data set, or a JSON that cannot be read."""


@dataclass(frozen=True)
class Sentence:
    """One finding as the JSON gives it. channel: first index of the mask file."""

    channel: int
    text: str
    category: str
    entity_count: int | None
    pixels: int | None


@dataclass(frozen=True)
class Entry:
    """One scan of the data set. problem: why it cannot be imported, or empty."""

    name: str
    split: str
    sentences: tuple[Sentence, ...]
    shape: tuple[int, int, int] | None
    problem: str = ""

    @property
    def stem(self) -> str:
        return self.name.removesuffix(".nii.gz")

    @property
    def exhaustive(self) -> bool:
        return self.split in EXHAUSTIVE_SPLITS

    @property
    def patient_key(self) -> str:
        """Prefix and number: train_39 and valid_39 are different people."""
        return "_".join(self.stem.split("_")[:2])

    @property
    def study_key(self) -> str:
        return "_".join(self.stem.split("_")[:3])


def read_entries(root: Path) -> list[Entry]:
    """Every entry of the JSON files in ``root``, merged by name, in the order train, val, test and then by name."""
    found = [root / name for name in JSON_FILES if (root / name).is_file()]
    if not found:
        raise DatasetError(f"{root} holds neither {JSON_FILES[0]} nor {JSON_FILES[1]}; is it the data set's folder?")
    entries: dict[str, Entry] = {}
    for path in found:
        for entry in read_json(path):
            entries.setdefault(entry.name, entry)
    return sorted(entries.values(), key=lambda entry: (SPLITS.index(entry.split), entry.name))


def read_json(path: Path) -> list[Entry]:
    """Every entry of one JSON file, in its order, damaged ones included. Raises DatasetError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path.name} should hold an object with the splits train, val and test.")
    return [_entry(item, split) for split in SPLITS for item in content.get(split) or []]


def releases(root: Path) -> dict[str, str]:
    """Which release each JSON file in ``root`` is, by its checksum."""
    found = [root / name for name in JSON_FILES if (root / name).is_file()]
    return {
        path.name: RELEASES.get(hashlib.sha256(path.read_bytes()).hexdigest(), "not a release known here")
        for path in found
    }


def _entry(item: Any, split: str) -> Entry:
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        # The name becomes part of paths, so it must be exactly of the data set's form.
        return Entry(str(name)[:80], split, (), None, "The entry's name is not of the form train_123_a_1.nii.gz.")
    findings, categories = item.get("findings"), item.get("categories") or {}
    shape = item.get("shape")
    if not isinstance(findings, dict) or not findings or not all(str(key).isdecimal() for key in findings):
        return Entry(name, split, (), None, 'The entry has no findings numbered "0", "1", ...')
    if not (isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape)):
        return Entry(name, split, (), None, "The entry has no shape of three numbers.")
    # Keys are text: "10" comes before "2" unless they are sorted as numbers.
    channels = sorted(int(key) for key in findings)
    if channels != list(range(len(channels))):
        return Entry(name, split, (), None, f"The findings are numbered {channels}, not 0 to {len(channels) - 1}.")
    sentences = tuple(
        Sentence(
            channel=channel,
            text=str(findings[str(channel)]),
            category=str(categories.get(str(channel), "")),
            entity_count=_optional(item.get("entity_counts"), channel),
            pixels=_optional(item.get("pixels"), channel),
        )
        for channel in channels
    )
    return Entry(name, split, sentences, (shape[0], shape[1], shape[2]))


def _optional(values: Any, channel: int) -> int | None:
    value = values.get(str(channel)) if isinstance(values, dict) else None
    return value if isinstance(value, int) else None


@dataclass(frozen=True)
class Source:
    """The files of one entry. old: the CT lies in the old generation's tree. metadata: its row of CT-RATE's tables."""

    ct: Path
    mask: Path
    old: bool = False
    metadata: ScanMetadata | None = None


def locate_mask(root: Path, entry: Entry) -> Path | None:
    return _inside(root, [Path("segmentations") / entry.name])


def locate_ct(root: Path, folders: Sequence[Path], entry: Entry) -> tuple[Path, bool] | None:
    """Where the CT of an entry lies, and whether that is the old generation's tree.

    Flat folders given by the user come first, then CT-RATE's own tree in its usual places, last its old tree. The
    prefix of the tree comes from the name, never from the split: the data set's train holds valid_ names too.
    """
    prefix, patient, letter, _ = entry.stem.split("_")
    nested = Path(f"{prefix}_{patient}") / f"{prefix}_{patient}_{letter}" / entry.name
    starts = [Path(), Path("ct"), Path("images"), Path("ct_rate_fixed")]
    places = [(folder, [Path()]) for folder in folders] + [(root, starts)]
    for tree, old in ((Path(f"{prefix}_fixed"), False), (Path(prefix), True)):
        for base, below in places:
            flat = [] if old else [start / entry.name for start in below]
            trees = [start / part / tree / nested for start in below for part in (Path("dataset"), Path())]
            if path := _inside(base, [*flat, *trees]):
                return path, old
    return None


def unfinished_downloads(folders: Iterable[Path]) -> frozenset[str]:
    """Names of files whose download was begun and not finished: Hugging Face keeps them below .cache as .incomplete."""
    names = set()
    for folder in folders:
        for path in (folder / ".cache" / "huggingface" / "download").glob("**/*.incomplete"):
            names.add(path.name.partition(".nii.gz")[0] + ".nii.gz")
    return frozenset(names)


def _inside(root: Path, candidates: Iterable[Path]) -> Path | None:
    """The first candidate that is a regular file below root, links followed."""
    base = root.resolve()
    for candidate in candidates:
        path = (base / candidate).resolve()
        if path.is_file() and path.is_relative_to(base):
            return path
    return None


def read_credits(root: Path) -> dict[str, tuple[str, str]]:
    """Attribution and licence per name, from an optional CREDITS.json beside the data set."""
    try:
        rows = json.loads((root / "CREDITS.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {
        str(row.get("name")): (str(row.get("attribution") or ""), str(row.get("licence") or "")[:200])
        for row in rows
        if isinstance(row, dict)
    }
