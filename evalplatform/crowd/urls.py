from django.urls import path

from evalplatform.crowd import views

app_name = "crowd"
urlpatterns = [path("prolific/", views.prolific_webhook, name="prolific_webhook")]
