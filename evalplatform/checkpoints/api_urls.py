from django.urls import path

from evalplatform.checkpoints import api_views

app_name = "api"
urlpatterns = [
    path("", api_views.checkpoint_list, name="checkpoints"),
    path("<slug:name>/", api_views.checkpoint, name="checkpoint"),
]
