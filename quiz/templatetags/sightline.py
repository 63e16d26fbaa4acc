"""Small pictures and words that templates share."""

from collections.abc import Sequence
from functools import cache

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from quiz.grounding.gates import how_sure

register = template.Library()

WIDTH, HEIGHT, PAD = 120, 28, 3


@register.simple_tag
def signup_open() -> bool:
    return bool(settings.SIGNUP_OPEN)


@register.filter
def percent(value: float | None) -> str:
    """A share as a percentage; a dash where nothing was judged."""
    return "–" if value is None else f"{value * 100:.0f} %"


@register.filter
def rate(passed: dict | None) -> str:
    """How many of those that could be judged were right, ``{"n", "rate"}``; a dash where none was."""
    if not passed or not passed["n"]:
        return "–"
    return format_html('{} <span class="dim">of {}</span>', percent(passed["rate"]), passed["n"])


register.filter("sure", how_sure)


@register.filter
def sentence_case(words: str) -> str:
    """Title Case as the rest of the site writes it: "Two-factor authentication". Words in capitals stay."""
    plain = [word if word.isupper() and len(word) > 1 else word.lower() for word in words.split()]
    return " ".join([word.capitalize() if n == 0 and word.islower() else word for n, word in enumerate(plain)])


@register.filter
def score(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


@register.filter
def dice(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


@cache
def _viewer_modules() -> list[str]:
    folder = settings.BASE_DIR / "static" / "viewer"
    return sorted(path.name for path in folder.glob("*.js") if not path.name.endswith("_worker.js"))


@register.simple_tag
def viewer_modules() -> SafeString:
    """The viewer's modules, asked for at once: found import by import they would take one round trip after the other."""
    links = ((static(f"viewer/{name}"),) for name in _viewer_modules())
    return format_html_join("\n", '<link rel="modulepreload" href="{}">', links)


@register.simple_tag
def slice_number(volume: object, k: int) -> int:
    """The number people read: 1 is the most superior."""
    return volume.size_k - int(k)  # type: ignore[attr-defined]


@register.simple_tag
def sparkline(points: Sequence[float]) -> SafeString | str:
    """Scores from 0 to 100, oldest first, as a small line; the latest is a dot."""
    if not points:
        return ""
    step = (WIDTH - 2 * PAD) / max(1, len(points) - 1)
    xs = [PAD + n * step for n in range(len(points))]
    ys = [HEIGHT - PAD - (HEIGHT - 2 * PAD) * point / 100 for point in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    words = f"Latest scores, oldest first: {', '.join(f'{point:.0f}' for point in points)}"
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
        '<polyline points="{}"></polyline><circle cx="{}" cy="{}" r="2.5"></circle></svg>',
        WIDTH, HEIGHT, words, words, line, f"{xs[-1]:.1f}", f"{ys[-1]:.1f}",
    )  # fmt: skip
