"""The weights that are shipped: which file, and proof that it is that file before it is read.

safetensors holds numbers and nothing that runs; the checksum tells a damaged or exchanged file apart from ours.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quiz.grounding import network
from quiz.grounding.base import EngineUnavailable

FOLDER = Path(__file__).parent / "weights"
VERSION = "2"
SHA256 = "43009fb08c49ef8c7e0222013fd8704ee8b6d3585d69946d1b110456a3cba089"
MOST_BYTES = 12_000_000

NO_TORCH = "The tiny model needs torch: .venv/bin/pip install -r requirements-torch.txt."
NO_SAFETENSORS = "The tiny model needs safetensors: .venv/bin/pip install -r requirements-torch.txt."


@dataclass(frozen=True)
class Loaded:
    """net: ready to answer. thresholds: by category, where its map is cut. hits: (mean of the map within a mask, share of
    such masks that hit), rising; empty if nobody has counted. words: what the file says of itself."""

    net: Any
    thresholds: dict[str, float] = field(default_factory=dict)
    hits: list[tuple[float, float]] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)


def path_of(version: str = VERSION) -> Path:
    return FOLDER / f"tiny-{version}.safetensors"


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(path: Path, sha256: str | None) -> Loaded:
    """The network of a file. sha256: what it must be, None for a file that was just trained here.

    Raises EngineUnavailable with a sentence if torch, the file or its integrity is missing.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise EngineUnavailable(NO_TORCH) from error
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise EngineUnavailable(NO_SAFETENSORS) from error
    if not path.is_file():
        raise EngineUnavailable(f"The weights {path.name} are missing; train them with manage.py train_tiny.")
    if path.stat().st_size > MOST_BYTES:
        raise EngineUnavailable(f"The weights {path.name} are larger than they can be; they are not read.")
    if sha256 is not None and sha256_of(path) != sha256:
        raise EngineUnavailable(
            f"The weights {path.name} are not the ones that belong to this version (their checksum differs). "
            "They are not read; restore the file from the repository."
        )
    net = network.build()
    try:
        with safe_open(path, framework="pt") as stored:
            words = dict(stored.metadata() or {})
            tensors = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
        net.load_state_dict(tensors)
        thresholds = {str(code): float(at) for code, at in json.loads(words.get("thresholds", "{}")).items()}
        hits = [(float(mean), float(share)) for mean, share in json.loads(words.get("hits", "[]"))]
    except Exception as error:
        raise EngineUnavailable(f"The weights {path.name} do not fit this version's network.") from error
    net.eval()
    return Loaded(net, thresholds, hits, words)
