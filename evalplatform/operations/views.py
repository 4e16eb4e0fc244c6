"""What those who run the installation ask for: readiness, and figures for Prometheus."""

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from evalplatform.accounts.projects import is_operator
from evalplatform.operations.health import is_ready
from evalplatform.operations.metrics import CONTENT_TYPE, metrics_text
from evalplatform.operations.readiness import LATEST


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "")
    expected = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given.encode(), expected.encode())


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 where visitors can be sent here, else 503; each part's state, and to operators why."""
    parts = LATEST.parts()
    ready = is_ready(parts)
    answer: dict[str, object] = {"ready": ready}
    # Whoever is signed in is a row of the database, which may be away.
    if _has_token(request) or (ready and is_operator(request.user)):
        answer["parts"] = [part.as_dict() for part in parts]
    else:
        answer["parts"] = {part.name: part.state.value for part in parts}
    return JsonResponse(answer, status=200 if ready else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures in Prometheus' text format for whoever has METRICS_TOKEN; unset, there is no page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not _has_token(request):
        return HttpResponse("give the metrics token\n", status=401, content_type="text/plain")
    return HttpResponse(metrics_text(), content_type=CONTENT_TYPE)
