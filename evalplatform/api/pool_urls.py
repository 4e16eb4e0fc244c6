"""The pages of pools that are asked for; they belong to who keeps the jobs."""

from django.urls import path

from evalplatform.api import pool_pages

app_name = "asked_pools"
# Of two parts: a pool may have any word as its name.
urlpatterns = [
    path("asked/for/", pool_pages.asked_pools, name="list"),
    path("asked/for/new/", pool_pages.new_pool, name="new"),
]
