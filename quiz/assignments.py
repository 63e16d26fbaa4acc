"""Case sets, their assignment to cohorts, and how a cohort did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from cases.models import Finding, FindingQuerySet
from quiz.models import NAME_LETTERS, Assignment, Attempt, CaseSet, CaseSetItem, Cohort, Opinions, User


class AssignmentRefused(Exception):
    """A case set or assignment that cannot be made as asked; ``sentence`` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


# -- making -----------------------------------------------------------------------------------------------------------


def search_findings(
    *,
    category: str = "",
    words: str = "",
    smallest_mm: float | None = None,
    largest_mm: float | None = None,
    exhaustive: bool | None = None,
) -> FindingQuerySet:
    """Findings a teacher may choose from. Every word must occur; sizes are those of the largest instance."""
    findings = Finding.objects.usable().select_related("volume", "category")
    if category:
        findings = findings.filter(category_id=category)
    for word in words.split():
        findings = findings.filter(sentence__icontains=word)
    if smallest_mm is not None:
        findings = findings.filter(diameter_mm__gte=smallest_mm)
    if largest_mm is not None:
        findings = findings.filter(diameter_mm__lte=largest_mm)
    if exhaustive is not None:
        findings = findings.filter(exhaustive=exhaustive)
    return findings.order_by("category_id", "pk")


def create_case_set(
    owner: User, *, name: str, description: str = "", mode: str, findings: Sequence[Finding]
) -> CaseSet:
    """Make a case set with its findings in the order given."""
    _check_findings(findings)
    with transaction.atomic():
        case_set = CaseSet(owner=owner, name=name, description=description, mode=mode)
        case_set.full_clean()
        case_set.save()
        _put_items(case_set, findings)
    return case_set


def update_case_set(
    case_set: CaseSet, *, name: str, description: str = "", mode: str, findings: Sequence[Finding]
) -> CaseSet:
    """Change a case set. Once somebody has begun an assignment of it, only its name and description may change."""
    _check_findings(findings)
    begun = is_begun(case_set)
    asked = [finding.pk for finding in findings]
    if begun and (mode != case_set.mode or asked != list(case_set.items.values_list("finding", flat=True))):
        raise AssignmentRefused(
            "Somebody has begun this case set, so its findings and mode stay as they are; make a copy to change them."
        )
    with transaction.atomic():
        case_set.name, case_set.description, case_set.mode = name, description, mode
        case_set.full_clean()
        case_set.save()
        if not begun:
            case_set.items.all().delete()
            _put_items(case_set, findings)
    return case_set


def is_begun(case_set: CaseSet) -> bool:
    """Whether somebody has opened a finding of one of its assignments."""
    return Attempt.objects.filter(assignment__case_set=case_set).exists()


def copy_case_set(case_set: CaseSet, *, owner: User) -> CaseSet:
    """A case set of the same findings in the same order, which nobody has begun."""
    findings = [item.finding for item in case_set.items.select_related("finding")]
    ending = " (copy)"
    name = case_set.name[: NAME_LETTERS - len(ending)] + ending
    return create_case_set(owner, name=name, description=case_set.description, mode=case_set.mode, findings=findings)


def _check_findings(findings: Sequence[Finding]) -> None:
    if not findings:
        raise AssignmentRefused("A case set needs at least one finding.")
    if len({finding.pk for finding in findings}) != len(findings):
        raise AssignmentRefused("A finding can be in a case set only once.")


def _put_items(case_set: CaseSet, findings: Sequence[Finding]) -> None:
    CaseSetItem.objects.bulk_create(
        CaseSetItem(case_set=case_set, finding=finding, position=position)
        for position, finding in enumerate(findings, start=1)
    )


def assign(
    case_set: CaseSet,
    *,
    cohort: Cohort,
    opens_at: datetime,
    closes_at: datetime,
    by: User,
    opinions: str = Opinions.CHECKED,
    exam: bool = False,
) -> Assignment:
    """Give a case set to a cohort from one time to another. Only teachers of the cohort may.

    opinions: which of a model's opinions trainees may ask for. An exam shows none, and is not made if it asks for all.
    """
    if exam and opinions == Opinions.RAW:
        raise AssignmentRefused(
            "An exam shows no opinion of a model. Choose “none” of them, or do not make it an exam."
        )
    if closes_at <= opens_at:
        raise AssignmentRefused("The assignment must close after it opens.")
    if not cohort.faculty.filter(pk=by.pk).exists():
        raise AssignmentRefused("You do not teach that cohort.")
    return Assignment.objects.create(
        case_set=case_set, cohort=cohort, opens_at=opens_at, closes_at=closes_at, created_by=by,
        opinions=Opinions.OFF if exam else opinions, exam=exam,
    )  # fmt: skip


def move_closing(assignment: Assignment, *, closes_at: datetime, now: datetime) -> Assignment:
    """Close an assignment at another time, or now. Nothing else about it changes: an exam stays the exam it was."""
    if closes_at <= assignment.opens_at:
        raise AssignmentRefused("The assignment must close after it opens.")
    if closes_at < now:
        raise AssignmentRefused("That time has passed. To end the assignment, close it now.")
    if assignment.exam and now < closes_at < assignment.closes_at and assignment.attempts.exists():
        raise AssignmentRefused("Somebody has begun this exam: it can be closed now or given more time, not less.")
    assignment.closes_at = closes_at
    assignment.save(update_fields=["closes_at"])
    return assignment


