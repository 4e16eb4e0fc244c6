from django.urls import path
from django.views.generic import RedirectView

from evalplatform.core import views

app_name = "core"
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="overview:home"), name="home"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("styleguide/", views.styleguide, name="styleguide"),
    path("healthz", views.healthz, name="healthz"),
]
