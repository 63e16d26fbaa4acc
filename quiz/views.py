"""The trainee's pages. Each view fetches among what this person may see, asks one service, and renders."""

from datetime import timedelta
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from cases.imaging import masks
from cases.manifest import manifest
from cases.models import Category, Volume
from quiz import access, attempts, explanations, hints, jobs, lessons, opinions, questions, telemetry
from quiz import progress as reads
from quiz.forms import SubmissionForm
from quiz.learning import looks, search
from quiz.models import Assignment, Attempt, Confidence, Mode, Opinions, User
from quiz.scoring import described, rules


def _me(request: HttpRequest) -> User:
    return cast(User, request.user)


def _my_attempt(request: HttpRequest, pk: int) -> Attempt:
    mine = access.attempts_of(_me(request)).select_related(
        "finding__volume", "finding__category", "assignment__case_set"
    )
    return get_object_or_404(mine, pk=pk)


# -- home and progress ------------------------------------------------------------------------------------------------


@require_GET
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return render(request, "quiz/landing.html")
    user, now = _me(request), timezone.now()
    mine = access.attempts_of(user).select_related("finding")
    open_now = dict(_counts(user))
    return render(
        request,
        "quiz/home.html",
        {
            "assignments": [_standing(user, assignment, now) for assignment in _assignments(user, now)],
            "categories": [(row, open_now.get(row.code, 0)) for row in reads.category_progress(user)],
            "totals": reads.totals(user),
            "unfinished": mine.opened().order_by("-opened_at")[:3],
            "recent": mine.submitted().order_by("-submitted_at")[:6],
        },
    )


def _assignments(user: User, now: Any) -> list[Assignment]:
    rows = access.assignments_of(user, now).select_related("case_set", "cohort")
    return sorted(rows, key=lambda row: (not row.is_open(now), row.closes_at))


def _standing(user: User, assignment: Assignment, now: Any) -> dict[str, Any]:
    total = assignment.case_set.items.count()
    done = access.attempts_of(user).submitted().filter(assignment=assignment).count()
    return {"assignment": assignment, "total": total, "done": done, "open": assignment.is_open(now)}


def _counts(user: User) -> list[tuple[str, int]]:
    grouped = access.findings_open_to(user).order_by().values("category_id")
    return list(grouped.annotate(n=Count("pk")).values_list("category_id", "n"))


@login_required
@require_GET
@never_cache
def progress(request: HttpRequest) -> HttpResponse:
    user = _me(request)
    history = access.attempts_of(user).submitted().select_related("finding").order_by("-submitted_at")[:50]
    context = {"rows": reads.category_progress(user), "totals": reads.totals(user), "history": history}
    return render(request, "quiz/progress.html", context)


@require_GET
def how_scored(request: HttpRequest) -> HttpResponse:
    """The page is generated from the constants, so that it cannot drift from the scorer."""
    return render(request, "quiz/how_scored.html", {"rules": rules, "sections": described.sections()})


@require_GET
def about(request: HttpRequest) -> HttpResponse:
    credits = Volume.objects.exclude(credit="").values_list("credit", "licence").distinct().order_by("credit")
    return render(request, "quiz/about.html", {"credits": credits})


# -- what is recorded ---------------------------------------------------------------------------------------------------


@require_GET
@never_cache
def recorded(request: HttpRequest) -> HttpResponse:
    """What we record, for anybody; what we hold of you, with the way to be rid of it."""
    user = request.user if request.user.is_authenticated else None
    kept = telemetry.kept(access.attempts_of(_me(request))) if user else Attempt.objects.none()
    answers = kept.select_related("finding__volume").order_by("-submitted_at")
    context = {"count": kept.count(), "answers": answers[:20], "search": search, "looks": looks}
    return render(request, "quiz/recorded.html", context)


@login_required
@require_POST
def recorded_forget(request: HttpRequest) -> HttpResponse:
    telemetry.forget(access.attempts_of(_me(request)))
    return redirect("recorded")


@login_required
@require_POST
def recorded_switch(request: HttpRequest) -> HttpResponse:
    telemetry.switch(_me(request), on=request.POST.get("keep") == "on")
    return redirect("recorded")


