"""People, what they are asked, and what they answered."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from cases.imaging import masks
from cases.models import Finding


class User(AbstractUser):
    is_faculty = models.BooleanField(default=False, help_text="May make case sets, assign them and see results.")
    is_demo = models.BooleanField(default=False, help_text="Made by the demo; its password is public.")
    records_looks = models.BooleanField(default=True, help_text="What was on screen is kept with an answer.")


class Cohort(models.Model):
    """A group of trainees and the faculty who teach them."""

    name = models.CharField(max_length=120)
    faculty = models.ManyToManyField(User, related_name="cohorts_taught", blank=True)
    members = models.ManyToManyField(User, related_name="cohorts", blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Mode(models.TextChoices):
    LOCATE = "locate", "Locate: tap each place"
    SLICE = "slice", "Slice: outline it where it is largest"
    VOLUME = "volume", "Volume: outline it on every slice"


class CaseSet(models.Model):
    """Findings chosen by a teacher, in an order."""

    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="case_sets")
    mode = models.CharField(max_length=8, choices=Mode, default=Mode.SLICE)
    findings = models.ManyToManyField(Finding, through="CaseSetItem", related_name="case_sets")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name


class CaseSetItem(models.Model):
    case_set = models.ForeignKey(CaseSet, on_delete=models.CASCADE, related_name="items")
    finding = models.ForeignKey(Finding, on_delete=models.PROTECT)
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["case_set", "position"]
        constraints = [models.UniqueConstraint(fields=["case_set", "finding"], name="finding_once_per_case_set")]

    def __str__(self) -> str:
        return f"{self.case_set_id}:{self.position}"


class Assignment(models.Model):
    """A case set given to a cohort, from one time to another."""

    case_set = models.ForeignKey(CaseSet, on_delete=models.PROTECT, related_name="assignments")
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="assignments")
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["closes_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(closes_at__gt=models.F("opens_at")), name="assignment_closes_after_opening"
            )
        ]

    def __str__(self) -> str:
        return f"{self.case_set} for {self.cohort}"

    def has_opened(self, now: datetime) -> bool:
        return self.opens_at <= now

    def is_open(self, now: datetime) -> bool:
        return self.opens_at <= now < self.closes_at


class State(models.TextChoices):
    OPENED = "opened", "opened"
    SUBMITTED = "submitted", "submitted"


class Verdict(models.TextChoices):
    FOUND = "found", "Found"
    PARTLY = "partly", "Partly found"
    NEAR = "near", "Near"
    MISSED = "missed", "Missed"
    NOT_JUDGED = "not_judged", "Not judged"


class ErrorType(models.TextChoices):
    """Why an instance was missed, from what was on screen (quiz.learning.search)."""

    SEARCH = "search", "never on screen"
    BRIEF = "brief", "on screen too briefly"
    WINDOW = "window", "only in a window that hides it"
    SMALL = "small", "too small on screen"
    RECOGNITION = "recognition", "looked at and not recognised"


class Confidence(models.IntegerChoices):
    GUESS = 1, "Guess"
    UNSURE = 2, "Unsure"
    FAIRLY = 3, "Fairly sure"
    SURE = 4, "Sure"


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def opened(self) -> "AttemptQuerySet":
        return self.filter(state=State.OPENED)

    def submitted(self) -> "AttemptQuerySet":
        return self.filter(state=State.SUBMITTED)

    def counted(self) -> "AttemptQuerySet":
        """What progress is made of: first answers to a finding, before its truth was ever shown."""
        return self.submitted().filter(repeat=False)


class Attempt(models.Model):
    """One trainee, one finding, one try: opened, then submitted once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="attempts")
    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="attempts")
    assignment = models.ForeignKey(Assignment, null=True, blank=True, on_delete=models.PROTECT, related_name="attempts")
    mode = models.CharField(max_length=8, choices=Mode, default=Mode.SLICE)
    state = models.CharField(max_length=10, choices=State, default=State.OPENED)
    repeat = models.BooleanField(default=False, help_text="The trainee had already been shown this truth.")
    opened_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)

    draft = models.BinaryField(null=True, help_text="Packed painted mask, not yet submitted.")
    draft_saved_at = models.DateTimeField(null=True, blank=True)
    draft_revision = models.PositiveIntegerField(default=0, help_text="How often the draft was saved.")
    draft_writer = models.CharField(
        max_length=40, blank=True, help_text="The tab that saved it last, as it named itself."
    )

    painted = models.BinaryField(null=True, help_text="Packed painted mask, as submitted.")
    confidence = models.PositiveSmallIntegerField(null=True, blank=True, choices=Confidence)
    absent = models.BooleanField(default=False, help_text="The trainee answered: not present.")
    telemetry = models.JSONField(null=True, blank=True, help_text="What was on screen (quiz.learning.looks).")
    error_type = models.CharField(max_length=12, choices=ErrorType, blank=True)
    error_note = models.TextField(blank=True, help_text="The same in one sentence, for the trainee.")
    answer_sha256 = models.CharField(max_length=64, blank=True)

    verdict = models.CharField(max_length=12, choices=Verdict, blank=True)
    score = models.FloatField(null=True, blank=True, help_text="0-100, or nothing if it cannot be judged.")
    score_low = models.FloatField(null=True, blank=True)
    score_high = models.FloatField(null=True, blank=True)
    judged_weight = models.FloatField(null=True, blank=True)
    dice = models.FloatField(null=True, blank=True)
    hit = models.BooleanField(null=True, blank=True)
    hint_bits = models.FloatField(default=0)
    result = models.JSONField(null=True, blank=True, help_text="As the API gives it.")
    reveal = models.JSONField(null=True, blank=True, help_text="Outcome of each instance and of each extra mark.")
    scorer_version = models.CharField(max_length=20, blank=True)
    truth_version = models.PositiveIntegerField(null=True, blank=True)

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-id"]
        indexes = [models.Index(fields=["user", "state", "submitted_at"], name="attempt_user_history")]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "finding"],
                condition=Q(state="opened", assignment__isnull=True),
                name="one_open_practice_attempt",
            ),
            models.UniqueConstraint(
                fields=["user", "finding", "assignment"],
                condition=Q(assignment__isnull=False),
                name="one_attempt_per_assignment",
            ),
            models.CheckConstraint(
                condition=Q(state="opened", submitted_at__isnull=True)
                | Q(state="submitted", submitted_at__isnull=False),
                name="submitted_means_dated",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} on {self.finding_id} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state == State.OPENED

    @property
    def is_submitted(self) -> bool:
        return self.state == State.SUBMITTED

    def draft_mask(self) -> masks.SparseMask | None:
        return masks.unpack(bytes(self.draft)) if self.draft else None

    def painted_mask(self) -> masks.SparseMask:
        """What was submitted; an empty mask for the answer "not present"."""
        return masks.unpack(bytes(self.painted)) if self.painted else masks.empty(self.finding.volume.size)


