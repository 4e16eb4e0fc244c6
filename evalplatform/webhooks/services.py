"""Webhooks: made, changed, told, told again; every verb is keyword-only."""

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from evalplatform.accounts.models import Project, User
from evalplatform.core.errors import BadInputError, ConflictError
from evalplatform.core.sealing import seal, unseal
from evalplatform.webhooks.models import WebhookDelivery, WebhookEndpoint
from evalplatform.webhooks.posting import (
    Reach,
    UnreachableError,
    WebhookAnswer,
    post,
    refuse_inside,
)
from evalplatform.webhooks.signing import headers, new_secret

Event = WebhookEndpoint.Event
Status = WebhookDelivery.Status
Now = Callable[[], datetime]
Post = Callable[[str, bytes, dict[str, str], Reach], WebhookAnswer]
PING = "webhook.test"
_PURPOSE = "webhook secrets"
_OLD_SECRET_SIGNS = timedelta(hours=24)
_LEASE = timedelta(minutes=2)  # a sender that died with a message
# Waits after the first attempt, the second …; after the last the message is given up.
WAITS = tuple(timedelta(seconds=each) for each in (5, 60, 600, 3600, 3 * 3600, 8 * 3600, 16 * 3600))
MOST_ENDPOINTS = 20
_REDIRECTS = "A redirect is not followed; make a webhook to the address that it leads to."
KEPT_FOR = timedelta(days=30)


def reach() -> Reach:
    """Return what the settings let webhooks reach."""
    return Reach(
        plain=settings.WEBHOOK_HTTP,
        allowed=tuple(ip_network(each, strict=False) for each in settings.WEBHOOK_NETWORKS),
    )


def create_webhook(
    *, project: Project, url: str, events: Collection[str], description: str, user: User | None
) -> tuple[WebhookEndpoint, str]:
    """Return a new endpoint and its secret.

    Raises `BadInputError` for an address that is none, leads inside or is there already, for
    unknown events, and beyond `MOST_ENDPOINTS` of a project.
    """
    _check_events(events)
    refuse_inside(url, reach())
    if project.webhookendpoints.count() >= MOST_ENDPOINTS:
        raise BadInputError(f"{project} has {MOST_ENDPOINTS} webhooks; remove one first.")
    secret = new_secret()
    try:
        with transaction.atomic():
            made = WebhookEndpoint.objects.create(
                project=project, url=url, events=_in_order(events), description=description,
                secret=seal(secret, _PURPOSE), created_by=user,
            )  # fmt: skip
    except IntegrityError as error:
        raise BadInputError(f"{project} has a webhook to {url} already; change that.") from error
    return made, secret


def change_webhook(
    *,
    endpoint: WebhookEndpoint,
    events: Collection[str] | None = None,
    description: str | None = None,
    is_active: bool | None = None,
) -> None:
    """Change what is told, or switch it on or off. Raises `BadInputError` for unknown events."""
    changed: list[str] = []  # and no more: a worker may switch it off meanwhile
    if events is not None:
        _check_events(events)
        endpoint.events = _in_order(events)
        changed += ["events"]
    if description is not None:
        endpoint.description = description
        changed += ["description"]
    if is_active is not None:
        endpoint.is_active = is_active
        endpoint.why_inactive = "" if is_active else "switched off by hand"
        changed += ["is_active", "why_inactive"]
    endpoint.save(update_fields=changed)


def rotate_secret(*, endpoint: WebhookEndpoint, now: datetime) -> str:
    """Return a new secret; messages are signed with each older one too for a day.

    Each: of two that are made at once, or one after the other, either may be in use.
    """
    secret = new_secret()
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        until = (now + _OLD_SECRET_SIGNS).isoformat()
        locked.old_secrets = [
            {"secret": locked.secret, "until": until},
            *(each for each in locked.old_secrets if _still_signs(each, now)),
        ]
        locked.secret = seal(secret, _PURPOSE)
        locked.save(update_fields=["secret", "old_secrets"])
    return secret


def delete_webhook(*, endpoint: WebhookEndpoint) -> None:
    """Remove an endpoint and its log."""
    endpoint.delete()


def send_test(*, endpoint: WebhookEndpoint, now: datetime) -> WebhookDelivery:
    """Queue a message of no meaning, to see whether it arrives."""
    told = {"type": PING, "timestamp": now.isoformat(), "data": {"webhook": endpoint.pk}}
    return WebhookDelivery.objects.create(
        endpoint=endpoint, message_id=f"msg_{uuid.uuid4().hex}", event=PING, payload=told,
        next_attempt_at=now, created_at=now,
    )  # fmt: skip


def redeliver(*, delivery: WebhookDelivery, now: datetime) -> None:
    """Tell a message again, by the same id. Raises `ConflictError` while it is on its way."""
    changed = (
        WebhookDelivery.objects.filter(pk=delivery.pk)
        .exclude(status=Status.PENDING)
        .update(status=Status.PENDING, attempts=0, next_attempt_at=now, delivered_at=None)
    )
    if not changed:
        raise ConflictError(f"{delivery.message_id} is on its way already.")
    delivery.refresh_from_db()