@login_required
@require_POST
def attempt_forget(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete what was on screen during one attempt."""
    attempt = _my_attempt(request, pk)
    telemetry.forget(access.attempts_of(_me(request)).filter(pk=attempt.pk))
    if request.POST.get("back") == "recorded":
        return redirect("recorded")
    return redirect("attempt-detail", pk=attempt.pk)


# -- starting ---------------------------------------------------------------------------------------------------------


@login_required
@require_POST
def practice_next(request: HttpRequest) -> HttpResponse:
    category = request.POST.get("category", "")
    finding = attempts.next_finding(_me(request), category=category)
    if finding is None:
        return render(request, "quiz/nothing.html", {"category": Category.objects.filter(pk=category).first()})
    return redirect("attempt-detail", pk=attempts.open_attempt(_me(request), finding).pk)


@login_required
@require_POST
def finding_open(request: HttpRequest, pk: int) -> HttpResponse:
    finding = get_object_or_404(access.findings_open_to(_me(request)), pk=pk)
    return redirect("attempt-detail", pk=attempts.open_attempt(_me(request), finding).pk)


@login_required
@require_GET
@never_cache
def assignment_detail(request: HttpRequest, pk: int) -> HttpResponse:
    user, now = _me(request), timezone.now()
    assignment = get_object_or_404(access.assignments_of(user, now).select_related("case_set"), pk=pk)
    mine = {a.finding_id: a for a in access.attempts_of(user).filter(assignment=assignment)}
    items = [(item, mine.get(item.finding_id)) for item in assignment.case_set.items.select_related("finding")]
    return render(request, "quiz/assignment.html", {**_standing(user, assignment, now), "items": items})


@login_required
@require_POST
def assignment_next(request: HttpRequest, pk: int) -> HttpResponse:
    user = _me(request)
    assignment = get_object_or_404(access.assignments_of(user, timezone.now()), pk=pk)
    finding = attempts.next_finding(user, assignment=assignment)
    if finding is None:
        return redirect("assignment-detail", pk=assignment.pk)
    try:
        attempt = attempts.open_attempt(user, finding, assignment=assignment)
    except attempts.AttemptRefused as error:
        return render(request, "quiz/refused.html", {"sentence": error.sentence}, status=409)
    return redirect("attempt-detail", pk=attempt.pk)


# -- the reading room -------------------------------------------------------------------------------------------------


JUST_OPENED = timedelta(seconds=30)
"""A page asked for within this time of the opening is the first one: what it logs of the screen is all there is."""

_MODES = [(mode.value, mode.label.split(":")[0]) for mode in Mode]


def _room(request: HttpRequest, attempt: Attempt) -> dict[str, Any]:
    scan = manifest(attempt.finding.volume)
    context: dict[str, Any] = {
        "attempt": attempt,
        "finding": attempt.finding,
        "volume": attempt.finding.volume,
        "manifest": scan,
        "first_slice": scan["slices"].replace("{k}", str(scan["size"][0] // 2)),
        "ladder": hints.ladder(attempt),
        "offered": hints.offered(attempt),
        "confidences": Confidence.choices,
    }
    if attempt.is_open:
        draft = attempt.draft_mask()
        context |= {"draft": masks.to_wire(draft) if draft else None, "modes": _MODES}
        context["just_opened"] = timezone.now() - attempt.opened_at < JUST_OPENED
    else:
        context |= {"result": attempt.result, "reveal": attempt.reveal, "looked": telemetry.summary(attempt)}
        context |= {"compared": opinions.compared(attempt), "lesson": lessons.lesson(attempt)}
        context["again"] = access.may_paint_again(attempt)
        if attempt.opinions != Opinions.OFF and opinions.has_models():
            context |= {"questions": questions.of(attempt), "longest": questions.LONGEST, "may_ask": True}
    if attempt.assignment:
        items = list(attempt.assignment.case_set.items.values_list("finding", flat=True))
        context |= {"position": items.index(attempt.finding_id) + 1, "total": len(items)}
    return context


@login_required
@require_GET
@never_cache
def attempt_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "quiz/attempt.html", _room(request, _my_attempt(request, pk)))


@login_required
@require_POST
def attempt_submit(request: HttpRequest, pk: int) -> HttpResponse:
    attempt = _my_attempt(request, pk)
    form = SubmissionForm(request.POST, request.FILES)
    if not form.is_valid():
        sentence = next(iter(form.errors.values()))[0]
        return _refused(request, attempt, str(sentence), status=400)
    answer = form.cleaned_data
    try:
        attempt = attempts.submit_attempt(
            attempt,
            payload=answer["mask"] if answer["paint"] is None else answer["paint"],
            confidence=answer["confidence"],
            absent=answer["absent"],
            looks=answer["telemetry"],
            revision=answer["revision"],
            writer=answer["writer"],
        )
    except attempts.AttemptRefused as error:
        status = 400 if error.code in ("bad_mask", "bad_answer") else 409
        response = _refused(request, attempt, error.sentence, status=status)
        response["Sightline-Refused"] = error.code
        if error.revision is not None:
            response["Sightline-Revision"] = str(error.revision)
        return response
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("attempt-detail", pk=attempt.pk)
    return render(request, "quiz/attempt.html#feedback", _room(request, attempt))


def _refused(request: HttpRequest, attempt: Attempt, sentence: str, *, status: int) -> HttpResponse:
    """The sentence beside the form; the paint stays in the page and in the draft."""
    template = "quiz/attempt.html#asking" if request.htmx else "quiz/refused.html"  # type: ignore[attr-defined]
    response = render(request, template, _room(request, attempt) | {"sentence": sentence}, status=status)
    # ErrorPagesMiddleware leaves this answer as it is.
    response.explained = True  # type: ignore[attr-defined]
    return response


@login_required
@require_GET
@never_cache
def attempt_explained(request: HttpRequest, pk: int) -> HttpResponse:
    """How it was scored, for the panel; asked for when it is opened. There is no such thing before submission."""
    attempt = _my_attempt(request, pk)
    if not attempt.is_submitted:
        raise Http404
    return render(request, "quiz/explained.html", {"attempt": attempt, "jumps": True} | explanations.page_of(attempt))


@login_required
@require_POST
def attempt_mode(request: HttpRequest, pk: int) -> HttpResponse:
    attempt = _my_attempt(request, pk)
    try:
        attempts.choose_mode(attempt, request.POST.get("mode", ""))
    except attempts.AttemptRefused as error:
        return _refused(request, attempt, error.sentence, status=400 if error.code == "bad_answer" else 409)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("attempt-detail", pk=attempt.pk)
    return render(request, "quiz/attempt.html#task", _room(request, attempt))


@login_required
@require_POST
def attempt_hint(request: HttpRequest, pk: int) -> HttpResponse:
    attempt = _my_attempt(request, pk)
    told: dict[str, Any] = {}
    status, retry_after = 200, ""
    try:
        hints.take_hint(attempt)
    except hints.HintRefused as error:
        told = {"hint_refused": error.sentence, "hint_waiting": error.waiting}
    except jobs.QueueFull as error:
        told, status, retry_after = {"hint_refused": error.sentence}, 429, str(error.retry_after)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("attempt-detail", pk=attempt.pk)
    attempt.refresh_from_db(fields=["hint_bits"])
    response = render(request, "quiz/attempt.html#hints", _room(request, attempt) | told, status=status)
    if retry_after:
        response["Retry-After"] = retry_after
    response.explained = True  # type: ignore[attr-defined]
    return response


@login_required
@require_POST
def attempt_next(request: HttpRequest, pk: int) -> HttpResponse:
    """On to the next finding: of the same assignment, else of the same practice."""
    attempt = _my_attempt(request, pk)
    user = _me(request)
    if attempt.assignment is not None:
        return assignment_next(request, pk=attempt.assignment.pk)
    finding = attempts.next_finding(user, category=attempt.finding.category_id)
    if finding is None or finding.pk == attempt.finding_id:
        finding = attempts.next_finding(user)
    if finding is None:
        return redirect(reverse("home"))
    return redirect("attempt-detail", pk=attempts.open_attempt(user, finding).pk)
