"""The audit log: an owner reads that of their project, an operator all."""

import json
from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from evalplatform.accounts.models import AuditEntry, Project
from evalplatform.accounts.projects import Role, projects_of, require_operator, require_role
from evalplatform.core.csv_text import csv_text
from evalplatform.core.errors import BadInputError

_A_PAGE = 100
_COLUMNS = ("at", "actor", "via", "address", "action", "kind", "label", "object_id", "project",
            "before", "after")  # fmt: skip
KINDS = ("campaign", "checkpoint", "prompt set", "collection", "upload", "generation", "exclusion",
         "project", "membership", "user", "API token")  # fmt: skip


@require_safe
@login_required
@never_cache
def audit(request: HttpRequest, name: str) -> HttpResponse:
    """What was changed in one project."""
    return _page(request, _owned_or_404(request, name))


@require_safe
@login_required
@never_cache
def audit_csv(request: HttpRequest, name: str) -> HttpResponseBase:
    """The same, all of it, as CSV."""
    return _csv(request, _owned_or_404(request, name))


@require_safe
@login_required
@never_cache
def audit_of_all(request: HttpRequest) -> HttpResponse:
    """What was changed in the whole installation, users and tokens too."""
    require_operator(request.user)
    return _page(request, None)


@require_safe
@login_required
@never_cache
def audit_of_all_csv(request: HttpRequest) -> HttpResponseBase:
    """The same, all of it, as CSV."""
    require_operator(request.user)
    return _csv(request, None)


def _owned_or_404(request: HttpRequest, name: str) -> Project:
    found = get_object_or_404(projects_of(request.user), name=name)
    require_role(request.user, found, Role.OWNER)
    return found


def _page(request: HttpRequest, project: Project | None) -> HttpResponse:
    try:
        entries = _found(request, project)
    except BadInputError as error:
        context: dict[str, Any] = {"error": str(error), "page": []}
        return render(request, "reports/audit.html", _asked(request, project) | context, status=400)
    page = Paginator(entries, _A_PAGE).get_page(request.GET.get("page", "1"))
    return render(request, "reports/audit.html", _asked(request, project) | {"page": page})


def _asked(request: HttpRequest, project: Project | None) -> dict[str, Any]:
    given = request.GET.copy()
    given.pop("page", None)
    return {"project": project, "kinds": KINDS, "asked": request.GET, "query": given.urlencode()}


def _csv(request: HttpRequest, project: Project | None) -> HttpResponseBase:
    try:
        entries = _found(request, project)
    except BadInputError as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    rows = entries.iterator(chunk_size=2000)
    records = ({name: _cell(each, name) for name in _COLUMNS} for each in rows)
    text = csv_text(_COLUMNS, records, for_excel=request.GET.get("for") == "excel")
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    name = project.name if project else "all"
    response["Content-Disposition"] = f'attachment; filename="{name}-audit.csv"'
    return response


def _found(request: HttpRequest, project: Project | None) -> QuerySet[AuditEntry]:
    """Return the entries that are asked for. Raises `BadInputError` for a day that is none."""
    entries = AuditEntry.objects.select_related("project")
    if project:
        entries = entries.filter(project=project)
    asked = {
        name: request.GET.get(name, "").replace("\0", "") for name in ("kind", "actor", "label")
    }
    if asked["kind"]:
        entries = entries.filter(kind=asked["kind"])
    if asked["actor"]:
        entries = entries.filter(actor__icontains=asked["actor"])
    if asked["label"]:
        entries = entries.filter(label__icontains=asked["label"])
    for name, lookup in (("since", "at__date__gte"), ("until", "at__date__lte")):
        if given := request.GET.get(name):
            entries = entries.filter(**{lookup: _day(given)})
    return entries


def _day(given: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise BadInputError(f"{given[:20]!r} is no day; write it as 2026-11-28.") from None


def _cell(entry: AuditEntry, name: str) -> Any:
    value = getattr(entry, name)
    if name == "at":
        return value.isoformat()
    if name in ("before", "after") and value is not None:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return None if value is None else str(value)
