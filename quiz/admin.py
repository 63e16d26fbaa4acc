from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet

from quiz import jobs
from quiz.models import (
    Assignment,
    Attempt,
    CaseSet,
    CaseSetItem,
    Cohort,
    Grounding,
    HintModel,
    HintTaken,
    HintWorker,
    User,
)

# People sign in to the admin as everywhere: guesses are counted there, and a second factor is asked for.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]


@admin.register(User)
class SightlineUserAdmin(UserAdmin):
    list_display = ("username", "first_name", "last_name", "is_faculty", "is_demo", "is_active")
    list_filter = ("is_faculty", "is_demo", "is_active", "is_staff")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Sightline", {"fields": ("is_faculty", "is_demo")}))


@admin.register(Cohort)
class CohortAdmin(admin.ModelAdmin):
    list_display = ("name",)
    search_fields = ("name",)
    filter_horizontal = ("faculty", "members")


class CaseSetItemInline(admin.TabularInline):
    model = CaseSetItem
    raw_id_fields = ("finding",)
    extra = 0


@admin.register(CaseSet)
class CaseSetAdmin(admin.ModelAdmin):
    list_display = ("name", "owner", "mode", "created_at")
    search_fields = ("name",)
    inlines = (CaseSetItemInline,)


@admin.register(Assignment)
class AssignmentAdmin(admin.ModelAdmin):
    list_display = ("case_set", "cohort", "opens_at", "closes_at", "exam", "opinions")
    list_filter = ("cohort",)


class HintInline(admin.TabularInline):
    model = HintTaken
    extra = 0
    can_delete = False
    readonly_fields = ("rung", "kind", "text", "bits", "taken_at")


@admin.register(Attempt)
class AttemptAdmin(admin.ModelAdmin):
    """Answers are looked at here, never edited."""

    list_display = ("id", "user", "finding", "state", "verdict", "score", "submitted_at")
    list_filter = ("state", "verdict", "mode")
    search_fields = ("user__username", "finding__sentence")
    inlines = (HintInline,)

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False


@admin.register(HintModel)
class HintModelAdmin(admin.ModelAdmin):
    """Opinions of a model that is not active are not shown."""

    list_display = ("engine", "version", "active", "licence", "registered_at")
    list_editable = ("active",)
    readonly_fields = ("engine", "version", "registered_at")


@admin.register(Grounding)
class GroundingAdmin(admin.ModelAdmin):
    """The work of the models: what waits, runs and failed, and why."""

    list_display = ("model", "volume", "sentence", "state", "tries", "hit", "dice", "seconds", "reason")
    list_filter = ("state", "model")
    search_fields = ("sentence", "volume__name")
    list_select_related = ("model", "volume")
    actions = ("again",)

    @admin.action(description="Try the chosen ones again")
    def again(self, request: object, chosen: QuerySet[Grounding]) -> None:
        jobs.ask_again(chosen)

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False


@admin.register(HintWorker)
class HintWorkerAdmin(admin.ModelAdmin):
    list_display = ("name", "engines", "refused", "started_at", "seen_at")

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False
