from django.contrib import admin

from evalplatform.annotation.models import Exclusion, Vote
from evalplatform.core.admin import AuditAdmin


@admin.register(Vote)
class VoteAdmin(AuditAdmin):
    """Every stored answer, those taken back, excluded or given to checks among them."""

    list_display = ["pk", "campaign", "purpose", "annotator", "form", "answer", "grades",
                    "voted_at", "response_time_ms", "is_simulated", "retracted_at",
                    "excluded_by"]  # fmt: skip
    list_filter = ["is_simulated", "form", "assignment__purpose", "assignment__campaign"]
    list_select_related = ["assignment__campaign", "annotator", "exclusion"]
    raw_id_fields = ["assignment", "annotator", "exclusion"]
    search_fields = ["annotator__pseudonym", "assignment__campaign__slug"]

    @admin.display(ordering="assignment__campaign")
    def campaign(self, vote: Vote) -> str:
        return str(vote.assignment.campaign)

    @admin.display(ordering="assignment__purpose")
    def purpose(self, vote: Vote) -> str:
        return vote.assignment.get_purpose_display()

    @admin.display(ordering="exclusion")
    def excluded_by(self, vote: Vote) -> str:
        return vote.exclusion.rule if vote.exclusion else ""


@admin.register(Exclusion)
class ExclusionAdmin(AuditAdmin):
    list_display = ["pk", "enrolment", "rule", "detail", "decided_at", "revoked_at"]
    list_filter = ["rule", "enrolment__campaign"]
    list_select_related = ["enrolment__annotator", "enrolment__campaign"]
    search_fields = ["enrolment__annotator__pseudonym", "detail"]
