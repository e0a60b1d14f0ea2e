from django.contrib import admin

from generation.models import Checkpoint, Clip, Corpus, Job, TrainingRun


@admin.register(Corpus, TrainingRun, Checkpoint, Clip)
class MadeAdmin(admin.ModelAdmin):
    """To look at. What made a clip is not to be edited."""

    list_display = ["__str__", "owner", "created_at"]
    date_hierarchy = "created_at"

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(Job)
class JobAdmin(MadeAdmin):
    list_display = ["kind", "state", "owner", "created_at", "finished_at", "message"]
    list_filter = ["state", "kind"]
