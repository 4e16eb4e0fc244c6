"""Generation as a signed-in researcher watches and steers it."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from evalplatform.accounts.projects import Role, projects_of, steered_or_404
from evalplatform.core.errors import BadInputError
from evalplatform.core.words import counted
from evalplatform.generation import services
from evalplatform.generation.models import GenerationRequest
from evalplatform.generation.overview import (
    latest_samples,
    queue_counts,
    request_rows,
    worker_rows,
)

_SAMPLES = 18


@require_safe
@login_required
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """What was asked of the workers, who works, what was made last; `?part` is the inner part."""
    now = timezone.now()
    template = "_overview" if "part" in request.GET else "overview"
    context = {
        "requests": request_rows(now, request.user),
        "workers": worker_rows(now, request.user),
        "counts": queue_counts(),
        "samples": latest_samples(_SAMPLES, request.user),
        "may_create": projects_of(request.user, Role.EDITOR).exists(),
    }
    return render(request, f"generation/{template}.html", context)


@require_POST
@login_required
def steer(request: HttpRequest, name: str) -> HttpResponse:
    """Pause, resume, cancel or retry one campaign's generation, or change its priority."""
    found = steered_or_404(request.user, GenerationRequest.objects.all(), Role.EDITOR, name=name)
    try:
        messages.success(request, _steer(found, request.POST.get("action", "")))
    except BadInputError as error:
        messages.error(request, str(error))
    return redirect("generation:overview")


def _steer(request: GenerationRequest, action: str) -> str:
    if action == "pause":
        services.pause_request(request=request)
        return f"{request} is paused."
    if action == "resume":
        services.resume_request(request=request)
        return f"{request} goes on."
    if action == "cancel":
        return (
            f"{request} is cancelled: "
            f"{counted(services.cancel_request(request=request), 'batch', 'batches')}."
        )
    if action == "retry":
        return (
            f"{counted(services.retry_request(request=request), 'batch', 'batches')} of "
            f"{request} queued again."
        )
    if action in ("sooner", "later"):
        step = 1 if action == "sooner" else -1
        services.steer_request(request=request, priority=request.priority + step)
        return f"{request} has priority {request.priority}."
    raise BadInputError(f"{action[:20]!r} is not something that can be done.")
