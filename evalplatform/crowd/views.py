"""Where Prolific's webhooks arrive."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from evalplatform.crowd.services import receive_event
from evalplatform.crowd.webhook import (
    MOST_BYTES,
    ForgedError,
    UnreadableError,
    check_signature,
    event_of,
)


@csrf_exempt  # no browser sends it; the signature stands in for the token
@require_POST
@never_cache
def prolific_webhook(request: HttpRequest) -> HttpResponse:
    """Take one signed message; what is acknowledged (200) is done, and Prolific repeats the rest.

    Without PROLIFIC_WEBHOOK_SECRET there is no such page. Answers and logs hold no ids.
    """
    if not settings.PROLIFIC_WEBHOOK_SECRET:
        raise Http404
    if len(request.body) > MOST_BYTES:
        return _says("the message is too large", 413)
    now = timezone.now()
    try:
        check_signature(
            body=request.body,
            timestamp=request.headers.get("X-Prolific-Request-Timestamp", ""),
            given=request.headers.get("X-Prolific-Request-Signature", ""),
            secret=settings.PROLIFIC_WEBHOOK_SECRET,
            now=now,
        )
        event = event_of(request.body, request.headers.get("X-Event-ID", ""))
    except ForgedError as error:
        return _says(str(error), 401)
    except UnreadableError as error:
        return _says(str(error), 400)
    if event is None:
        return _says("ignored", 200)
    return _says(receive_event(event=event, now=now).value, 200)


def _says(words: str, status: int) -> HttpResponse:
    return HttpResponse(f"{words}\n", status=status, content_type="text/plain; charset=utf-8")
