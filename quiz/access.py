"""Who may see what, as querysets: pages and API filter by these first and by primary key second."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from cases.models import Finding, FindingQuerySet
from quiz.models import Assignment, Attempt, AttemptQuerySet, CaseSet, Cohort, User

View = Callable[..., HttpResponseBase]


def faculty_required(view: View) -> View:
    """Signed in and faculty; anonymous visitors are sent to sign in, trainees get 403."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not getattr(request.user, "is_faculty", False):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


def findings_open_to(user: User) -> FindingQuerySet:
    """Findings this person may be asked now.

    What a teacher has assigned for later is held back from the members of that cohort until the assignment opens:
    practice would otherwise show the truth beforehand.
    """
    findings = Finding.objects.usable()
    if user.is_faculty:
        return findings
    later = Assignment.objects.filter(cohort__members=user, opens_at__gt=timezone.now())
    return findings.exclude(pk__in=later.values("case_set__findings"))


def attempts_of(user: User) -> AttemptQuerySet:
    return Attempt.objects.filter(user=user)


def assignments_of(user: User, now: datetime) -> QuerySet[Assignment]:
    """Assignments of my cohorts that have opened, closed ones included."""
    return Assignment.objects.filter(cohort__members=user, opens_at__lte=now).distinct()


def asked_elsewhere(attempt: Attempt) -> QuerySet[Assignment]:
    """Assignments that hold back an attempt: they are still to have this person's answer to its finding.

    Practice waits for every assignment, opened or to be opened: it shows the truth, and hints an exam does not give.
    What is assigned waits for an exam that is open; an exam waits for nothing.
    """
    user, now = attempt.user, timezone.now()
    answered = attempts_of(user).submitted().filter(finding=attempt.finding_id)
    asked = Assignment.objects.filter(cohort__members=user, case_set__findings=attempt.finding_id, closes_at__gt=now)
    if attempt.is_exam:
        return asked.none()
    if attempt.assignment is not None:
        asked = asked.filter(exam=True).exclude(pk=attempt.assignment.pk)
    if attempt.assignment is not None or user.is_faculty:
        asked = asked.filter(opens_at__lte=now)
    return asked.exclude(attempts__in=answered)


def may_paint_again(attempt: Attempt) -> bool:
    """May the finding of a submitted attempt be painted once more, as practice?

    What an exam asks only once it has closed; nothing that an assignment still asks, or will ask.
    """
    user, finding = attempt.user, attempt.finding
    exams = assignments_of(user, timezone.now()).filter(exam=True, closes_at__gt=timezone.now())
    if (
        exams.filter(case_set__findings=finding).exists()
        or asked_elsewhere(Attempt(user=user, finding=finding)).exists()
    ):
        return False
    return findings_open_to(user).filter(pk=finding.pk).exists()


def cohorts_of(faculty: User) -> QuerySet[Cohort]:
    return Cohort.objects.filter(faculty=faculty)


def case_sets_of(faculty: User) -> QuerySet[CaseSet]:
    return CaseSet.objects.filter(owner=faculty)


def case_sets_open_to(user: User) -> QuerySet[CaseSet]:
    """Case sets whose findings this person may list: their own, and those assigned to them that have opened."""
    assigned = assignments_of(user, timezone.now()).values("case_set")
    return CaseSet.objects.filter(Q(owner=user) | Q(pk__in=assigned))


def assignments_taught_by(faculty: User) -> QuerySet[Assignment]:
    return Assignment.objects.filter(cohort__faculty=faculty).distinct()


def attempts_taught_by(faculty: User) -> AttemptQuerySet:
    """Answers given within assignments to the cohorts this person teaches; practice stays private."""
    return Attempt.objects.filter(assignment__in=assignments_taught_by(faculty))