class PastGrade(models.Model):
    """A grade that an attempt had before it was graded again by other rules or against another truth."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="past_grades")
    replaced_at = models.DateTimeField(auto_now_add=True)
    verdict = models.CharField(max_length=12, choices=Verdict)
    score = models.FloatField(null=True)
    score_low = models.FloatField(null=True)
    score_high = models.FloatField(null=True)
    judged_weight = models.FloatField(null=True)
    dice = models.FloatField(null=True)
    hit = models.BooleanField(null=True)
    result = models.JSONField(null=True)
    reveal = models.JSONField(null=True)
    scorer_version = models.CharField(max_length=20)
    truth_version = models.PositiveIntegerField()

    class Meta:
        ordering = ["attempt", "replaced_at"]

    def __str__(self) -> str:
        return f"{self.attempt_id} by version {self.scorer_version}, truth {self.truth_version}"


class HintTaken(models.Model):
    """One rung of the ladder, as it was shown: the words stay even if the hints change later."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="hints")
    rung = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=16)
    text = models.TextField()
    bits = models.FloatField(help_text="Bits of location given away.")
    taken_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["attempt", "rung"]
        constraints = [models.UniqueConstraint(fields=["attempt", "rung"], name="each_rung_once")]

    def __str__(self) -> str:
        return f"{self.attempt_id} rung {self.rung}"
