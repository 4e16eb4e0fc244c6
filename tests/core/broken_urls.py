"""The site with one more page, which raises what a test puts into `RAISED`."""

from django.urls import path

from evalplatform import urls
from evalplatform.urls import handler400, handler403, handler404, handler500  # noqa: F401

RAISED: list[Exception] = []


def broken(request):
    raise RAISED[0]


urlpatterns = [path("broken/", broken), *urls.urlpatterns]
