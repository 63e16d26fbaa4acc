"""How likely a partly annotated finding is complete, from what fully annotated findings of its kind look like."""

from collections.abc import Mapping

from quiz.scoring.rules import MOST_ASKED, PRIOR_DISCOUNT_OF_TWO, PRIOR_LEAST, PRIOR_SHRINK

Counts = Mapping[str, Mapping[int, int]]
"""Findings per category and number of annotated instances."""


def priors(full: Counts, partial: Counts) -> dict[tuple[str, int], float]:
    """Chance, by (category, number annotated), that a partial finding holds all there is. 0 where it is not listed.

    Among fully annotated findings of a category a share v has exactly n instances; among partial ones a share t shows
    n. Those that truly have n are a part of those that show n, so the chance is v / t. Where three are annotated the
    annotators stopped, and nothing is known: the chance is taken as 0.
    """
    if sum(sum(counts.values()) for counts in full.values()) < PRIOR_LEAST:
        return {}
    chances = {}
    for category in partial:
        for n in range(1, MOST_ASKED):
            own = _ratio(full.get(category, {}), partial[category], n)
            overall = _ratio(_pooled(full), _pooled(partial), n)
            weight = sum(full.get(category, {}).values())
            mixed = (weight * own + PRIOR_SHRINK * overall) / (weight + PRIOR_SHRINK)
            chances[category, n] = min(1.0, mixed * (PRIOR_DISCOUNT_OF_TWO if n == 2 else 1.0))
    return chances


def _pooled(counts: Counts) -> dict[int, int]:
    pooled: dict[int, int] = {}
    for by_number in counts.values():
        for n, findings in by_number.items():
            pooled[n] = pooled.get(n, 0) + findings
    return pooled


def _ratio(full: Mapping[int, int], partial: Mapping[int, int], n: int) -> float:
    shown = partial.get(n, 0) / max(1, sum(partial.values()))
    true = full.get(n, 0) / max(1, sum(full.values()))
    return min(1.0, true / shown) if shown else 0.0
