from django.urls import path

from evalplatform.overview import pool_views

app_name = "curation"
urlpatterns = [
    path("", pool_views.pool_list, name="list"),
    path("<slug:name>/", pool_views.pool, name="pool"),
    path("<slug:name>/open/", pool_views.open_next, name="open"),
    path("<slug:name>/close/<slug:kind>/", pool_views.close, name="close"),
]
