from django.urls import path

from evalplatform.overview import pool_views, scoring_pages

app_name = "curation"
urlpatterns = [
    path("", pool_views.pool_list, name="list"),
    path("scoring/<slug:name>/steer/", scoring_pages.steer, name="steer"),
    path("<slug:name>/", pool_views.pool, name="pool"),
    path("<slug:name>/open/", pool_views.open_next, name="open"),
    path("<slug:name>/close/<slug:kind>/", pool_views.close, name="close"),
]
