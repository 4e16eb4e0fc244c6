from django.urls import path

from evalplatform.overview import views

app_name = "leaderboard"
urlpatterns = [path("", views.leaderboard, name="leaderboard")]
