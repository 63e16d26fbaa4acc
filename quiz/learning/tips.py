"""Ways of searching for which there is evidence, said where they would have helped."""

NODULES = frozenset({"2c", "2d"})
DRILLING = (
    "A way to search: keep your eyes on one part of a lung, scroll through it, then take the next. In a study of 19 "
    "residents that found 16.3 nodules on average, where looking over whole slices found 10.7."
)
"""Source: the study of scanners and drillers among residents (grading proposal, 3.11 no. 6)."""


def tip(category: str, verdict: str) -> str:
    """One sentence or two, or "": a tip without evidence is left to teachers."""
    return DRILLING if category in NODULES and verdict == "missed" else ""
