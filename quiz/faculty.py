"""The teacher's pages: case sets, assignments, how a cohort did."""

import csv
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from cases.models import Finding
from quiz import access, assignments, evaluations, explanations, jobs
from quiz.access import faculty_required
from quiz.forms import AssignmentForm, CaseSetForm, ClosingForm, FindingSearchForm, local_input
from quiz.models import Assignment, CaseSet, EngineEvaluation, Mode, User

PAGE = 40


def _me(request: HttpRequest) -> User:
    return cast(User, request.user)


@faculty_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    me = _me(request)
    taught = access.assignments_taught_by(me).select_related("case_set", "cohort")
    context = {
        "cohorts": access.cohorts_of(me).prefetch_related("members"),
        "overviews": [assignments.overview(assignment) for assignment in taught.order_by("-closes_at")[:20]],
        "case_sets": access.case_sets_of(me).prefetch_related("items")[:20],
        "now": timezone.now(),
    }
    return render(request, "quiz/faculty/home.html", context)


@faculty_required
@require_GET
def cohort(request: HttpRequest, pk: int) -> HttpResponse:
    one = get_object_or_404(access.cohorts_of(_me(request)), pk=pk)
    overviews = [assignments.overview(a) for a in one.assignments.select_related("case_set", "cohort")]
    return render(request, "quiz/faculty/cohort.html", {"cohort": one, "overviews": overviews, "now": timezone.now()})


# -- case sets --------------------------------------------------------------------------------------------------------


@faculty_required
@require_GET
def case_sets(request: HttpRequest) -> HttpResponse:
    mine = access.case_sets_of(_me(request)).prefetch_related("items", "assignments__cohort")
    return render(request, "quiz/faculty/case_sets.html", {"case_sets": mine})


@faculty_required
@require_GET
def findings(request: HttpRequest) -> HttpResponse:
    """Results of a search, for the builder: htmx swaps them in as the form changes."""
    return render(request, "quiz/faculty/case_set.html#results", _search(request))


def _search(request: HttpRequest) -> dict[str, Any]:
    form = FindingSearchForm(request.GET)
    found = assignments.search_findings(**form.asked())
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return {"search": form, "page": page}


@faculty_required
@require_http_methods(["GET", "POST"])
def case_set_new(request: HttpRequest) -> HttpResponse:
    return _case_set_form(request, None)


@faculty_required
@require_http_methods(["GET", "POST"])
def case_set(request: HttpRequest, pk: int) -> HttpResponse:
    return _case_set_form(request, get_object_or_404(access.case_sets_of(_me(request)), pk=pk))


def _case_set_form(request: HttpRequest, existing: CaseSet | None) -> HttpResponse:
    form = CaseSetForm(request.POST or None, instance=existing)
    picked = _picked(request, existing)
    if request.method == "POST" and form.is_valid():
        asked = {name: form.cleaned_data[name] for name in ("name", "description", "mode")}
        try:
            if existing is None:
                saved = assignments.create_case_set(_me(request), **asked, findings=picked)
            else:
                fresh = access.case_sets_of(_me(request)).get(pk=existing.pk)
                saved = assignments.update_case_set(fresh, **asked, findings=picked)
        except assignments.AssignmentRefused as error:
            form.add_error(None, error.sentence)
        else:
            many = "1 finding" if len(picked) == 1 else f"{len(picked)} findings"
            messages.success(request, f"“{saved.name}” is saved with {many}.")
            return redirect("faculty-case-set", pk=saved.pk)
    begun = existing is not None and assignments.is_begun(existing)
    context = {"form": form, "case_set": existing, "begun": begun, "picked": picked, **_search(request)}
    return render(request, "quiz/faculty/case_set.html", context, status=422 if form.errors else 200)


def _picked(request: HttpRequest, existing: CaseSet | None) -> list[Finding]:
    """Findings in the order they were sent, or as they are stored."""
    if request.method != "POST":
        return [item.finding for item in existing.items.select_related("finding")] if existing else []
    sent = [int(pk) for pk in request.POST.getlist("finding") if pk.isdecimal()]
    known = Finding.objects.usable().in_bulk(sent)
    return [known[pk] for pk in dict.fromkeys(sent) if pk in known]


