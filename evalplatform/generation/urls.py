from django.urls import path

from evalplatform.generation import views

app_name = "generation"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("<str:name>/", views.steer, name="steer"),
]
