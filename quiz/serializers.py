"""Shapes of the API. Explicit fields only: what is not named here does not leave the server."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.authtoken.serializers import AuthTokenSerializer

from cases.models import Category, Finding
from quiz import hints, opinions, questions
from quiz.models import Attempt, HintTaken, Mode, Question


class DetailSerializer(serializers.Serializer):
    detail = serializers.CharField()


class SignInSerializer(AuthTokenSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The password is checked by ``accounts.check_password``."""
        return attrs


class CategorySerializer(serializers.ModelSerializer):
    parent = serializers.CharField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    findings = serializers.IntegerField(source="open_findings", help_text="Findings open to me.")

    class Meta:
        model = Category
        fields = ["code", "name", "parent", "focal", "findings"]


class FindingSerializer(serializers.ModelSerializer):
    category = serializers.CharField(source="category_id")
    volume = serializers.IntegerField(source="volume_id")

    class Meta:
        model = Finding
        fields = ["id", "sentence", "category", "volume"]


class AskedFindingSerializer(serializers.ModelSerializer):
    category = serializers.CharField(source="category_id")

    class Meta:
        model = Finding
        fields = ["id", "sentence", "category"]


class MaskSerializer(serializers.Serializer):
    """The wire form of a mask (design section 4)."""

    size = serializers.ListField(child=serializers.IntegerField(), help_text="[K, J, I]")
    runs = serializers.DictField(child=serializers.ListField(child=serializers.IntegerField()))


class HintSerializer(serializers.ModelSerializer):
    class Meta:
        model = HintTaken
        fields = ["rung", "kind", "text", "bits", "source"]


class MeasuredSerializer(serializers.Serializer):
    n = serializers.IntegerField(help_text="Exhaustive findings of this category that it was measured on.")
    hit_rate = serializers.FloatField(allow_null=True, help_text="None: not measured yet.")
    dice = serializers.FloatField(allow_null=True)


class OpinionSerializer(serializers.Serializer):
    engine = serializers.CharField()
    version = serializers.CharField()
    confidence = serializers.FloatField(allow_null=True, help_text="The engine's own, 0 to 1; no probability.")
    checked = serializers.BooleanField(
        allow_null=True, help_text="Shown only because it agrees with the reference. None: it marks nothing."
    )
    measured = MeasuredSerializer()
    sentence = serializers.CharField()


class HeatSerializer(serializers.Serializer):
    size = serializers.ListField(child=serializers.IntegerField(), help_text="Cells along k, j, i.")
    step = serializers.ListField(child=serializers.IntegerField(), help_text="Voxels of a cell along k, j, i.")
    values = serializers.CharField(help_text="Base64 of one byte a cell, [k, j, i]; 255 is strongest.")


class ShownHintSerializer(HintSerializer):
    """A taken rung with what it draws: ``heat`` or ``outline`` (a wire mask), where it draws something."""

    opinion = OpinionSerializer(allow_null=True)
    heat = serializers.SerializerMethodField()
    outline = serializers.SerializerMethodField()

    class Meta(HintSerializer.Meta):
        fields = [*HintSerializer.Meta.fields, "opinion", "heat", "outline"]

    @extend_schema_field(HeatSerializer(allow_null=True))
    def get_heat(self, hint: HintTaken) -> dict[str, Any] | None:
        return hints.picture_of(hint).get("heat")

    @extend_schema_field(MaskSerializer(allow_null=True))
    def get_outline(self, hint: HintTaken) -> dict[str, Any] | None:
        return hints.picture_of(hint).get("outline") if hint.kind == "outline" else None


class InstancesSerializer(serializers.Serializer):
    tp = serializers.IntegerField()
    fp = serializers.IntegerField()
    fn = serializers.IntegerField()
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField()
    f1 = serializers.FloatField(allow_null=True)


class OfficialSerializer(serializers.Serializer):
    dice = serializers.FloatField()
    hit = serializers.BooleanField()
    instances = InstancesSerializer()


class VolumeMlSerializer(serializers.Serializer):
    painted = serializers.FloatField()
    truth = serializers.FloatField()


