"""Webhooks of a project, and their log: for editors."""

from datetime import datetime
from typing import Annotated, Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Field, Query, Schema, Status

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import Role, projects_of, require_role
from evalplatform.api.callers import Scope
from evalplatform.api.etags import refuse_changed, tagged
from evalplatform.api.fields import Given, JsonObject, words
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes
from evalplatform.webhooks import services
from evalplatform.webhooks.models import WebhookDelivery, WebhookEndpoint

routes = Routes(tags=["webhooks"])
Event = Annotated[str, words(WebhookEndpoint.Event.values)]
Events = Annotated[list[Event], Field(min_length=1, max_length=20)]
_AT = "/projects/{project}/webhooks"


class WebhookOut(Schema):
    """An address that is told of events."""

    number: int
    url: str
    description: str
    events: list[Event]
    is_active: bool
    why_inactive: str
    last_success_at: datetime | None
    created_at: datetime


class WebhookMade(WebhookOut):
    """A new webhook, with its secret, this once."""

    secret: str


class WebhookIn(Given):
    """A webhook to be made."""

    url: str = Field(max_length=500, pattern=r"^https?://", description="https, and public.")
    events: Events
    description: str = Field("", max_length=200)


class WebhookChange(Given):
    """What is changed; what is left out stays."""

    events: Events | None = None
    description: str | None = Field(None, max_length=200)
    is_active: bool | None = None


class SecretOut(Schema):
    """A new secret, this once; the old one signs too for a day."""

    secret: str


class DeliveryOut(Schema):
    """A message and what became of it."""

    message_id: str
    event: str
    payload: JsonObject
    status: str = words(WebhookDelivery.Status.values)
    attempts: int
    answered: int | None
    answer: str
    created_at: datetime
    next_attempt_at: datetime
    delivered_at: datetime | None


@routes.reads(_AT, Page[WebhookOut], scope=Scope.ADMIN)
def list_webhooks(request: HttpRequest, project: str, paging: Query[Paging]) -> dict[str, Any]:
    """Whom the project tells of what."""
    rows = WebhookEndpoint.objects.filter(project=_steered(request, project))
    return page_of(rows, paging, _shown)


@routes.makes(_AT, WebhookMade, scope=Scope.ADMIN)
def create_webhook(request: HttpRequest, project: str, given: WebhookIn) -> WebhookMade:
    """Tell an address of events from now on; its secret is shown this once."""
    assert isinstance(request.user, User)
    made, secret = services.create_webhook(
        project=_steered(request, project), url=given.url, events=given.events,
        description=given.description, user=request.user,
    )  # fmt: skip
    return WebhookMade(**_shown(made).model_dump(), secret=secret)


@routes.reads(_AT + "/{int:number}", WebhookOut, scope=Scope.ADMIN)
def get_webhook(
    request: HttpRequest, response: HttpResponse, project: str, number: int
) -> WebhookOut:
    """One webhook; its ETag goes with a change."""
    return tagged(response, _shown(_found(request, project, number)))


@routes.changes(_AT + "/{int:number}", WebhookOut, scope=Scope.ADMIN)
def change_webhook(
    request: HttpRequest, response: HttpResponse, project: str, number: int, given: WebhookChange
) -> WebhookOut:
    """Change what is told, or switch it on or off."""
    _found(request, project, number)
    with transaction.atomic():
        found = WebhookEndpoint.objects.select_for_update().get(pk=number)
        refuse_changed(request, _shown(found))
        services.change_webhook(
            endpoint=found, events=given.events, description=given.description,
            is_active=given.is_active,
        )  # fmt: skip
    return tagged(response, _shown(found))


@routes.removes(_AT + "/{int:number}", scope=Scope.ADMIN)
def delete_webhook(request: HttpRequest, project: str, number: int) -> Status:
    """Remove a webhook and its log."""
    services.delete_webhook(endpoint=_found(request, project, number))
    return Status(204, None)


@routes.makes(_AT + "/{int:number}/secret", SecretOut, scope=Scope.ADMIN)
def rotate_webhook_secret(request: HttpRequest, project: str, number: int) -> SecretOut:
    """Give it a new secret."""
    found = _found(request, project, number)
    return SecretOut(secret=services.rotate_secret(endpoint=found, now=timezone.now()))


@routes.makes(_AT + "/{int:number}/test", DeliveryOut, scope=Scope.ADMIN, status=202)
def test_webhook(request: HttpRequest, project: str, number: int) -> DeliveryOut:
    """Queue a message of no meaning."""
    found = _found(request, project, number)
    return _delivery(services.send_test(endpoint=found, now=timezone.now()))


@routes.reads(_AT + "/{int:number}/deliveries", Page[DeliveryOut], scope=Scope.ADMIN)
def list_deliveries(
    request: HttpRequest, project: str, number: int, paging: Query[Paging]
) -> dict[str, Any]:
    """Its messages of the last month, the latest first."""
    rows = _found(request, project, number).deliveries.all()
    return page_of(rows, paging, _delivery, latest_first=True)


@routes.does(_AT + "/{int:number}/deliveries/{message}/redeliver", DeliveryOut, scope=Scope.ADMIN)
def redeliver_message(request: HttpRequest, project: str, number: int, message: str) -> DeliveryOut:
    """Tell a message again, by the same id."""
    found = _found(request, project, number).deliveries.filter(message_id=message).first()
    if found is None:
        raise Http404
    services.redeliver(delivery=found, now=timezone.now())
    return _delivery(found)


def _steered(request: HttpRequest, name: str) -> Project:
    found = projects_of(request.user).filter(name=name).first()
    if found is None:
        raise Http404
    require_role(request.user, found, Role.EDITOR)
    return found


def _found(request: HttpRequest, project: str, number: int) -> WebhookEndpoint:
    steered = _steered(request, project)
    rows = WebhookEndpoint.objects.filter(project=steered)
    found = rows.filter(pk=number).first()
    if found is None:
        raise Http404
    return found


def _shown(row: WebhookEndpoint) -> WebhookOut:
    return WebhookOut(
        number=row.pk, url=row.url, description=row.description, events=row.events,
        is_active=row.is_active, why_inactive=row.why_inactive, created_at=row.created_at,
        last_success_at=row.last_success_at,
    )  # fmt: skip


def _delivery(row: WebhookDelivery) -> DeliveryOut:
    return DeliveryOut(
        message_id=row.message_id, event=row.event, payload=row.payload, status=row.status,
        attempts=row.attempts, answered=row.answered, answer=row.answer,
        created_at=row.created_at, next_attempt_at=row.next_attempt_at,
        delivered_at=row.delivered_at,
    )  # fmt: skip
