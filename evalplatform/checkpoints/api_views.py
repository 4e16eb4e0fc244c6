"""The registry as JSON, for scripts and for whoever is signed in. Described in docs/api.md."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from evalplatform.accounts.access import token_or_session, unauthorised
from evalplatform.accounts.projects import Asking, visible_to
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import parent_of, tuned_from


@token_or_session
@require_safe
@never_cache
def checkpoint_list(request: HttpRequest) -> HttpResponse:
    """Every checkpoint that exists for them, by name; `?status=verified` or `retired` alone."""
    if not request.user.is_authenticated:
        return unauthorised("sign in, or send Authorization: Bearer TOKEN")
    found = visible_to(request.user, Checkpoint.objects.select_related("project"))
    status = request.GET.get("status")
    if status is not None:
        if status not in Checkpoint.Status.values:
            accepted = ", ".join(Checkpoint.Status.values)
            return _error(400, f"status {status[:40]!r} is not one of {accepted}.")
        found = found.filter(status=status)
    return JsonResponse({"checkpoints": [_summary(each, request.user) for each in found]})


@token_or_session
@require_safe
@never_cache
def checkpoint(request: HttpRequest, name: str) -> HttpResponse:
    """One checkpoint with its configuration and provenance."""
    if not request.user.is_authenticated:
        return unauthorised("sign in, or send Authorization: Bearer TOKEN")
    visible = visible_to(request.user, Checkpoint.objects.select_related("project", "retired_by"))
    found = visible.filter(name=name).first()
    if found is None:
        return _error(404, f"there is no checkpoint {name!r}.")
    return JsonResponse(
        _summary(found, request.user)
        | {
            "config": found.config,
            "training": found.training,
            "children": [child.name for child in tuned_from(found.sha256, request.user)],
            "retired_by": found.retired_by.get_username() if found.retired_by else None,
        }
    )


def _error(status: int, reason: str) -> JsonResponse:
    return JsonResponse({"error": reason}, status=status)


def _summary(checkpoint: Checkpoint, user: Asking) -> dict[str, Any]:
    parent = parent_of(checkpoint, user)
    return {
        "name": checkpoint.name,
        "project": checkpoint.project.name,
        "is_shared": checkpoint.is_shared,
        "status": checkpoint.status,
        "role": checkpoint.role,
        "family": checkpoint.family,
        "sha256": checkpoint.sha256,
        "parent": parent.name if parent else None,
        "parent_sha256": checkpoint.parent_sha256,
        "origin": checkpoint.origin,
        "licences": checkpoint.licences,
        "parameters": checkpoint.parameters,
        "size_bytes": checkpoint.size_bytes,
        "registered_at": checkpoint.registered_at,
        "retired_at": checkpoint.retired_at,
        "page": reverse("registry:checkpoint", args=[checkpoint.name]),
    }
