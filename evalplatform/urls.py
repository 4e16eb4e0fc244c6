"""Every route of the site; each app owns its prefix."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from evalplatform.operations.views import metrics, readyz
from evalplatform.reports.views import plan_campaign

# One door: the admin's own would ask for no one-time code.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
_password = RedirectView.as_view(pattern_name="account_change_password")

urlpatterns = [
    path("", include("evalplatform.core.urls")),
    path("accounts/", include("evalplatform.accounts.urls")),
    path("annotate/flow/", include("evalplatform.flows.annotators_urls")),
    path("annotate/", include("evalplatform.annotation.urls")),
    path("crowd/", include("evalplatform.crowd.urls")),
    path("uploads/files/", include("evalplatform.uploads.urls")),
    path("uploads/", include("evalplatform.checkpoints.urls")),
    path("api/v1/", include("evalplatform.api.urls")),
    path("models/", include("evalplatform.reports.registry_urls")),
    path("", include("evalplatform.runs.urls")),
    path("campaigns/", include("evalplatform.exports.urls")),
    path("campaigns/", include("evalplatform.api.arm_urls")),
    path("campaigns/", include("evalplatform.reports.urls")),
    path("home/", include("evalplatform.overview.home_urls")),
    path("leaderboard/", include("evalplatform.overview.board_urls")),
    path("pools/", include("evalplatform.api.pool_urls")),
    path("pools/", include("evalplatform.overview.pool_urls")),
    path("prompts/", include("evalplatform.overview.prompt_urls")),
    path("projects/", include("evalplatform.webhooks.urls")),
    path("projects/", include("evalplatform.reports.project_urls")),
    path("feedback/", include("evalplatform.feedback.urls")),
    path("flows/", include("evalplatform.flows.urls")),
    path("generation/", include("evalplatform.generation.urls")),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("plan/", plan_campaign, name="plan_campaign"),
    path("admin/password_change/", _password),
    path("admin/", admin.site.urls),
]

handler400 = "evalplatform.core.error_pages.bad_request"
handler403 = "evalplatform.core.error_pages.forbidden"
handler404 = "evalplatform.core.error_pages.not_found"
handler500 = "evalplatform.core.error_pages.server_error"
