"""The engines there are, by name. Each is imported when it is asked for: torch is heavy, and may be missing."""

from collections.abc import Callable
from importlib import import_module

from quiz.grounding.base import EngineUnavailable, Grounder

_WHERE: dict[str, str] = {
    "text": "quiz.grounding.text:make",
    "classical": "quiz.grounding.classical:make",
    "tiny": "quiz.grounding.tiny:make",
    "combined": "quiz.grounding.combined:make",
    "voxtell": "quiz.grounding.voxtell:make",
    "voxtell-http": "quiz.grounding.voxtell_http:make",
}
"""Name of an engine to "module:callable"; the callable takes options by keyword and gives the engine."""


def names() -> list[str]:
    """Every engine that could be asked for, here or on another machine."""
    return list(_WHERE)


def make(name: str, **options: object) -> Grounder:
    """The engine of that name, ready to work. Raises EngineUnavailable with a sentence if it cannot be had here."""
    if name not in _WHERE:
        raise EngineUnavailable(f"There is no engine {name!r}; there are {', '.join(names()) or 'none'}.")
    module, _, maker = _WHERE[name].partition(":")
    make_it: Callable[..., Grounder] = getattr(import_module(module), maker)
    return make_it(**options)
