"""The only module that knows where bytes lie: slices, truth masks and what models mark, behind Django's storage API.

Names are content-addressed or versioned and written once, so a half-written import leaves files that nothing points to,
never rows that point to nothing. The store is below neither the static nor a media URL.
"""

import contextlib
import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from numpy.typing import NDArray

from cases.imaging import masks, slices
from cases.imaging.slices import Encoded, checksum

logger = logging.getLogger(__name__)


class AtomicFileSystemStorage(FileSystemStorage):
    """Local files that are there whole or not at all: written in a folder of their own, then renamed."""

    TEMPORARY = ".tmp"

    def _save(self, name: str, content: ContentFile) -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        file, temporary = self._claimed()
        try:
            with file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                temporary.replace(target)  # before it is closed: closing gives the lock away
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        return name

    def _claimed(self) -> tuple[IO[bytes], Path]:
        """A new temporary file, locked for as long as it is open; a process that dies lets go of it."""
        folder = Path(self.path(self.TEMPORARY))
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            handle, name = tempfile.mkstemp(dir=folder)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:  # else it was swept before it was locked
                return os.fdopen(handle, "wb"), Path(name)
            os.close(handle)

    def sweep(self) -> int:
        """Remove what processes that were killed left half-written. Returns the number of files removed."""
        removed = 0
        for path in Path(self.path(self.TEMPORARY)).glob("*"):
            with contextlib.suppress(OSError), path.open("rb") as file:  # its writer is at it, or has finished it
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
        return removed

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name  # a name says what the content is: writing it again writes the same bytes


def _store() -> Storage:
    return storages["volumes"]


@contextlib.contextmanager
def _errors_said() -> Iterator[None]:
    """Stores on the network have errors of their own; here they are all OSError, as those of a disk are."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"The store did not do it ({type(error).__name__}: {str(error)[:300]}).") from error


def _exists(name: str) -> bool:
    with _errors_said():
        return _store().exists(name)


def _delete(name: str) -> None:
    with _errors_said():
        _store().delete(name)


def _write(name: str, data: bytes) -> None:
    """Raises OSError if the store put it under another name: rows would point to nothing."""
    with _errors_said():
        kept_as = _store().save(name, ContentFile(data))
    if kept_as != name:
        _delete(kept_as)
        raise OSError(f"The store renames what it has already ({kept_as}); let it overwrite (file_overwrite).")


def _read(name: str) -> bytes:
    with _errors_said(), _store().open(name, "rb") as file:
        return file.read()


# -- slices -----------------------------------------------------------------------------------------------------------


def slices_key(volume: str, encoded: Sequence[Encoded]) -> str:
    """The folder of a volume's slices: slices of the same content always have the same, however they were packed."""
    return f"volumes/{volume}-{_digest(encoded)}"


def _digest(encoded: Iterable[Encoded]) -> str:
    return checksum(" ".join(one.content for one in encoded).encode())[:16]


def has_slices(key: str) -> bool:
    """True once every slice below the key has been written."""
    return _exists(f"{key}/complete.json")


def save_slices(key: str, encoded: Sequence[Encoded]) -> None:
    """Write every slice, k = 0 first; the list of them with their checksums, which says that they are complete, last."""
    for k, one in enumerate(encoded):
        _write(f"{key}/{k:04d}.gz", one.data)
    _write(f"{key}/complete.json", _index(encoded))


def _index(encoded: Sequence[Encoded]) -> bytes:
    return json.dumps({"slices": [[len(one.data), one.checksum] for one in encoded]}).encode()


def read_slice(key: str, k: int) -> bytes:
    """The stored bytes of slice k. Raises OSError if they are missing."""
    return _read(f"{key}/{k:04d}.gz")


def read_slices(key: str, ks: Iterable[int]) -> list[bytes]:
    """The stored bytes of some slices, b"" for those that are missing. Far stores are asked for all of them at once."""

    def read(k: int) -> bytes:
        try:
            return read_slice(key, k)
        except OSError as error:
            logger.error("slice %d below %s cannot be read: %s", k, key, error)
            return b""

    near = isinstance(_store(), FileSystemStorage)
    return list(map(read, ks) if near else _readers().map(read, ks))


@cache
def _readers() -> ThreadPoolExecutor:
    """Threads that stay: clients of object stores keep their connections by thread."""
    return ThreadPoolExecutor(16, "slices")


def load_voxels(key: str, size: tuple[int, int, int]) -> NDArray[np.int16]:
    """The whole volume, HU [k, j, i]. Raises OSError for a missing slice, SliceError for a damaged one."""
    voxels = np.empty(size, dtype=np.int16)
    for k in range(size[0]):
        voxels[k] = slices.decode(read_slice(key, k), rows=size[1], columns=size[2])
    return voxels


def damaged_slices(key: str, count: int) -> list[int]:
    """Slices that are missing or differ from the checksum written with them. Raises OSError without the list of them.

    What the slices hold is part of the key, so slices and list cannot be swapped together unnoticed.
    """
    listed = json.loads(_read(f"{key}/complete.json"))["slices"]
    if len(listed) != count:
        raise OSError("the list of slices belongs to another volume")
    bad, contents = [], []
    for k, (size, expected) in enumerate(listed):
        try:
            data = read_slice(key, k)
        except OSError:
            data = b""
        if len(data) != size or checksum(data) != expected:
            bad.append(k)
        contents.append(Encoded(data, expected))
    if not bad and not key.endswith(_digest(contents)):
        raise OSError("the list of slices belongs to another volume")
    return bad


def forget_slices(key: str) -> None:
    """Remove the list that says that the slices are complete: they can still be read, and are written again."""
    _delete(f"{key}/complete.json")


def drop_slices(key: str, count: int) -> None:
    """Remove a volume's slices, the list of them first."""
    for name in ["complete.json", *(f"{k:04d}.gz" for k in range(count))]:
        _delete(f"{key}/{name}")
    with contextlib.suppress(OSError):  # not every store has folders
        _delete(key)


def sweep() -> int:
    """Remove half-written files of killed processes, where the store can have them."""
    store = _store()
    return store.sweep() if isinstance(store, AtomicFileSystemStorage) else 0


# -- truth ------------------------------------------------------------------------------------------------------------


def truth_key(volume: str, channel: int, sha256: str) -> str:
    return f"truth/{volume}/{channel}-{sha256[:16]}.mask"


def has_truth(key: str) -> bool:
    return _exists(key)


def save_truth(key: str, packed: bytes) -> None:
    _write(key, packed)


def drop_truth(key: str) -> None:
    _delete(key)


def load_truth(key: str) -> masks.SparseMask:
    """Raises OSError if the file is missing, MaskError if it is damaged."""
    return masks.unpack(_read(key))


# -- what models mark -------------------------------------------------------------------------------------------------


def save_hint(volume: str, kind: str, data: bytes) -> str:
    """Keep a model's mask or heat ("mask", "heat"); the name, which is returned, says what the content is."""
    key = f"hints/{volume}/{checksum(data)}.{kind}"
    if not _exists(key):
        _write(key, data)
    return key


def load_hint(key: str) -> bytes:
    """Raises OSError if the file is missing."""
    return _read(key)