class ResultSerializer(serializers.Serializer):
    score = serializers.FloatField(allow_null=True)
    score_low = serializers.FloatField(allow_null=True)
    score_high = serializers.FloatField(allow_null=True)
    verdict = serializers.ChoiceField(choices=["found", "partly", "near", "missed", "not_judged"])
    find = serializers.FloatField(allow_null=True)
    extent = serializers.FloatField(allow_null=True)
    restraint = serializers.FloatField(allow_null=True)
    official = OfficialSerializer()
    volume_ml = VolumeMlSerializer()
    asked = serializers.IntegerField(help_text="Places that were asked for, at most three.")
    tolerance_mm = serializers.FloatField()
    completeness = serializers.FloatField(help_text="How likely the reference holds all there is, 0 to 1.")
    scorer_version = serializers.CharField()
    truth_version = serializers.IntegerField()
    feedback = serializers.ListField(child=serializers.CharField())


class AttemptSerializer(serializers.ModelSerializer):
    finding = AskedFindingSerializer()
    volume = serializers.IntegerField(source="finding.volume_id")
    hints = HintSerializer(many=True)
    assignment = serializers.IntegerField(source="assignment_id", allow_null=True)
    result = serializers.SerializerMethodField()

    class Meta:
        model = Attempt
        fields = [
            "id", "finding", "volume", "mode", "state", "assignment", "hints", "hint_bits", "opened_at", "submitted_at",
            "draft_saved_at", "draft_revision", "repeat", "confidence", "absent", "result", "error_type", "error_note",
        ]  # fmt: skip

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, attempt: Attempt) -> dict[str, Any] | None:
        return attempt.result if attempt.is_submitted else None


class OpenAttemptSerializer(serializers.Serializer):
    finding = serializers.IntegerField(min_value=1)
    mode = serializers.ChoiceField(choices=Mode.choices, required=False)
    assignment = serializers.IntegerField(min_value=1, required=False, allow_null=True)


class MaskField(serializers.JSONField):
    """A mask in the JSON form, or the bytes of the compact form; the service reads it, against the volume."""

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, bytes) else super().to_internal_value(data)


class DraftSerializer(serializers.Serializer):
    mask = MaskField(help_text='{"size": [K, J, I], "runs": {"<k>": [start, length, ...]}}')
    revision = serializers.IntegerField(
        min_value=0, required=False, help_text="The draft this one goes on from; another one since then is a conflict."
    )
    writer = serializers.RegexField(
        r"^[\w-]{1,40}$", required=False, help_text="Who paints; its own drafts are no conflict."
    )


class SubmissionSerializer(DraftSerializer):
    confidence = serializers.IntegerField(min_value=1, max_value=4, required=False, allow_null=True)
    absent = serializers.BooleanField(required=False, default=False)
    telemetry = serializers.JSONField(
        required=False, allow_null=True, help_text="What was on screen; left out if it does not fit (see /recorded/)."
    )


class SavedSerializer(serializers.Serializer):
    saved_at = serializers.DateTimeField()
    revision = serializers.IntegerField()


class ConflictSerializer(DetailSerializer):
    code = serializers.CharField(
        help_text="stale: painted elsewhere since; submitted; closed; answered; assigned: an assignment asks it."
    )
    revision = serializers.IntegerField(required=False, help_text="Of the draft that is stored.")


class TruthInstanceSerializer(serializers.Serializer):
    value = serializers.IntegerField()
    volume_ml = serializers.FloatField()
    centroid = serializers.ListField(child=serializers.FloatField(), help_text="[k, j, i]")
    largest_k = serializers.IntegerField()
    outcome = serializers.ChoiceField(choices=["found", "near", "missed"])


class TruthSerializer(serializers.Serializer):
    mask = MaskSerializer()
    painted = MaskSerializer()
    partial = serializers.BooleanField(  # type: ignore[assignment]
        help_text="Not every instance is annotated: some extra paint is not judged."
    )
    unjudged = MaskSerializer(help_text="Painted voxels that are not judged.")
    largest_k = serializers.IntegerField()
    instances = TruthInstanceSerializer(many=True)
    extras = serializers.ListField(child=serializers.DictField())
    model = MaskSerializer(allow_null=True)


