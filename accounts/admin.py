from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from accounts.models import Change, Researcher


@admin.register(Researcher)
class ResearcherAdmin(UserAdmin):
    """The administration writes its own log too; ours is the one that people read."""

    def log_addition(self, request, obj, message):
        Change.objects.note(request.user, "made the account", obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request, obj, message):
        Change.objects.note(request.user, "changed the account", obj)
        return super().log_change(request, obj, message)

    def log_deletions(self, request, queryset):
        for researcher in queryset:
            Change.objects.note(request.user, "deleted the account", researcher)
        return super().log_deletions(request, queryset)
