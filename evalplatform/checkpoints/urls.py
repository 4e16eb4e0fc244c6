from django.urls import path

from evalplatform.checkpoints import views

app_name = "checkpoints"
urlpatterns = [
    path("", views.uploads, name="uploads"),
    path("<uuid:identifier>/", views.upload, name="upload"),
    path("<uuid:identifier>/status/", views.upload_status, name="upload_status"),
]
