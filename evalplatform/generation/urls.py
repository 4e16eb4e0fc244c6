from django.urls import path

from evalplatform.generation import views

app_name = "generation"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("<slug:name>/", views.steer, name="steer"),
]
