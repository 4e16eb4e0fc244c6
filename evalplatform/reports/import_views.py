"""Importing images on pages: send them, say what they are, watch, try again or forget."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods

from evalplatform.accounts.current import current_project
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    projects_of,
    steered_or_404,
    usable_in,
    visible_to,
)
from evalplatform.campaigns.selectors import sets_of_no_series
from evalplatform.core.errors import BadInputError
from evalplatform.images.models import ImageImport
from evalplatform.images.services import sent_imports
from evalplatform.promptsets.models import PromptSet
from evalplatform.reports.import_forms import ImportForm


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@ensure_csrf_cookie
@never_cache
def imports(request: HttpRequest) -> HttpResponse:
    """Imports that were begun; a POST begins one, of files that were sent in parts."""
    mine = projects_of(request.user, Role.EDITOR)
    sets = visible_to(request.user, _sets())
    form = ImportForm(request.POST if request.method == "POST" else None, sets)
    if request.method == "POST":
        try:
            project = project_to_create_in(request.user, request.POST.get("project", ""))
            sent = [each for each in request.POST.get("sent", "").split(",") if each]
            if not sent:
                raise BadInputError("no file came; choose some. Sending them needs JavaScript.")
            if form.is_valid():
                begun = sent_imports.begin_import(
                    project=project,
                    user=request.user,  # type: ignore[arg-type]  # signed in
                    sent=sent,
                    plan=form.plan(),
                    now=timezone.now(),
                )
                return redirect("registry:import", begun.pk)
        except BadInputError as error:
            messages.error(request, str(error))
    context = {
        "form": form,
        "imports": _imports().filter(project__in=mine)[:50],
        "projects": mine,
        "current": current_project(request),
    }
    return render(
        request, "reports/image_imports.html", context, status=422 if form.errors else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def image_import(request: HttpRequest, key: int) -> HttpResponse:
    """How far an import is and what came of it; a POST tries it again, or forgets it."""
    begun = _found(request, key)
    sets = usable_in(begun.project, _sets())
    form = ImportForm(None, sets, begun)
    if request.method == "POST":
        if request.POST.get("action") == "forget":
            sent_imports.forget_image_import(begun=begun)
            messages.success(request, f"What was sent for {begun} was thrown away.")
            return redirect("registry:imports")
        form = ImportForm(request.POST, sets, begun)
        try:
            if form.is_valid():
                sent_imports.import_again(begun=begun, plan=form.plan(), now=timezone.now())
                return redirect("registry:import", key)
        except BadInputError as error:
            messages.error(request, str(error))
    sent_imports.wake_silent_import(begun=begun, now=timezone.now())
    context = {"begun": begun, "form": form, "days": sent_imports.KEEP.days}
    return render(request, "reports/image_import.html", context, status=422 if form.errors else 200)


def _sets() -> QuerySet[PromptSet]:
    return sets_of_no_series(PromptSet.objects.order_by("name", "-version"))


def _imports() -> QuerySet[ImageImport]:
    return ImageImport.objects.select_related("project", "prompt_set", "collection")


def _found(request: HttpRequest, key: int) -> ImageImport:
    return steered_or_404(request.user, _imports(), Role.EDITOR, pk=key)
