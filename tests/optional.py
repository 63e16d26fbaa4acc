"""Packages that may be missing on a plain machine."""

import importlib
import os
from types import ModuleType

import pytest


def needed(name: str) -> ModuleType:
    """The module; where it is missing the test is skipped, or fails if REQUIRE_TORCH says that it must be there."""
    return required(name, "REQUIRE_TORCH")


def required(name: str, variable: str) -> ModuleType:
    """The module; where it is missing the test is skipped, or fails if the environment variable is 1."""
    if os.environ.get(variable) == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name)
