from django.contrib import admin

from cases.models import Category, Finding, Volume


class ReadOnlyAdmin(admin.ModelAdmin):
    """The library comes from imports; truth is looked at here, never edited."""

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False


@admin.register(Category)
class CategoryAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "focal", "annotated")


@admin.register(Volume)
class VolumeAdmin(ReadOnlyAdmin):
    list_display = ("name", "split", "size_k", "size_j", "size_i", "imported_at")
    list_filter = ("split",)
    search_fields = ("name",)


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ("sentence", "category", "volume", "exhaustive", "voxels", "side", "zone")
    list_filter = ("category", "exhaustive")
    search_fields = ("sentence", "volume__name")
