"""Every route of the site; each app owns its prefix."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("evalplatform.core.urls")),
    path("accounts/", include("evalplatform.accounts.urls")),
    path("annotate/", include("evalplatform.annotation.urls")),
    path("uploads/", include("evalplatform.checkpoints.urls")),
    path("checkpoints/", include("evalplatform.reports.registry_urls")),
    path("campaigns/", include("evalplatform.reports.urls")),
    path("admin/", admin.site.urls),
]