_COMPLETED = """
SELECT webhook_tell(c.project_id, 'campaign.completed', c.slug,
    jsonb_build_object('campaign', c.slug, 'status', c.status,
        'protocol_sha256', c.protocol_sha256))
FROM campaigns_campaign c
WHERE c.status IN ('open', 'paused') AND c.item_count > 0
    AND EXISTS (
        SELECT FROM webhooks_webhookendpoint e
        WHERE e.project_id = c.project_id AND e.is_active AND 'campaign.completed' = ANY (e.events)
            AND NOT EXISTS (
                SELECT FROM webhooks_webhookdelivery d
                WHERE d.endpoint_id = e.id AND d.event = 'campaign.completed' AND d.subject = c.slug
            )
    )
    AND NOT EXISTS (
        SELECT FROM annotation_assignment a
        WHERE a.campaign_id = c.id AND a.purpose = 'main' AND a.completed_at IS NULL
    )
"""


def tell_completed() -> None:
    """Queue messages of campaigns whose votes are all in; once for each endpoint and campaign."""
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETED)


def deliver_due(*, now: Now, most: int = 20, send: Post = post) -> int:
    """Send what is due, at most so many; return how many were tried.

    A message is leased by one conditional update before it is sent, so that two workers send it
    twice only where one dies in between. The clock is read anew for each: one alone may take
    seconds. Who did not answer is not asked again in this call, so that others need not wait.
    """
    tried = 0
    silent: set[int] = set()
    for _ in range(most):
        delivery = _lease_one(now(), silent)
        if delivery is None:
            break
        if not _try(delivery, now, send):
            silent.add(delivery.endpoint_id)
        tried += 1
    return tried


def forget_old(*, now: datetime) -> int:
    """Remove what was delivered or given up more than a month ago; but what is told only once."""
    old = WebhookDelivery.objects.filter(created_at__lt=now - KEPT_FOR)
    return old.exclude(status=Status.PENDING).exclude(event=Event.COMPLETED).delete()[0]


def _lease_one(now: datetime, silent: Collection[int]) -> WebhookDelivery | None:
    with transaction.atomic():
        due = WebhookDelivery.objects.filter(
            status=Status.PENDING, next_attempt_at__lte=now, endpoint__is_active=True
        ).exclude(endpoint__in=silent)
        delivery = (
            due.select_for_update(skip_locked=True, of=("self",))
            .select_related("endpoint")
            .order_by("next_attempt_at", "pk")
            .first()
        )
        if delivery is None:
            return None
        delivery.attempts += 1
        delivery.next_attempt_at = now + _LEASE
        delivery.save(update_fields=["attempts", "next_attempt_at"])
    return delivery


def _try(delivery: WebhookDelivery, now: Now, send: Post) -> bool:
    """Send a message and note what became of it; return whether anybody answered."""
    endpoint, sent_at = delivery.endpoint, now()
    body = json.dumps(delivery.payload, separators=(",", ":")).encode()
    keys = _keys(endpoint, sent_at)
    if not keys:
        _note_failure(delivery, now(), None, "its secret can be read no more; rotate it", True)
        return True
    signed = headers(keys, delivery.message_id, int(sent_at.timestamp()), body)
    try:
        answer = send(endpoint.url, body, signed, reach())
    except UnreachableError as error:
        _note_failure(delivery, now(), None, str(error), False)
        return False
    if 200 <= answer.status < 300:
        taken_at = now()
        _note(delivery, answer.status, answer.text, status=Status.DELIVERED, delivered_at=taken_at)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(last_success_at=taken_at)
    else:
        said = f"{_REDIRECTS} {answer.text}" if 300 <= answer.status < 400 else answer.text
        _note_failure(delivery, now(), answer.status, said, answer.status == 410)
    return True


def _keys(endpoint: WebhookEndpoint, now: datetime) -> list[str]:
    older = [each["secret"] for each in endpoint.old_secrets if _still_signs(each, now)]
    return [key for key in (unseal(each, _PURPOSE) for each in [endpoint.secret, *older]) if key]


def _still_signs(old: Mapping[str, str], now: datetime) -> bool:
    return datetime.fromisoformat(old["until"]) > now


def _note(delivery: WebhookDelivery, answered: int | None, said: str, **fields: Any) -> None:
    """Write down what became of a message; nothing where its webhook was removed meanwhile."""
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    rows.update(answered=answered, answer=said[:500], **fields)


def _note_failure(
    delivery: WebhookDelivery, now: datetime, status: int | None, said: str, ends: bool
) -> None:
    """Try later, or give up; who takes nothing while a message is given up is switched off."""
    given_up = ends or delivery.attempts > len(WAITS)
    if given_up:
        _note(delivery, status, said, status=Status.FAILED)
    else:
        _note(delivery, status, said, next_attempt_at=now + WAITS[delivery.attempts - 1])
    endpoint = delivery.endpoint
    took_none = endpoint.last_success_at is None or endpoint.last_success_at < delivery.created_at
    if ends or (given_up and took_none):
        why = "it answered 410" if status == 410 else (
            said[:120] if ends else
            f"a message was given up after {delivery.attempts} attempts, and none was taken since"
        )  # fmt: skip
        WebhookEndpoint.objects.filter(pk=endpoint.pk, is_active=True).update(
            is_active=False, why_inactive=why
        )


def _check_events(events: Collection[str]) -> None:
    unknown = sorted(set(events) - set(Event.values))
    if unknown or not events:
        given = f"event {unknown[0][:40]!r} is not known" if unknown else "no event is given"
        raise BadInputError(f"{given}; choose some of {', '.join(Event.values)}.")


def _in_order(events: Collection[str]) -> list[str]:
    return [each for each in Event.values if each in events]
