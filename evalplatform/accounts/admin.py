from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from evalplatform.accounts.models import Annotator, User
from evalplatform.core.admin import AuditAdmin

admin.site.register(User, UserAdmin)


@admin.register(Annotator)
class AnnotatorAdmin(AuditAdmin):
    """Access keys stay out of sight: they would let an operator vote as somebody else."""

    list_display = ["pseudonym", "is_simulated", "created_at"]
    list_filter = ["is_simulated"]
    exclude = ["access_key"]
