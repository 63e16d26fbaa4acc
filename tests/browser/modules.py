"""A page that holds nothing but static/viewer, to run its modules in: no server, no database, no sign-in."""

import mimetypes
from pathlib import Path

STATIC = Path(__file__).parent.parent.parent / "static"
ORIGIN = "http://viewer.test"
HELP = """
/** [make(0), ..., make(n - 1)]. */
globalThis.times = (n, make) => Array.from({ length: n }, (_, at) => make(at));
/** A flat array as rows. */
globalThis.inRows = (flat, cols) => times(flat.length / cols, (row) => [...flat.slice(row * cols, (row + 1) * cols)]);
/** Every cell of a Bitmap, 0 or 1. */
globalThis.cellsOf = (bitmap) => times(bitmap.rows * bitmap.cols, (at) => Number(bitmap.has(at)));
/** Places of ones in a Bitmap. */
globalThis.ones = (bitmap) => cellsOf(bitmap).flatMap((on, at) => (on ? [at] : []));
"""


def open_modules(browser):
    """A page of ORIGIN, where "/viewer/<name>.js" can be imported."""
    page = browser.new_context().new_page()

    def serve(route):
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/":
            return route.fulfill(content_type="text/html", body="<!doctype html><title>modules</title>")
        file = STATIC / path.lstrip("/")
        if not file.is_file():
            return route.fulfill(status=404)
        kind = "text/javascript" if file.suffix == ".js" else mimetypes.guess_type(file.name)[0]
        return route.fulfill(content_type=kind, body=file.read_bytes())

    page.add_init_script(HELP)
    page.route(f"{ORIGIN}/**", serve)
    page.goto(f"{ORIGIN}/")
    return page
