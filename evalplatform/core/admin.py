"""The operators' admin: accounts are managed there, everything else is only looked at."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

admin.site.site_title = "evalplatform"
admin.site.site_header = "evalplatform: accounts and audit"
admin.site.index_title = "Accounts, and what is stored (to look at, not to change)"


class AuditAdmin(admin.ModelAdmin):
    """Rows to look at, newest first: what is stored is changed by services alone."""

    actions = None
    ordering = ["-pk"]
    show_full_result_count = False  # counting millions of votes twice helps nobody
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