@require_POST
@faculty_required
def case_set_copy(request: HttpRequest, pk: int) -> HttpResponse:
    chosen = get_object_or_404(access.case_sets_of(_me(request)), pk=pk)
    made = assignments.copy_case_set(chosen, owner=_me(request))
    messages.success(request, f"This is “{made.name}”: nobody has begun it, so everything about it can be changed.")
    return redirect("faculty-case-set", pk=made.pk)


@faculty_required
@require_http_methods(["GET", "POST"])
def assign(request: HttpRequest, pk: int) -> HttpResponse:
    me = _me(request)
    chosen = get_object_or_404(access.case_sets_of(me), pk=pk)
    form = AssignmentForm(request.POST or None, faculty=me)
    if request.method == "POST" and form.is_valid():
        try:
            made = assignments.assign(chosen, by=me, **form.cleaned_data)
        except assignments.AssignmentRefused as error:
            form.add_error(None, error.sentence)
        else:
            return redirect("faculty-assignment", pk=made.pk)
    context = {"form": form, "case_set": chosen}
    return render(request, "quiz/faculty/assign.html", context, status=422 if form.errors else 200)


# -- results ----------------------------------------------------------------------------------------------------------


@faculty_required
@require_GET
def assignment(request: HttpRequest, pk: int) -> HttpResponse:
    one = _taught(request, pk)
    return _assignment_page(request, one, ClosingForm(initial={"closes_at": local_input(one.closes_at)}))


def _taught(request: HttpRequest, pk: int) -> Assignment:
    taught = access.assignments_taught_by(_me(request)).select_related("case_set", "cohort")
    return get_object_or_404(taught, pk=pk)


def _assignment_page(request: HttpRequest, one: Assignment, closing: ClosingForm) -> HttpResponse:
    context = {
        "overview": assignments.overview(one),
        "assignment": one,
        "open": one.is_open(timezone.now()),
        "whole": one.case_set.mode == Mode.VOLUME,
        "closing": closing,
    }
    return render(request, "quiz/faculty/assignment.html", context, status=422 if closing.errors else 200)


@require_POST
@faculty_required
def assignment_closing(request: HttpRequest, pk: int) -> HttpResponse:
    """Close it now, or at another time."""
    one, now = _taught(request, pk), timezone.now()
    form = ClosingForm(request.POST)
    if form.is_valid():
        closes_at = now if form.cleaned_data["now"] else form.cleaned_data["closes_at"]
        try:
            assignments.move_closing(one, closes_at=closes_at, now=now)
        except assignments.AssignmentRefused as error:
            form.add_error(None, error.sentence)
        else:
            return redirect("faculty-assignment", pk=one.pk)
    return _assignment_page(request, one, form)


class _Echo:
    """What csv.writer writes to: hands each line back."""

    def write(self, line: str) -> str:
        return line


@faculty_required
@require_GET
def assignment_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    one = get_object_or_404(access.assignments_taught_by(_me(request)), pk=pk)
    writer = csv.writer(_Echo())
    lines = (writer.writerow(row) for row in assignments.results_csv(one))
    name = f"{slugify(str(one.case_set)) or 'assignment'}-{one.pk}.csv"
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"},
    )


@faculty_required
@require_GET
def attempt(request: HttpRequest, pk: int) -> HttpResponse:
    """A member's submitted answer, in words, numbers and pictures of what was painted."""
    taught = access.attempts_taught_by(_me(request)).submitted()
    one = get_object_or_404(taught.select_related("finding__volume", "user", "assignment__case_set"), pk=pk)
    context = {"attempt": one, "finding": one.finding, "result": one.result, **explanations.page_of(one)}
    return render(request, "quiz/faculty/attempt.html", context)


# -- models -----------------------------------------------------------------------------------------------------------


@faculty_required
@require_GET
def models(request: HttpRequest) -> HttpResponse:
    """Every grounding model that is known here, and how good it was when it was last measured."""
    return render(request, "quiz/faculty/models.html", {"models": evaluations.overview(), "workers": jobs.workers()})


@faculty_required
@require_GET
def evaluation(request: HttpRequest, pk: int) -> HttpResponse:
    one = get_object_or_404(EngineEvaluation, pk=pk)
    return render(request, "quiz/faculty/evaluation.html", {"evaluation": one, "report": one.report})
