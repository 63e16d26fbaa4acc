"""The page of numbers is made from the constants, and none is left out."""

import ast
import inspect
from pathlib import Path

from quiz.scoring import described, rules

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_docs_page_is_what_the_constants_say():
    written = (DOCS / "how-you-are-scored.md").read_text(encoding="utf-8")
    assert written == described.as_markdown(), "run: python -m quiz.scoring.described > docs/how-you-are-scored.md"


def test_every_number_of_the_rules_has_a_meaning():
    assigned = [
        statement.targets[0].id
        for statement in ast.parse(inspect.getsource(rules)).body
        if isinstance(statement, ast.Assign)
    ]
    assert [rule.name for rule in described.constants(rules)] == assigned
    assert all(len(rule.meaning) > 20 for rule in described.constants(rules))


def test_the_borders_of_the_benchmark_are_listed():
    official = {rule.name: rule.value for rule in dict(described.sections())["The official numbers"]}
    assert official["HIT_DICE"] == 0.1
    assert official["MATCH_DICE"] == 0.2
