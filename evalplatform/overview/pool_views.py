"""Pools on pages: what people keep of each, and its stages opened and closed."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from evalplatform.accounts.projects import Role, steered_or_404, visible_to
from evalplatform.core.errors import BadInputError
from evalplatform.curation.models import Pool
from evalplatform.curation.scoring_progress import scoring_requests
from evalplatform.curation.selectors import pools, stage_named
from evalplatform.curation.services import close_stage, open_stage
from evalplatform.overview.pool_pages import (
    ShownLink,
    StageForm,
    invitations_shown,
    pool_context,
    pools_context,
)
from evalplatform.overview.scoring_pages import scoring_context


@require_safe
@login_required
def pool_list(request: HttpRequest) -> HttpResponse:
    """Every pool of the person's projects, and what is scored; `?part` is the latter alone."""
    context = scoring_context(request.user, scoring_requests())
    if "part" in request.GET:
        return render(request, "curation/_scoring.html", context)
    return render(request, "curation/list.html", pools_context(request.user) | context)


@require_safe
@login_required
def pool(request: HttpRequest, name: str) -> HttpResponse:
    """One pool: funnel, stages, concepts, people."""
    found = get_object_or_404(visible_to(request.user, pools()), name=name)
    return render(request, "curation/pool.html", pool_context(found, request, timezone.now()))


@require_POST
@login_required
def open_next(request: HttpRequest, name: str) -> HttpResponse:
    """Open a stage. Links of those who are invited are shown once, in the answer."""
    found = _steered(request, name)
    form = StageForm(request.POST)
    links: list[ShownLink] = []
    if form.is_valid():
        try:
            opened = open_stage(
                pool=found,
                plan=form.plan(),
                now=timezone.now(),
                created_by=request.user,  # type: ignore[arg-type]  # signed in
            )
        except BadInputError as error:
            form.add_error(None, str(error))
        else:
            links = invitations_shown(opened, request)
            if not links:
                return redirect("curation:pool", name)
            form = None  # type: ignore[assignment]
    context = pool_context(found, request, timezone.now(), form=form, links=links)
    return render(request, "curation/pool.html", context, status=200 if links else 400)


@require_POST
@login_required
def close(request: HttpRequest, name: str, kind: str) -> HttpResponse:
    """Close a stage: it decides what is kept."""
    found = _steered(request, name)
    try:
        close_stage(
            stage=stage_named(found, kind), now=timezone.now(),
            closed_by=request.user,  # type: ignore[arg-type]  # signed in
            unfinished=request.POST.get("action") == "unfinished",
        )  # fmt: skip
    except BadInputError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The stage has decided."))
    return redirect("curation:pool", name)


def _steered(request: HttpRequest, name: str) -> Pool:
    return steered_or_404(request.user, pools(), Role.EDITOR, name=name)
