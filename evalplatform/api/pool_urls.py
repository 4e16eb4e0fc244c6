"""The page of pools that were asked for; it belongs to who keeps the jobs."""

from django.urls import path

from evalplatform.api import pool_pages

app_name = "asked_pools"
# Of two parts: a pool may have any word as its name.
urlpatterns = [path("asked/for/", pool_pages.asked_pools, name="list")]
