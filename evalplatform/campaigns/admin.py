from django.contrib import admin

from evalplatform.campaigns.models import Campaign
from evalplatform.core.admin import AuditAdmin


@admin.register(Campaign)
class CampaignAdmin(AuditAdmin):
    list_display = ["slug", "status", "checkpoint_a", "checkpoint_b", "comparison_count",
                    "created_at", "opened_at", "closed_at", "protocol_sha256"]  # fmt: skip
    list_filter = ["status"]
    list_select_related = ["checkpoint_a", "checkpoint_b"]
    search_fields = ["slug", "checkpoint_a__name", "checkpoint_b__name", "protocol_sha256"]
