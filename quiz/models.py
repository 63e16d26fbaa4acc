"""People, what they are asked, and what they answered."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from cases.imaging import masks
from cases.models import Finding, Volume

NAME_LETTERS = 120
"""Of a cohort or a case set."""


class User(AbstractUser):
    is_faculty = models.BooleanField(default=False, help_text="May make case sets, assign them and see results.")
    is_demo = models.BooleanField(default=False, help_text="Made by the demo; its password is public.")
    records_looks = models.BooleanField(default=True, help_text="What was on screen is kept with an answer.")


class Cohort(models.Model):
    """A group of trainees and the faculty who teach them."""

    name = models.CharField(max_length=NAME_LETTERS)
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

    name = models.CharField(max_length=NAME_LETTERS)
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


class Opinions(models.TextChoices):
    OFF = "off", "none"
    CHECKED = "checked", "only those that agree with the reference"
    RAW = "raw", "all of them, wrong ones included, to practise resisting"


class Assignment(models.Model):
    """A case set given to a cohort, from one time to another."""

    case_set = models.ForeignKey(CaseSet, on_delete=models.PROTECT, related_name="assignments")
    cohort = models.ForeignKey(Cohort, on_delete=models.CASCADE, related_name="assignments")
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    exam = models.BooleanField(default=False, help_text="An exam never shows a model's opinion.")
    opinions = models.CharField(
        max_length=8,
        choices=Opinions,
        default=Opinions.CHECKED,
        help_text="Which opinions of a model may be asked for.",
    )

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


FOUND = (Verdict.FOUND, Verdict.PARTLY)
"""Verdicts that count as found in every mode. The official hit is for outlines of the whole volume alone: a perfect
outline on one slice of a large finding is none."""


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


class AiOutcome(models.TextChoices):
    """What became of an answer after a model's opinion: the paint before it, the model, the paint after it.

    People are judged by their verdict, found or missed; the model by the official hit, which is what on target means.
    """

    RESCUED = "rescued", "Missed before, found after it; the model’s outline was on target"
    AGREED = "agreed", "Found before and after it; the model’s outline was on target"
    IGNORED = "ignored", "Missed before and after it, although the model’s outline was on target"
    DROPPED = "dropped", "Found before, missed after it, although the model’s outline was on target"
    RESISTED = "resisted", "Found before and after it, although the model’s outline was not on target (Dice below 0.1)"
    ALONE = "alone", "Missed before, found after it, although the model’s outline was not on target (Dice below 0.1)"
    MISLED = "misled", "Found before, missed after it; the model’s outline was not on target (Dice below 0.1)"
    BOTH_MISSED = (
        "both_missed",
        "Missed before and after it; the model’s outline was not on target either (Dice below 0.1)",
    )


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
    opinion_at = models.DateTimeField(null=True, blank=True, help_text="When a model's opinion was first taken.")
    unaided = models.BinaryField(null=True, help_text="Packed paint as it was just before that.")
    unaided_verdict = models.CharField(max_length=12, choices=Verdict, blank=True)
    ai_outcome = models.CharField(max_length=12, choices=AiOutcome, blank=True)
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

    @property
    def is_exam(self) -> bool:
        return self.assignment is not None and self.assignment.exam

    @property
    def opinions(self) -> str:
        """Which of a model's opinions this attempt may show, before and after submission. An exam shows none."""
        if self.assignment is None:
            return Opinions.CHECKED
        return Opinions.OFF if self.is_exam else self.assignment.opinions

    @property
    def found(self) -> bool | None:
        """Whether all or part of it was found; None before the answer, and where nothing could be judged."""
        return None if self.verdict in ("", Verdict.NOT_JUDGED) else self.verdict in FOUND

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
    source = models.CharField(max_length=12, default="reference", help_text="category, sentence, reference or model.")
    grounding = models.ForeignKey("Grounding", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    picture_key = models.CharField(max_length=200, blank=True, help_text="The heat or outline shown, in the store.")
    opinion = models.JSONField(null=True, blank=True, help_text="What was said of the model when it was shown.")
    taken_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["attempt", "rung"]
        constraints = [models.UniqueConstraint(fields=["attempt", "rung"], name="each_rung_once")]

    def __str__(self) -> str:
        return f"{self.attempt_id} rung {self.rung}"


# -- grounding models and their work ----------------------------------------------------------------------------------


class HintModel(models.Model):
    """One version of one engine. Workers register what they can run; the pages never load an engine."""

    engine = models.CharField(max_length=40)
    version = models.CharField(max_length=80)
    active = models.BooleanField(default=True, help_text="Its opinions are shown.")
    licence = models.CharField(max_length=200, blank=True)
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["engine", "registered_at", "id"]
        constraints = [models.UniqueConstraint(fields=["engine", "version"], name="one_row_per_engine_version")]

    def __str__(self) -> str:
        return f"{self.engine} {self.version}"


class Work(models.TextChoices):
    QUEUED = "queued", "waiting for a worker"
    RUNNING = "running", "being worked on"
    DONE = "done", "done"
    FAILED = "failed", "failed"


class Grounding(models.Model):
    """What one model says of one sentence on one scan, and the work of finding out: this row is the job.

    A worker owns it while ``state`` is running, ``worker`` is its token and ``lease_until`` lies ahead.
    """

    model = models.ForeignKey(HintModel, on_delete=models.CASCADE, related_name="groundings")
    volume = models.ForeignKey(Volume, on_delete=models.CASCADE, related_name="groundings")
    finding = models.ForeignKey(Finding, null=True, blank=True, on_delete=models.CASCADE, related_name="groundings")
    sentence = models.TextField()
    sentence_sha256 = models.CharField(max_length=64)
    # What it was worked out from; the work is done again when one of them changes.
    slices_key = models.CharField(max_length=160)
    truth_sha256 = models.CharField(max_length=64, blank=True)

    state = models.CharField(max_length=8, choices=Work, default=Work.QUEUED)
    priority = models.SmallIntegerField(default=0, help_text="Above 0: somebody is waiting.")
    tries = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True, help_text="Of this sentence's share of the scan's work.")
    reason = models.TextField(blank=True, help_text="Why it failed, or failed last time.")

    mask_key = models.CharField(max_length=200, blank=True)
    heat_key = models.CharField(max_length=200, blank=True)
    mask_ml = models.FloatField(null=True, blank=True)
    heat_ml = models.FloatField(null=True, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    asked = models.BooleanField(
        default=True, help_text="Off: the model was not set up to look for this; it says nothing."
    )
    # Against the reference, where there is one.
    checks = models.JSONField(default=dict, blank=True, help_text="Rung to whether it agrees with the reference.")
    official = models.JSONField(null=True, blank=True)
    dice = models.FloatField(null=True, blank=True)
    hit = models.BooleanField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["state", "-priority", "queued_at"], name="grounding_queue"),
            models.Index(fields=["model", "volume", "state"], name="grounding_by_volume"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["model", "finding"], condition=Q(finding__isnull=False), name="one_grounding_per_finding"
            ),
            models.UniqueConstraint(
                fields=["model", "volume", "sentence_sha256"],
                condition=Q(finding__isnull=True),
                name="one_grounding_per_question",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_id} on {self.volume_id}: {self.sentence[:40]} ({self.state})"

    @property
    def is_done(self) -> bool:
        return self.state == Work.DONE


