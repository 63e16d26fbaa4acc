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

from quiz.grounding.base import EngineError, EngineUnavailable

WIDTH = 2560
"""Numbers of one embedding. Source: the package, which can take no other."""

LOOKS = 5
"""How often a bank is looked at that other workers keep replacing while it is read. Source: our choice."""

Vectors = Mapping[str, NDArray[np.float16]]


def key(sentence: str) -> str:
    """A sentence as the package looks it up: in lower case."""
    return sentence.lower()


def load(folder: Path) -> dict[str, NDArray[np.float16]]:
    """Every embedding in the folder's banks, by lower-case sentence; none if there is no bank yet.

    Raises EngineUnavailable for a file whose name is not its checksum, that is no bank or cannot be read. Nothing is
    unpickled.
    """
    try:
        for _ in range(LOOKS):
            try:
                return _load(folder)
            except FileNotFoundError:  # another worker has replaced it, and did so before it removed the old one
                continue
    except OSError as error:
        raise EngineUnavailable(f"The embedding bank cannot be read ({error.strerror}).") from error
    raise EngineUnavailable("The embedding bank was replaced again and again while it was read. Try it once more.")


def _load(folder: Path) -> dict[str, NDArray[np.float16]]:
    vectors: dict[str, NDArray[np.float16]] = {}
    for path in _files(folder):
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != path.stem:
            raise EngineUnavailable(
                f"The embedding bank {path.name} does not have the content that its name, its SHA-256, says; it was not used."
            )
        vectors |= _read(data, path.name)
    return vectors


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npz"))


def _read(data: bytes, name: str) -> dict[str, NDArray[np.float16]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            labels, embeddings = arrays["labels"], arrays["embeddings"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise EngineUnavailable(f"{name} is no embedding bank: it has no readable labels and embeddings.") from error
    if labels.dtype.kind != "U" or embeddings.shape != (len(labels), WIDTH) or embeddings.dtype.kind != "f":
        raise EngineUnavailable(f"{name} is no embedding bank for VoxTell: one row of {WIDTH} numbers per sentence is.")
    if not np.isfinite(embeddings).all():
        raise EngineUnavailable(f"The embedding bank {name} holds values that are not numbers.")
    return {key(str(label)): row for label, row in zip(labels, embeddings.astype(np.float16), strict=True)}


def save(folder: Path, vectors: Vectors) -> Path:
    """Write the whole bank as one file, whole or not at all, and remove those it replaces. Returns where it lies.

    Raises EngineError if it cannot be written, EngineUnavailable as ``load``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = _files(folder)  # listed before they are read: what another worker adds meanwhile is not removed unread
        return _replace(folder, before, load(folder) | {key(label): row for label, row in vectors.items()})
    except OSError as error:
        raise EngineError(f"Embedded sentences cannot be kept in the embedding bank ({error.strerror}).") from error


def _replace(folder: Path, before: list[Path], vectors: Vectors) -> Path:
    labels = sorted(vectors)
    rows = np.stack([np.asarray(vectors[one], dtype=np.float16) for one in labels])
    stream = io.BytesIO()
    np.savez(stream, labels=np.array(labels, dtype=np.str_), embeddings=rows)
    data = stream.getvalue()
    target = folder / f"{hashlib.sha256(data).hexdigest()}.npz"
    handle, temporary = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    for path in before:
        if path != target:
            path.unlink(missing_ok=True)
    return target
