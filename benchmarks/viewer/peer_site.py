"""The peers' files, served as the product serves its own: gunicorn and WhiteNoise, compressed where that helps."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from whitenoise import WhiteNoise


def missing(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"not here"]


application = WhiteNoise(missing, root=os.environ["PEER_SITE"], max_age=31536000, allow_all_origins=False)