# -- looking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MemberRow:
    """How one member stands; ``cells`` holds their attempt at each finding in order, or None. hits: official ones."""

    user: User
    started: int
    finished: int
    total: int
    found: int
    hits: int
    mean_grade: float | None
    last_at: datetime | None
    cells: list[Attempt | None]


@dataclass(frozen=True)
class FindingColumn:
    """How the cohort did on one finding. Rates are None until somebody finished it; the hit rate is the official one."""

    finding: Finding
    finished: int
    found_rate: float | None
    hit_rate: float | None
    mean_grade: float | None


@dataclass(frozen=True)
class AssignmentOverview:
    assignment: Assignment
    rows: list[MemberRow]
    findings: list[FindingColumn]

    @property
    def started(self) -> int:
        return sum(row.started > 0 for row in self.rows)

    @property
    def finished(self) -> int:
        return sum(row.total > 0 and row.finished == row.total for row in self.rows)


def overview(assignment: Assignment) -> AssignmentOverview:
    """Members by findings, in three queries however many there are. People who left the cohort keep their row."""
    findings = [item.finding for item in assignment.case_set.items.select_related("finding__category")]
    attempts = list(Attempt.objects.filter(assignment=assignment).select_related("user").defer("draft", "painted"))
    people = {user.pk: user for user in assignment.cohort.members.all()} | {a.user_id: a.user for a in attempts}
    by_place = {(attempt.user_id, attempt.finding_id): attempt for attempt in attempts}
    rows = [
        _member_row(user, [by_place.get((user.pk, finding.pk)) for finding in findings])
        for user in sorted(people.values(), key=lambda user: (user.last_name, user.first_name, user.username))
    ]
    columns = [_finding_column(finding, [a for a in attempts if a.finding_id == finding.pk]) for finding in findings]
    return AssignmentOverview(assignment, rows, columns)


def _member_row(user: User, cells: list[Attempt | None]) -> MemberRow:
    begun = [attempt for attempt in cells if attempt]
    done = [attempt for attempt in begun if attempt.is_submitted]
    return MemberRow(
        user=user,
        started=len(begun),
        finished=len(done),
        total=len(cells),
        found=sum(bool(attempt.found) for attempt in done),
        hits=sum(bool(attempt.hit) for attempt in done),
        mean_grade=_mean_grade(done),
        last_at=max((attempt.submitted_at or attempt.opened_at for attempt in begun), default=None),
        cells=cells,
    )


def _finding_column(finding: Finding, attempts: list[Attempt]) -> FindingColumn:
    done = [attempt for attempt in attempts if attempt.is_submitted]
    found = [attempt.found for attempt in done if attempt.found is not None]
    hits = [bool(attempt.hit) for attempt in done]
    return FindingColumn(finding, len(done), _share(found), _share(hits), _mean_grade(done))


def _share(answers: Sequence[bool]) -> float | None:
    return sum(answers) / len(answers) if answers else None


def _mean_grade(done: Sequence[Attempt]) -> float | None:
    """Mean of the scores, weighted by how much of each answer could be judged."""
    judged = [(attempt.score, attempt.judged_weight or 0.0) for attempt in done if attempt.score is not None]
    weight = sum(w for _, w in judged)
    return sum(score * w for score, w in judged) / weight if weight else None


CSV_HEADER = [
    "username", "name", "position", "category", "finding", "state", "verdict", "score", "score_low", "score_high",
    "dice", "hit", "found", "hint_bits", "ai_outcome", "confidence", "not_present", "seen_before", "opened_at",
    "submitted_at", "scorer_version", "truth_version",
]  # fmt: skip


def results_csv(assignment: Assignment) -> Iterator[list[object]]:
    """Rows for a spreadsheet, header first: every member by every finding, those not begun included."""
    table = overview(assignment)
    yield list(CSV_HEADER)
    for row in table.rows:
        for position, (column, attempt) in enumerate(zip(table.findings, row.cells, strict=True), start=1):
            finding = column.finding
            who = [row.user.username, row.user.get_full_name(), position, finding.category_id, finding.sentence]
            yield [_plain(value) for value in who + _csv_answer(attempt)]


def _csv_answer(attempt: Attempt | None) -> list[object]:
    if attempt is None:
        return ["not begun", *[""] * 16]
    values: list[object] = [
        attempt.state, attempt.verdict, attempt.score, attempt.score_low, attempt.score_high, attempt.dice,
        attempt.hit, attempt.found, attempt.hint_bits, attempt.ai_outcome, attempt.confidence, attempt.absent,
        attempt.repeat, attempt.opened_at.isoformat(),
        attempt.submitted_at.isoformat() if attempt.submitted_at else "", attempt.scorer_version,
        attempt.truth_version,
    ]  # fmt: skip
    return ["" if value is None else value for value in values]


def _plain(value: object) -> object:
    """A cell that a spreadsheet will not run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
