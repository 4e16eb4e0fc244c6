"""Prompt sets on pages: what there is, a look into each, upload, tags."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalplatform.accounts.current import current_project
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    projects_of,
    steered_or_404,
    visible_to,
)
from evalplatform.core.errors import BadInputError
from evalplatform.overview.prompt_pages import WantedPrompts, list_context, set_context
from evalplatform.promptsets.entrance import check_set_name
from evalplatform.promptsets.models import PromptSet, PromptUpload
from evalplatform.promptsets.reading.columns import FIELDS
from evalplatform.promptsets.reading.prompts import PromptRow
from evalplatform.promptsets.services import (
    import_kept,
    keep_file,
    look_at,
    tag_by_hand,
    tag_by_rule,
)
from evalplatform.promptsets.services.tagging import as_jsonl


@require_safe
@login_required
def prompt_sets(request: HttpRequest) -> HttpResponse:
    """Every prompt set of the person's projects."""
    return render(request, "prompts/list.html", list_context(request))


@require_safe
@login_required
def prompt_set(request: HttpRequest, name: str, version: int) -> HttpResponse:
    """One version: its prompts, by filter and page."""
    found = _set_or_404(request, name, version)
    return render(request, "prompts/set.html", set_context(found, request))


@require_safe
@login_required
def download(request: HttpRequest, name: str, version: int) -> HttpResponseBase:
    """A version as JSON lines, which `import_prompts` reads again."""
    found = _set_or_404(request, name, version)
    rows = (
        PromptRow(each.text, each.category, each.challenge, each.note, each.tags)
        for each in found.prompts.order_by("position").iterator(1000)
    )
    lines = (as_jsonl([row])[0] for row in rows)
    answer = StreamingHttpResponse(lines, content_type="application/jsonl; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}-{version}.jsonl"'
    return answer


@require_POST
@login_required
def tag(request: HttpRequest, name: str, version: int) -> HttpResponse:
    """Make the version with other tags: by our rule, or by hand of those chosen."""
    found = steered_or_404(
        request.user, PromptSet.objects.all(), Role.EDITOR, name=name, version=version
    )
    try:
        if request.POST.get("action") == "rule":
            made = tag_by_rule(prompt_set=found)
        else:
            made = tag_by_hand(
                prompt_set=found,
                tag=request.POST.get("tag", ""),
                positions=_positions(request, found),
                add=request.POST.get("action") != "take",
                by=request.user.get_username(),
            )
    except BadInputError as error:
        messages.error(request, str(error))
        return redirect("prompts:set", name, version)
    if made == found:
        messages.info(request, "Every prompt has these tags already; nothing was changed.")
    else:
        messages.success(request, f"{made} has these tags. {found} stays as it is.")
    return redirect("prompts:set", made.name, made.version)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def upload(request: HttpRequest) -> HttpResponse:
    """Choose a file; it is looked at before it is imported."""
    if request.method == "POST":
        given = request.FILES.get("file")
        try:
            project = project_to_create_in(request.user, request.POST.get("project", ""))
            if given is None:
                raise BadInputError("no file came; choose one.")
            kept = keep_file(
                project=project,
                user=request.user,  # type: ignore[arg-type]  # signed in
                file_name=given.name or "file",
                content=given.read(),
                now=timezone.now(),
            )
            return redirect("prompts:look", kept.pk)
        except BadInputError as error:
            messages.error(request, str(error))
    context = {
        "projects": projects_of(request.user, Role.EDITOR),
        "current": current_project(request),
    }
    return render(request, "prompts/upload.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def look(request: HttpRequest, key: int) -> HttpResponse:
    """The first rows of a file that was uploaded; a POST imports or forgets it."""
    if request.method == "POST":
        kept = steered_or_404(request.user, _kept(request), Role.EDITOR, pk=key)
        if request.POST.get("action") == "forget":
            kept.delete()
            return redirect("prompts:list")
        try:
            imported = import_kept(
                upload=kept,
                name=check_set_name(request.POST.get("name", "")),
                chosen=_chosen(request.POST),
                drop_repeats=bool(request.POST.get("drop_repeats")),
                licence=request.POST.get("licence", ""),
            )
        except BadInputError as error:
            messages.error(request, str(error))
        else:
            for note in imported.notes:
                messages.info(request, note)
            said = "was imported" if imported.is_new else "has this file already"
            messages.success(request, f"{imported.prompt_set} {said}.")
            return redirect("prompts:set", imported.prompt_set.name, imported.prompt_set.version)
    kept = get_object_or_404(_kept(request), pk=key)
    params = request.POST if request.method == "POST" else request.GET
    drop = bool(params.get("drop_repeats"))
    context = {
        "upload": kept,
        "look": look_at(kept, _chosen(params), drop_repeats=drop),
        "name": params.get("name", "") or _name_of(kept.file_name),
        "licence": params.get("licence", ""),
        "drop_repeats": drop,
    }
    return render(request, "prompts/look.html", context)


def _kept(request: HttpRequest) -> Any:
    """A file that is looked at is whose who brought it."""
    return PromptUpload.objects.filter(created_by=request.user.pk).select_related("project")


def _chosen(params: Any) -> dict[str, str]:
    """Columns that were chosen for our fields; "-" leaves a field out."""
    given = {field: params.get(f"column-{field}", "") for field in FIELDS}
    return {field: "" if name == "-" else name for field, name in given.items() if name}


def _name_of(file_name: str) -> str:
    stem = file_name.rpartition("/")[2].partition(".")[0]
    return "".join(each if each.isascii() and each.isalnum() else "-" for each in stem)[:80]


def _set_or_404(request: HttpRequest, name: str, version: int) -> PromptSet:
    rows = visible_to(request.user, PromptSet.objects.select_related("project"))
    return get_object_or_404(rows, name=name, version=version)


def _positions(request: HttpRequest, found: PromptSet) -> list[int]:
    """The prompts that were chosen: those ticked, or all that the filter leaves."""
    if request.POST.get("all"):
        return list(
            WantedPrompts.of(request.POST, tag="from-tag")
            .among(found.prompts.all())
            .values_list("position", flat=True)
        )
    given = request.POST.getlist("position")
    if not all(each.isascii() and each.isdigit() and len(each) < 10 for each in given):
        raise BadInputError("choose prompts of this set.")
    return [int(each) for each in given]
