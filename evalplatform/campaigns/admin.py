from django.contrib import admin

from evalplatform.campaigns.models import Campaign
from evalplatform.core.admin import AuditAdmin


@admin.register(Campaign)
class CampaignAdmin(AuditAdmin):
    list_display = ["slug", "status", "arm_names", "design", "item_count",
                    "created_at", "opened_at", "closed_at", "protocol_sha256"]  # fmt: skip
    list_filter = ["status"]
    search_fields = ["slug", "arms__checkpoint__name", "protocol_sha256"]

    @admin.display(description="arms")
    def arm_names(self, campaign: Campaign) -> str:
        return ", ".join(arm.name for arm in campaign.arms.select_related("checkpoint"))
