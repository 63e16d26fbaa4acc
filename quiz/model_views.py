"""Pages about a model's opinions: how far an answer is, a sentence of one's own, and how one deals with them."""

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from quiz import access, opinions, questions
from quiz import reliance as reads
from quiz.models import Attempt, Opinions, User


def _my_attempt(request: HttpRequest, pk: int) -> Attempt:
    mine = access.attempts_of(cast(User, request.user)).select_related("finding__volume", "assignment", "user")
    return get_object_or_404(mine, pk=pk)


@login_required
@require_GET
@never_cache
def hint_standing(request: HttpRequest, pk: int) -> HttpResponse:
    """How far the model's answer to an open attempt is; the fragment asks again by itself while that makes sense."""
    attempt = _my_attempt(request, pk)
    if not attempt.is_open or attempt.opinions == Opinions.OFF:
        raise Http404
    row = opinions.opinion_on(attempt.finding) or opinions.waiting_for(attempt.finding)
    return render(request, "quiz/_standing.html", {"attempt": attempt, "standing": opinions.standing(row)})


@login_required
@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """A sentence of one's own, after submission."""
    attempt = _my_attempt(request, pk)
    context: dict[str, object] = {"attempt": attempt}
    status, retry_after = 200, None
    try:
        questions.ask(attempt, request.POST.get("sentence", ""))
    except questions.QuestionRefused as error:
        context |= {"ask_refused": error.sentence, "asked": request.POST.get("sentence", "")[: questions.LONGEST]}
        status, retry_after = (429, error.retry_after) if error.retry_after else (409, None)
    if not request.htmx and status == 200:  # type: ignore[attr-defined]
        return redirect("attempt-detail", pk=attempt.pk)
    template = "quiz/_ask.html" if request.htmx else "quiz/refused.html"  # type: ignore[attr-defined]
    context |= {
        "questions": questions.of(attempt),
        "longest": questions.LONGEST,
        "sentence": context.get("ask_refused"),
    }
    response = render(request, template, context, status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    response.explained = True  # type: ignore[attr-defined]
    return response


@login_required
@require_GET
@never_cache
def question(request: HttpRequest, pk: int, question: int) -> HttpResponse:
    """One question and how far its answer is."""
    attempt = _my_attempt(request, pk)
    one = get_object_or_404(attempt.questions.select_related("grounding__model", "grounding__volume"), pk=question)
    return render(request, "quiz/_question.html", {"attempt": attempt, "one": questions.told(one)})


@login_required
@require_GET
@never_cache
def reliance(request: HttpRequest) -> HttpResponse:
    return render(request, "quiz/reliance.html", {"reliance": reads.reliance(cast(User, request.user))})
