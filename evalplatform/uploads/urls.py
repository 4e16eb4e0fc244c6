from django.urls import path

from evalplatform.uploads import views

app_name = "uploads"
urlpatterns = [
    path("", views.files, name="files"),
    path("<uuid:identifier>/", views.file, name="file"),
]
