from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from evalplatform.accounts.models import Annotator, User

admin.site.register(User, UserAdmin)


@admin.register(Annotator)
class AnnotatorAdmin(admin.ModelAdmin):
    """Access keys stay out of sight: they would let an operator vote as somebody else."""

    list_display = ["pseudonym", "is_simulated", "created_at"]
    list_filter = ["is_simulated"]
    readonly_fields = ["pseudonym", "is_simulated", "simulated_behaviour", "created_at"]
    exclude = ["access_key"]
