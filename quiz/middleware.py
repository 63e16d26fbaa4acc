"""Error pages in the site's own style, also for 405 and also while DEBUG is on for the demo."""

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)

PAGES = {
    400: ("That request could not be read", "Go back and try again; if it happens again, tell us what you did."),
    403: ("This is not yours to open", "Ask the person who teaches your cohort, or sign in with another account."),
    404: ("Nothing here", "The page may have moved, or it belongs to somebody else."),
    405: ("This address does not answer that", "It is part of a form; start from the page that holds the form."),
    429: ("That was a little fast", "Wait a minute and try again."),
}


class ErrorPagesMiddleware:
    """Replaces the body of an error answer for people; the API keeps its JSON, htmx gets the sentence it was sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        code = response.status_code
        if code not in PAGES or getattr(response, "explained", False):
            return response
        title, advice = PAGES[code]
        if request.path.startswith("/api/"):
            # The API explains itself; only what never reached it, such as a body over the limit, is a page here.
            is_page = response.headers.get("Content-Type", "").startswith("text/html")
            return JsonResponse({"detail": f"{title}. {advice}"}, status=code) if is_page else response
        page = render_to_string("error.html", {"code": code, "title": title, "advice": advice}, request=request)
        plain = HttpResponse(page, status=code)
        for header in ("Allow", "Retry-After"):
            if header in response.headers:
                plain[header] = response[header]
        return plain
