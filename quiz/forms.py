"""What people send from pages, checked before a service sees it."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone

from cases.models import Category
from quiz import access
from quiz.models import CaseSet, Cohort, Confidence, Opinions, User


class SubmissionForm(forms.Form):
    """An answer from the reading room. The mask itself is checked by the service, against the volume.

    It comes as ``paint``, a file in the compact form, or as ``mask``, JSON.
    """

    paint = forms.FileField(required=False, allow_empty_file=True)
    mask = forms.CharField(max_length=8_000_000, required=False)
    confidence = forms.TypedChoiceField(choices=Confidence.choices, coerce=int, empty_value=None, required=False)
    absent = forms.BooleanField(required=False)
    revision = forms.IntegerField(min_value=0, required=False)
    writer = forms.CharField(max_length=40, required=False)
    telemetry = forms.CharField(max_length=500_000, required=False)

    def clean_paint(self) -> bytes | None:
        sent = self.cleaned_data["paint"]
        if sent is None:
            return None
        if sent.size > settings.MAX_MASK_BYTES:
            raise forms.ValidationError("The mask is too large; no painted mask is.")
        data: bytes = sent.read()
        return data

    def clean_mask(self) -> Any:
        try:
            return json.loads(self.cleaned_data["mask"] or "null")
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError("The mask is not JSON; reload the page, your draft is kept.") from error

    def clean_telemetry(self) -> Any:
        """An answer never fails for what is sent beside it."""
        try:
            return json.loads(self.cleaned_data["telemetry"] or "null")
        except (ValueError, RecursionError):
            return None

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not self.errors and given.get("paint") is None and given.get("mask") is None:
            raise forms.ValidationError("The page sent no mask; reload it, your draft is kept.")
        return given


class FindingSearchForm(forms.Form):
    category = forms.ChoiceField(required=False)
    words = forms.CharField(required=False, max_length=200, label="Words in the sentence")
    smallest_mm = forms.FloatField(required=False, min_value=0, label="Size from (mm)")
    largest_mm = forms.FloatField(required=False, min_value=0, label="to (mm)")
    exhaustive = forms.BooleanField(required=False, label="Only fully annotated scans")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        annotated = Category.objects.filter(annotated=True).values_list("code", "name")
        choices = [("", "All categories"), *((code, f"{code} {name}") for code, name in annotated)]
        self.fields["category"].choices = choices  # type: ignore[attr-defined]

    def asked(self) -> dict[str, Any]:
        """Arguments of the search; what was not filled in, or not well, does not narrow it."""
        self.is_valid()
        given = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        given["exhaustive"] = True if given.get("exhaustive") else None
        return given


class CaseSetForm(forms.ModelForm):
    class Meta:
        model = CaseSet
        fields = ["name", "description", "mode"]
        widgets = {"description": forms.Textarea(attrs={"rows": 2})}


def local_input(moment: Any) -> str:
    """A moment as an input of local time holds it."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M")


EXAM = "An exam shows no model’s opinion, and of the hints only the words that are free."


class AssignmentForm(forms.Form):
    cohort = forms.ModelChoiceField(queryset=Cohort.objects.none())
    opens_at = forms.DateTimeField(label="Opens", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    closes_at = forms.DateTimeField(label="Closes", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    opinions = forms.ChoiceField(
        choices=Opinions.choices, initial=Opinions.CHECKED, required=False, label="Opinions of a model",
        help_text="They come after a trainee’s own first mark, with the model’s record beside them.",
    )  # fmt: skip
    exam = forms.BooleanField(required=False, label="Exam", help_text=EXAM)

    def clean_opinions(self) -> str:
        return self.cleaned_data["opinions"] or Opinions.CHECKED

    def __init__(self, *args: Any, faculty: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cohort"].queryset = access.cohorts_of(faculty)  # type: ignore[attr-defined]
        now = timezone.now()
        self.fields["opens_at"].initial = local_input(now)
        self.fields["closes_at"].initial = local_input(now + timedelta(days=14))


class ClosingForm(forms.Form):
    """When an assignment closes; ``now`` closes it at once, whatever time the form holds."""

    closes_at = forms.DateTimeField(
        required=False, label="Closes", widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    now = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not self.errors and not given.get("now") and given.get("closes_at") is None:
            raise forms.ValidationError("Say when it closes.")
        return given
