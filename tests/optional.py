"""Packages that may be missing on a plain machine."""

import importlib
import os
from types import ModuleType

import pytest


def needed(name: str) -> ModuleType:
    """The module; where it is missing the test is skipped, or fails if REQUIRE_TORCH says that it must be there."""
    if os.environ.get("REQUIRE_TORCH") == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name)
