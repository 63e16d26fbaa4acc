"""A VoxTell model's folder, known by its checksum before anything in it is used.

The package unpickles the checkpoint and imports the classes that the plans name: to load such a folder is to run what is
in it. So it is loaded only if it is, to the byte, the one that an administrator has named.
"""

import hashlib
import hmac
from pathlib import Path

from quiz.grounding.base import EngineUnavailable

FILES = ("plans.json", "fold_0/checkpoint_final.pth")
"""All that the package reads of the folder."""

_CHUNK = 1 << 22


def checksum(folder: Path) -> str:
    """SHA-256, in hexadecimal, of what ``sha256sum plans.json fold_0/checkpoint_final.pth`` prints in the folder.

    Raises EngineUnavailable if a file is missing or cannot be read.
    """
    lines = hashlib.sha256()
    for name in FILES:
        content = hashlib.sha256()
        try:
            with (folder / name).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    content.update(chunk)
        except OSError as error:
            raise EngineUnavailable(
                f"{folder} is no VoxTell model: {name} cannot be read ({error.strerror})."
            ) from error
        lines.update(f"{content.hexdigest()}  {name}\n".encode())
    return lines.hexdigest()


def verify(folder: Path, expected: str) -> str:
    """The checksum of the folder, if it is the expected one. Raises EngineUnavailable otherwise; nothing is loaded."""
    found = checksum(folder)
    if not expected:
        raise EngineUnavailable(
            f"Loading a VoxTell model runs code from its folder, so its checksum has to be named. If {folder} comes from "
            f"where you trust, set VOXTELL_SHA256={found}"
        )
    if not hmac.compare_digest(found, expected.strip().lower()):
        raise EngineUnavailable(
            f"{folder} is not the model that VOXTELL_SHA256 names (its checksum is {found[:16]}...); it was not loaded."
        )
    return found
