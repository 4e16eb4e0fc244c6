"""The page on which an arm joins an open campaign; it belongs to who keeps the jobs."""

from django.urls import path

from evalplatform.api import arm_pages

app_name = "arms"
urlpatterns = [path("<slug:slug>/arms/", arm_pages.add_arm, name="add")]