class PartSerializer(serializers.Serializer):
    name = serializers.ChoiceField(choices=["find", "outline", "restraint", "score"])
    value = serializers.FloatField(allow_null=True)
    sentences = serializers.ListField(child=serializers.CharField())


class GradedBySerializer(serializers.Serializer):
    scorer_version = serializers.CharField()
    truth_version = serializers.IntegerField()


class NumberSerializer(serializers.Serializer):
    section = serializers.CharField()
    name = serializers.CharField()
    value = serializers.JSONField()
    meaning = serializers.CharField()


class ExplanationSerializer(serializers.Serializer):
    formula = serializers.CharField()
    parts = PartSerializer(many=True)
    areas = serializers.DictField(
        child=MaskSerializer(),
        help_text="What each voxel counted as: hit, missed, too_wide, wrong, near, not_judged, slip.",
    )
    graded_by = GradedBySerializer()
    numbers = NumberSerializer(many=True)


class CalibrationSerializer(serializers.Serializer):
    answers = serializers.IntegerField()
    stated = serializers.FloatField()
    actual = serializers.FloatField()
    brier = serializers.FloatField()


class ProgressSerializer(serializers.Serializer):
    category = serializers.CharField(source="code")
    name = serializers.CharField()
    attempts = serializers.IntegerField()
    found = serializers.IntegerField(help_text="Answers judged found or partly found, in any mode.")
    found_rate = serializers.FloatField(allow_null=True, help_text="Of the answers that could be judged.")
    hits = serializers.IntegerField(help_text="Official hits, which only answers in volume mode are made for.")
    hit_rate = serializers.FloatField(allow_null=True)
    mean_grade = serializers.FloatField(allow_null=True)
    mean_dice = serializers.FloatField(allow_null=True)
    mastery = serializers.ChoiceField(choices=["new", "learning", "mastered"])
    trend = serializers.ListField(child=serializers.FloatField())
    calibration = CalibrationSerializer(allow_null=True)


class WindowPresetSerializer(serializers.Serializer):
    name = serializers.CharField()
    level = serializers.IntegerField()
    width = serializers.IntegerField()


class ManifestSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    size = serializers.ListField(child=serializers.IntegerField())
    spacing_mm = serializers.ListField(child=serializers.FloatField())
    slices = serializers.CharField()
    slice_filter = serializers.CharField()
    window_presets = WindowPresetSerializer(many=True)
    credit = serializers.CharField()


class AskSerializer(serializers.Serializer):
    sentence = serializers.CharField(max_length=20_000, trim_whitespace=False)


class QuestionSerializer(serializers.ModelSerializer):
    """A question and how far its answer is; ``outline`` once it is done.

    The context, the same for every question of an attempt, is ``questions.for_all(attempt)``.
    """

    engine = serializers.CharField(source="grounding.model.engine")
    version = serializers.CharField(source="grounding.model.version")
    state = serializers.SerializerMethodField()
    detail = serializers.SerializerMethodField()
    note = serializers.SerializerMethodField()
    confidence = serializers.SerializerMethodField()
    outline = serializers.SerializerMethodField()

    class Meta:
        model = Question
        fields = ["id", "sentence", "asked_at", "engine", "version", "state", "detail", "note", "confidence", "outline"]

    def get_state(self, question: Question) -> str:
        """One of queued, running, done, not_asked, failed, no_worker."""
        return opinions.standing(question.grounding, alive=self.context["alive"]).state

    def get_detail(self, question: Question) -> str:
        return self.context["withheld"] or opinions.standing(question.grounding, alive=self.context["alive"]).sentence

    def get_note(self, question: Question) -> str:
        return "" if self.context["withheld"] else question.grounding.note

    def get_confidence(self, question: Question) -> float | None:
        return None if self.context["withheld"] else question.grounding.confidence

    @extend_schema_field(MaskSerializer(allow_null=True))
    def get_outline(self, question: Question) -> dict[str, Any] | None:
        return None if self.context["withheld"] else questions.outline_of(question)
