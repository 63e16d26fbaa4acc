"""The only module that knows where bytes lie: slices and truth masks, behind Django's storage API.

Names are content-addressed or versioned and written once, so a half-written import leaves files that nothing points to,
never rows that point to nothing. The store is below neither the static nor a media URL.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from cases.imaging import masks


class AtomicFileSystemStorage(FileSystemStorage):
    """Local files that are there whole or not at all: temporary name, flush to disk, rename."""

    def _save(self, name: str, content: ContentFile) -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".tmp-")
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
            Path(temporary).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name  # a name says what the content is: writing it again writes the same bytes


def _store() -> Storage:
    return storages["volumes"]


def _write(name: str, data: bytes) -> None:
    _store().save(name, ContentFile(data))


def _read(name: str) -> bytes:
    with _store().open(name, "rb") as file:
        return file.read()


# -- slices -----------------------------------------------------------------------------------------------------------


def has_slices(key: str) -> bool:
    """True once every slice below the key has been written."""
    return _store().exists(f"{key}/complete.json")


def save_slices(key: str, slices: Iterable[bytes]) -> int:
    """Write the stored form of each slice, k = 0 first; the list that says they are complete comes last. Returns bytes."""
    sizes = []
    for k, data in enumerate(slices):
        _write(f"{key}/{k:04d}.gz", data)
        sizes.append(len(data))
    _write(f"{key}/complete.json", json.dumps({"sizes": sizes}).encode())
    return sum(sizes)


def read_slice(key: str, k: int) -> bytes:
    """The stored bytes of slice k. Raises OSError if they are missing."""
    return _read(f"{key}/{k:04d}.gz")


# -- truth ------------------------------------------------------------------------------------------------------------


def truth_key(volume: str, channel: int, sha256: str) -> str:
    return f"truth/{volume}/{channel}-{sha256[:16]}.mask"


def save_truth(key: str, packed: bytes) -> None:
    _write(key, packed)


def load_truth(key: str) -> masks.SparseMask:
    """Raises OSError if the file is missing, MaskError if it is damaged."""
    return masks.unpack(_read(key))
