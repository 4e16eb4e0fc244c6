"""Counts and times requests by route, for Prometheus.

Several processes serve the site. Under gunicorn each keeps its numbers in files of one folder
(`core/gunicorn_config.py`), and whichever is scraped adds them up: prometheus_client's
multiprocess mode, which it chooses when it is imported. Elsewhere one process has them all.
"""

import os
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

# From a vote on a quiet machine to the statistics of half a million votes.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
REQUESTS = Counter(
    "evalplatform_http_requests",
    "Requests answered, by the route's name; `none` is an address that does not exist.",
    ["route", "method", "status"],
)
SECONDS = Histogram(
    "evalplatform_http_request_seconds",
    "From a request's arrival in Python to its answer; what a file or stream takes comes after.",
    ["route"],
    buckets=_BUCKETS,
)


class WebMetricsMiddleware:
    """Outermost, so that what other middleware answers is counted too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.perf_counter()
        response = self.get_response(request)
        route = _route(request)
        # A stranger may send any word as a method: each would be a series of its own.
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(route, method, str(response.status_code)).inc()
        SECONDS.labels(route).observe(time.perf_counter() - begun)
        return response


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is not None:
        return match.view_name or match.route
    return "static" if request.path.startswith(settings.STATIC_URL) else "none"


def web_registry() -> CollectorRegistry:
    """Return what all processes of this site have counted."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry
