"""Sentences as VoxTell's text encoder sees them, worked out once and kept.

The encoder is a language model of 4 thousand million weights; with a bank at hand it is not needed. A bank is one .npz
file in the package's own form (``labels``: lower-case sentences, ``embeddings``: float16, N x 2560), named by its SHA-256.
"""

import hashlib
import io
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from quiz.grounding.base import EngineUnavailable

WIDTH = 2560
"""Numbers of one embedding. Source: the package, which can take no other."""

Vectors = Mapping[str, NDArray[np.float16]]


def key(sentence: str) -> str:
    """A sentence as the package looks it up: in lower case."""
    return sentence.lower()


def load(folder: Path) -> dict[str, NDArray[np.float16]]:
    """Every embedding in the folder's banks, by lower-case sentence; none if there is no bank yet.

    Raises EngineUnavailable for a file whose name is not its checksum, or that is no bank. Nothing is unpickled.
    """
    vectors: dict[str, NDArray[np.float16]] = {}
    for path in _files(folder):
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != path.stem:
            raise EngineUnavailable(
                f"The embedding bank {path} does not have the content that its name, its SHA-256, says; it was not used."
            )
        vectors |= _read(data, path)
    return vectors


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npz"))


def _read(data: bytes, path: Path) -> dict[str, NDArray[np.float16]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            labels, embeddings = arrays["labels"], arrays["embeddings"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise EngineUnavailable(f"{path} is no embedding bank: it has no readable labels and embeddings.") from error
    if labels.dtype.kind != "U" or embeddings.shape != (len(labels), WIDTH) or embeddings.dtype.kind != "f":
        raise EngineUnavailable(f"{path} is no embedding bank for VoxTell: one row of {WIDTH} numbers per sentence is.")
    if not np.isfinite(embeddings).all():
        raise EngineUnavailable(f"The embedding bank {path} holds values that are not numbers.")
    return {key(str(label)): row for label, row in zip(labels, embeddings.astype(np.float16), strict=True)}


def save(folder: Path, vectors: Vectors) -> Path:
    """Write the whole bank as one file, whole or not at all, and remove those it replaces. Returns where it lies."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = load(folder) | {key(label): np.asarray(row, dtype=np.float16) for label, row in vectors.items()}
    before = _files(folder)
    labels = sorted(everything)
    stream = io.BytesIO()
    np.savez(stream, labels=np.array(labels, dtype=np.str_), embeddings=np.stack([everything[one] for one in labels]))
    data = stream.getvalue()
    target = folder / f"{hashlib.sha256(data).hexdigest()}.npz"
    handle, temporary = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(temporary).replace(target)
    for path in before:
        if path != target:
            path.unlink(missing_ok=True)
    return target
