"""A project's webhooks on pages: whom it tells of what, and the log of what was sent."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import Role, projects_of, require_role
from evalplatform.core.components import DataTable, TableColumn
from evalplatform.core.errors import BadInputError, ConflictError
from evalplatform.webhooks import services
from evalplatform.webhooks.forms import WebhookForm
from evalplatform.webhooks.models import WebhookDelivery, WebhookEndpoint

_COLUMNS = [
    TableColumn("created", "Time", "created_at", descends=True),
    TableColumn("event", "Event", "event"),
    TableColumn("status", "State", "status"),
    TableColumn("tries", "Tries", "attempts", is_number=True, descends=True),
    TableColumn("next", "Next try"),
    TableColumn("answer", "Answer"),
    TableColumn("again", ""),
]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def webhooks(request: HttpRequest, name: str) -> HttpResponse:
    """Whom the project tells of what; a POST adds somebody, whose secret is shown this once."""
    project = _steered(request, name)
    form = WebhookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = services.create_webhook(
                project=project, user=_user(request), **form.cleaned_data
            )
        except BadInputError as error:
            form.add_error("url", str(error))
        else:
            return _page(request, made, secret=secret)
    context = {"project": project, "form": form, "endpoints": project.webhookendpoints.all()}
    status = 422 if form.errors else 200
    return render(request, "webhooks/list.html", context, status=status)


@require_safe
@login_required
@never_cache
def webhook(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """One webhook and its log of the last month."""
    return _page(request, _found(request, name, number))


@require_POST
@login_required
@never_cache
def change(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Pause it, let it go on, send a test, give it a new secret, or remove it."""
    found = _found(request, name, number)
    match request.POST.get("action"):
        case "pause" | "resume" as action:
            services.change_webhook(endpoint=found, is_active=action == "resume")
        case "test":
            services.send_test(endpoint=found, now=timezone.now())
            messages.info(request, _queued(found, "A test event"))
        case "secret":
            secret = services.rotate_secret(endpoint=found, now=timezone.now())
            return _page(request, found, secret=secret)
        case "delete":
            services.delete_webhook(endpoint=found)
            messages.success(request, f"{found.url} is told no more.")
            return redirect("webhooks:list", name)
        case other:
            said = "pause, resume, test, secret or delete"
            messages.error(request, f"{(other or 'nothing')[:40]!r} cannot be done; choose {said}.")
    return redirect("webhooks:webhook", name, number)


@require_POST
@login_required
def redeliver(request: HttpRequest, name: str, number: int, message: str) -> HttpResponse:
    """Send a message again."""
    found = _found(request, name, number)
    delivery = get_object_or_404(found.deliveries, message_id=message)
    try:
        services.redeliver(delivery=delivery, now=timezone.now())
        messages.info(request, _queued(found, delivery.event))
    except ConflictError as error:
        messages.info(request, str(error))
    return redirect("webhooks:webhook", name, number)


def _queued(endpoint: WebhookEndpoint, what: str) -> str:
    if not endpoint.is_active:
        return f"{what} waits until the webhook is switched on."
    return f"{what} is sent within seconds; the log below says what was answered."


def _page(request: HttpRequest, endpoint: WebhookEndpoint, secret: str = "") -> HttpResponse:
    table = DataTable(
        _COLUMNS, endpoint.deliveries.all(), request.GET, search=("event", "subject", "answer"),
        default="-created", per_page=25,
    )  # fmt: skip
    on_its_way = any(each.status == WebhookDelivery.Status.PENDING for each in table.rows)
    context: dict[str, Any] = {
        "endpoint": endpoint, "project": endpoint.project, "table": table, "secret": secret,
        "asks_again": on_its_way and endpoint.is_active and not secret,
    }  # fmt: skip
    return render(request, "webhooks/webhook.html", context)


def _steered(request: HttpRequest, name: str) -> Project:
    found = projects_of(request.user).filter(name=name).first()
    if found is None:
        raise Http404
    require_role(request.user, found, Role.EDITOR)
    return found


def _found(request: HttpRequest, name: str, number: int) -> WebhookEndpoint:
    rows = WebhookEndpoint.objects.select_related("project")
    project = _steered(request, name)
    return get_object_or_404(rows, project=project, pk=number)


def _user(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None
