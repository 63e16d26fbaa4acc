"""What the demo needs besides cases: people, their cohort, and one assigned case set. Safe to repeat."""

from datetime import timedelta

from django.utils import timezone

from cases.models import Finding
from quiz import assignments
from quiz.models import CaseSet, Cohort, Mode, User

PASSWORD = "sightline-demo"  # noqa: S105 - public on purpose; a server with DEBUG off refuses to start with it

PEOPLE = (
    ("trainee", "Robin", "Trainee", False),
    ("faculty", "Sam", "Faculty", True),
)
ASSIGNED = 6


def make_people() -> list[User]:
    """The demo's trainee and teacher, in that order."""
    people = []
    for username, first, last, is_faculty in PEOPLE:
        user, made = User.objects.get_or_create(
            username=username,
            defaults={"first_name": first, "last_name": last, "is_faculty": is_faculty, "is_demo": True},
        )
        if made:
            user.set_password(PASSWORD)
            user.save()
        people.append(user)
    return people


def make_assignment() -> None:
    """A cohort of the two, and a first case set that is open for four weeks. Nothing if the teacher has one already."""
    trainee, teacher = make_people()
    cohort, _ = Cohort.objects.get_or_create(name="Residents, first year")
    cohort.faculty.add(teacher)
    cohort.members.add(trainee)
    if CaseSet.objects.filter(owner=teacher).exists():
        return
    # One of each category first, so that the first set shows the range.
    by_category: dict[str, Finding] = {}
    for finding in Finding.objects.usable().filter(exhaustive=True).order_by("pk"):
        by_category.setdefault(finding.category_id, finding)
    chosen = list(by_category.values())[:ASSIGNED]
    if not chosen:
        return
    case_set = assignments.create_case_set(
        teacher,
        name="First chest CTs",
        description="One finding of each kind to begin with.",
        mode=Mode.SLICE,
        findings=chosen,
    )
    now = timezone.now()
    assignments.assign(case_set, cohort=cohort, opens_at=now, closes_at=now + timedelta(weeks=4), by=teacher)