class HintWorker(models.Model):
    """A worker process, as it last said of itself."""

    name = models.CharField(max_length=80, unique=True)
    engines = models.JSONField(default=list, help_text="Names, for people.")
    model_keys = models.JSONField(
        default=list, help_text="Keys of the hint models it runs: engines in one version each."
    )
    refused = models.JSONField(default=dict, help_text="Engine to why it cannot run there.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class EngineEvaluation(models.Model):
    """How good one version of one engine was on the findings here, when it was asked anew (``evaluate_grounder``)."""

    engine = models.CharField(max_length=40)
    version = models.CharField(max_length=80)
    split = models.CharField(max_length=20, blank=True, help_text="Empty: every split.")
    made_at = models.DateTimeField(auto_now_add=True)
    findings = models.PositiveIntegerField(help_text="Exhaustively annotated ones, of which the headline is.")
    report = models.JSONField()

    class Meta:
        ordering = ["-made_at", "-id"]
        indexes = [models.Index(fields=["engine", "version", "-made_at"], name="evaluation_newest")]

    def __str__(self) -> str:
        return f"{self.engine} {self.version}, {self.made_at:%Y-%m-%d}"


class Question(models.Model):
    """A sentence of somebody's own, asked of a model about the scan of a submitted attempt."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="questions")
    sentence = models.TextField()
    grounding = models.ForeignKey(Grounding, on_delete=models.CASCADE, related_name="questions")
    asked_at = models.DateTimeField(default=timezone.now)
    times = models.PositiveSmallIntegerField(default=1, help_text="How often it was asked; again only after a failure.")

    class Meta:
        ordering = ["-asked_at", "-id"]

    def __str__(self) -> str:
        return f"{self.attempt_id}: {self.sentence[:40]}"
