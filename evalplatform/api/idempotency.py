"""Idempotency-Key: a request that is sent twice is done once.

The answer is stored in the transaction of what it answers, so both are there or neither is. Two
requests of one key at once are told apart by an advisory lock, which ends with its transaction.

Reference: the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency).
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from evalplatform.api.callers import Caller, caller_of
from evalplatform.api.models import KeptAnswer
from evalplatform.core.errors import EvalPlatformError
from evalplatform.core.problems import problem
from evalplatform.core.sealing import seal, unseal

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_FOR = timedelta(hours=24)
_PURPOSE = "kept answers"
_HEADERS = ("ETag", "Location", "Content-Type")
Run = Callable[..., HttpResponseBase]


def once(run: Run) -> Run:
    """Decorator of a route's run: with an Idempotency-Key, it is done once and answered alike."""

    @wraps(run)
    def wrapped(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        key = request.headers.get(HEADER)
        caller = None
        if key is not None:
            with suppress(EvalPlatformError):  # the route says it
                caller = caller_of(request)
        if key is None or caller is None:
            return run(request, **kwargs)
        if not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
            return problem(
                "invalid",
                f"the header {HEADER} is {key[:40]!r}; send 1 to 255 printable ASCII characters, "
                "such as a UUID.",
            )
        return _once(run, request, kwargs, caller, key)

    return wrapped


def _once(
    run: Run, request: HttpRequest, kwargs: dict[str, Any], caller: Caller, key: str
) -> HttpResponseBase:
    now = timezone.now()
    digest = _digest(request)
    with transaction.atomic():
        if not _take(caller, key):
            return problem(
                "idempotency-running",
                f"a request with the key {key[:40]!r} is running; ask again in a second.",
                headers={"Retry-After": "1"},
            )
        rows = KeptAnswer.objects.filter(user=caller.user, token=caller.token, key=key)
        kept = rows.filter(created_at__gt=now - KEPT_FOR).first()
        if kept is not None:
            return _again(kept, digest)
        response = run(request, **kwargs)
        if response.status_code >= 300 or response.streaming:
            transaction.set_rollback(True)  # nothing was made: the same key may be tried again
        else:
            assert isinstance(response, HttpResponse)
            _keep(response, caller, key, digest, now)
    return response


def _take(caller: Caller, key: str) -> bool:
    """Hold this key until the transaction ends; False where another request holds it."""
    who = f"{caller.user.pk}:{caller.token.pk if caller.token else ''}:{key}"
    number = int.from_bytes(hashlib.sha256(who.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        row = cursor.fetchone()
    return bool(row and row[0])


def _digest(request: HttpRequest) -> str:
    found = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    if request.content_type == "multipart/form-data":
        for name, values in sorted(request.POST.lists()):
            found.update(repr((name, values)).encode("utf-8", "replace"))
        for name, file in sorted(request.FILES.items()):
            found.update(repr((name, getattr(file, "name", ""))).encode("utf-8", "replace"))
            for chunk in file.chunks():  # type: ignore[union-attr]  # one of each name
                found.update(chunk)
            file.seek(0)  # type: ignore[union-attr]
    else:
        found.update(request.body)
    return found.hexdigest()


def _again(kept: KeptAnswer, digest: str) -> HttpResponse:
    if kept.request_sha256 != digest:
        return problem(
            "idempotency-mismatch",
            f"the key {kept.key[:40]!r} was used for another request in the last "
            f"{KEPT_FOR.total_seconds() / 3600:.0f} hours; send a new key with a new request.",
        )
    content = unseal(kept.content, _PURPOSE)
    if content is None:  # SECRET_KEY was changed: what was made is there, its answer is not
        return problem("conflict", "this request was done, and its answer can be read no more.")
    response = HttpResponse(content, status=kept.status, headers=kept.headers)
    response[REPLAYED] = "true"
    return response


def _keep(response: HttpResponse, caller: Caller, key: str, digest: str, now: datetime) -> None:
    KeptAnswer.objects.filter(created_at__lte=now - KEPT_FOR).delete()
    KeptAnswer.objects.create(
        user=caller.user, token=caller.token, key=key, request_sha256=digest,
        status=response.status_code, content=seal(response.content.decode(), _PURPOSE),
        headers={name: response[name] for name in _HEADERS if name in response}, created_at=now,
    )  # fmt: skip
