"""The numbers of the scorer as people read them: docs/how-you-are-scored.md is written by this file.

.venv/bin/python -m quiz.scoring.described > docs/how-you-are-scored.md
"""

import ast
import inspect
import itertools
import sys
from dataclasses import dataclass
from types import ModuleType

from quiz.scoring import feedback, official, overlap, rules, surface

INTRODUCTION = """\
# How you are scored

Two kinds of numbers stand side by side. The **grade** is ours and is made to teach. The **official numbers** are exactly
those of the ReXGroundingCT benchmark, so that people and models can be compared.

    grade = 100 × find × (½ + ½ outline) × restraint

- **Find**: every place counts once, however large. A stray mark close to something you did not find earns a little.
- **Outline**: how much of your paint lies on the finding, and how much of the finding is painted, within a tolerance.
  In slice mode only the slices you painted are judged; in locate mode the outline is not.
- **Restraint**: marks that are known to be wrong cost. A mark is known to be wrong when every instance of the scan is
  annotated, when it lies on another finding that you have answered, or on the wrong side of the body.
- **Not judged**: in most training scans the reference marks at most about three places. Paint elsewhere may be right, so
  it is not judged, and the grade comes with the range it would have if those marks were all wrong or all right. How
  likely the reference is complete is counted from the scans of the library in which everything is annotated.
  Marks all over the lungs are no answer: beside something found, not more than five stay unjudged.
- **Diffuse findings** (emphysema, micronodules and the like) are compared in blocks of about a centimetre. Where the
  reference is not complete, blocks beside it are not judged, unless hardly any of the paint lies on it.

Every number of the scorer, version {version}, with where it comes from.
"""

SECTIONS: tuple[tuple[str, tuple[ModuleType, ...]], ...] = (
    ("The grade", (rules,)),
    ("The official numbers", (overlap, official)),
    ("What is said", (feedback,)),
    ("Surfaces", (surface,)),
)
"""Where constants are, under the title that people read."""


@dataclass(frozen=True)
class Rule:
    """One constant as people read it: the text below it in the code is its meaning."""

    name: str
    value: object
    meaning: str


def constants(module: ModuleType) -> list[Rule]:
    """Every constant of a module that has a text below it, in the order of the file."""
    found = []
    for statement, text in itertools.pairwise(ast.parse(inspect.getsource(module)).body):
        if not (isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)):
            continue
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name) and target.id.isupper():
            value = getattr(module, target.id)
            shown = ", ".join(sorted(value)) if isinstance(value, frozenset) else value
            found.append(Rule(target.id, shown, " ".join(str(text.value.value).split())))
    return found


def sections() -> list[tuple[str, list[Rule]]]:
    """Every constant of the scorer, under titles."""
    return [(title, [rule for module in modules for rule in constants(module)]) for title, modules in SECTIONS]


def as_markdown() -> str:
    text = INTRODUCTION.format(version=rules.SCORER_VERSION)
    for title, listed in sections():
        rows = [f"| {rule.name} | {rule.value} | {rule.meaning} |\n" for rule in listed]
        text += f"\n## {title}\n\n| number | value | meaning |\n| --- | --- | --- |\n" + "".join(rows)
    return text


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
