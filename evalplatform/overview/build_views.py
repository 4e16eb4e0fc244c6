"""Building a prompt set from a log on pages: bring it, choose, watch, see what went, keep."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from evalplatform.accounts.current import current_project
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    projects_of,
    steered_or_404,
    visible_to,
)
from evalplatform.core.errors import BadInputError
from evalplatform.core.sending import send_download
from evalplatform.overview.build_forms import LogChoicesForm
from evalplatform.overview.prompt_pages import funnel_context
from evalplatform.promptsets.entrance import check_set_name
from evalplatform.promptsets.models import LogBuild
from evalplatform.promptsets.services import log_builds


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def logs(request: HttpRequest) -> HttpResponse:
    """Logs that were brought; a POST brings one."""
    mine = projects_of(request.user, Role.EDITOR)
    if request.method == "POST":
        given, sent = request.FILES.get("file"), request.POST.get("sent", "")
        try:
            project = project_to_create_in(request.user, request.POST.get("project", ""))
            by: Any = {"project": project, "user": request.user, "now": timezone.now()}
            if sent:
                build = log_builds.bring_sent_log(sent=sent, **by)
            elif given is not None:
                build = log_builds.bring_log(file=given, **by)
            else:
                raise BadInputError("no file came; choose one.")
            return redirect("prompts:log", build.pk)
        except BadInputError as error:
            messages.error(request, str(error))
    builds = visible_to(request.user, LogBuild.objects.select_related("project", "prompt_set"))
    context = {
        "builds": builds.filter(project__in=mine)[:50],
        "projects": mine,
        "current": current_project(request),
        "most_gib": log_builds.MOST_BYTES // 2**30,
    }
    return render(request, "prompts/logs.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def log(request: HttpRequest, key: int) -> HttpResponse:
    """One log: its choices, how far its build is, its funnel; a POST builds, keeps or forgets."""
    build = _found(request, key)
    form = LogChoicesForm(None, build)
    if request.method == "POST":
        action = request.POST.get("action", "")
        try:
            if action == "forget":
                log_builds.forget_build(build=build)
                messages.success(request, f"{build} was thrown away.")
                return redirect("prompts:logs")
            if action == "keep":
                return _keep(request, build)
            form = LogChoicesForm(request.POST, build, request.FILES)
            if form.is_valid():
                log_builds.begin_build(build=build, choices=form.choices())
                return redirect("prompts:log", key)
        except BadInputError as error:
            messages.error(request, str(error))
    log_builds.wake_silent(build=build, now=timezone.now())
    return render(
        request, "prompts/log.html", _context(build, form), status=422 if form.errors else 200
    )


@require_safe
@login_required
def dropped_lines(request: HttpRequest, key: int) -> HttpResponseBase:
    """Every dropped line with its reason, as JSON lines, packed."""
    build = _found(request, key)
    if not build.dropped:
        raise Http404
    try:
        return send_download(
            request, build.dropped, file_name=f"dropped-{build.pk}.jsonl.gz",
            content_type="application/gzip", size=build.dropped_bytes, sha256=build.dropped_sha256,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Http404 from error


def _keep(request: HttpRequest, build: LogBuild) -> HttpResponse:
    kept = log_builds.keep_build(
        build=build,
        name=check_set_name(request.POST.get("name", "")),
        licence=request.POST.get("licence", ""),
    )
    messages.success(request, f"{kept} was made from {build}.")
    return redirect("prompts:set", kept.name, kept.version)


def _context(build: LogBuild, form: LogChoicesForm) -> dict[str, Any]:
    stem = build.file_name.partition(".")[0]
    name = "".join(each if each.isascii() and each.isalnum() else "-" for each in stem)[:80]
    return {
        "build": build,
        "form": form,
        "percent": round(100 * build.share),
        "rows": [[row.get(each, "") for each in build.columns or ["line"]]
                 for row in build.first_rows],
        "name": name,
        "days": log_builds.KEEP.days,
        **funnel_context(build.recipe or {}, build.examples),
    }  # fmt: skip


def _found(request: HttpRequest, key: int) -> LogBuild:
    rows = LogBuild.objects.select_related("project", "prompt_set")
    return steered_or_404(request.user, rows, Role.EDITOR, pk=key)
