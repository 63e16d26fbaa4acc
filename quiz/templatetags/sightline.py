"""Small pictures and words that templates share."""

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

WIDTH, HEIGHT, PAD = 120, 28, 3


@register.filter
def percent(value: float | None) -> str:
    """A share as a percentage; a dash where nothing was judged."""
    return "–" if value is None else f"{value * 100:.0f} %"


@register.filter
def score(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


@register.filter
def dice(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


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
