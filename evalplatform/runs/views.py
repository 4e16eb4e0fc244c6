"""The campaign builder: a draft is filled in, estimated, launched, and its campaign opened."""

from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalplatform.accounts.current import current_project, in_current_project
from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import (
    Role,
    may,
    project_to_create_in,
    projects_of,
    steered_or_404,
    visible_to,
)
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.core.storable_json import refuse_unstorable
from evalplatform.runs.annotator_preview import preview_context
from evalplatform.runs.builder import form_context, launched_context, review_context
from evalplatform.runs.choices import parse_choices
from evalplatform.runs.draft_form import CriterionForms, DraftForm
from evalplatform.runs.draft_values import blank_choices, choices_from, initial_of
from evalplatform.runs.models import Draft
from evalplatform.runs.run_plans import usual_name
from evalplatform.runs.selectors import PartsOfDrafts, copyable
from evalplatform.runs.services import (
    DraftConflictError,
    ask_to_open,
    copy_campaign,
    delete_draft,
    launch_draft,
    make_draft,
    save_draft,
)


@require_safe
@login_required
@never_cache
def draft_list(request: HttpRequest) -> HttpResponse:
    """The drafts of the person's projects that no campaign was made of."""
    drafts = in_current_project(request, visible_to(request.user, Draft.objects.all()))
    rows = drafts.filter(campaign=None).select_related("project", "changed_by")
    may_create = projects_of(request.user, Role.EDITOR).exists()
    context = {"drafts": rows[:200], "may_create": may_create}
    return render(request, "runs/draft_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def new_campaign(request: HttpRequest) -> HttpResponse:
    """An empty draft to fill in; it is stored when it is saved."""
    project = _project_to_draft_in(request)
    if request.method == "POST":
        return _first_save(request, project)
    context = form_context(blank_choices(), project)
    return _builder(request, None, context | _beginnings(request, project))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def draft(request: HttpRequest, key: int) -> HttpResponse:
    """A draft to fill in; once launched, how far its campaign is."""
    if request.method == "POST":
        found = steered_or_404(request.user, Draft.objects.all(), Role.EDITOR, pk=key)
        return _save(request, found)
    found = get_object_or_404(
        visible_to(request.user, Draft.objects.select_related("campaign", "project")), pk=key
    )
    if found.campaign is not None:
        context = launched_context(found, request, timezone.now())
        context |= {"draft": found, "may_edit": may(request.user, found.project, Role.EDITOR)}
        return render(request, "runs/launched.html", context)
    return _builder(
        request, found, form_context(found.choices, found.project, version=found.version)
    )


@require_POST
@login_required
def launch(request: HttpRequest, key: int) -> HttpResponse:
    """Make the campaign and ask the workers for its images."""
    found = steered_or_404(request.user, Draft.objects.all(), Role.EDITOR, pk=key)
    version = request.POST.get("version", "")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        messages.error(request, "Say which version of the draft is launched, from its page.")
        return redirect("runs:draft", found.pk)
    try:
        launch_draft(draft=found, version=int(version), user=_user(request))
    except BadInputError as error:
        messages.error(request, str(error))
    return redirect("runs:draft", found.pk)


@require_POST
@login_required
def open_draft(request: HttpRequest, key: int) -> HttpResponse:
    """Have the campaign opened: this freezes its protocol."""
    found = steered_or_404(request.user, Draft.objects.all(), Role.EDITOR, pk=key)
    try:
        ask_to_open(draft=found, user=_user(request), now=timezone.now())
    except EvalPlatformError as error:
        messages.error(request, str(error))
    return redirect("runs:draft", found.pk)


@require_POST
@login_required
def delete(request: HttpRequest, key: int) -> HttpResponse:
    """Remove a draft; what was made of it stays."""
    found = steered_or_404(request.user, Draft.objects.all(), Role.EDITOR, pk=key)
    label = found.label
    delete_draft(draft=found)
    messages.success(request, f"The draft {label} was removed.")
    return redirect("runs:drafts")


@require_POST
@login_required
def copy(request: HttpRequest) -> HttpResponse:
    """Begin a draft with what an earlier campaign asked."""
    visible = visible_to(request.user, Campaign.objects.all())
    campaign = visible.filter(slug=request.POST.get("campaign", "")[:80]).first()
    if campaign is None:
        raise Http404
    project = _project_to_draft_in(request, campaign.project)
    try:
        made = copy_campaign(campaign=campaign, project=project, user=_user(request))
    except BadInputError as error:
        messages.error(request, str(error))
        return redirect("runs:new_campaign")
    return redirect("runs:draft", made.pk)


@require_safe
@login_required
def download(request: HttpRequest, key: int) -> HttpResponse:
    """The draft as the file that `run_eval --draft` takes."""
    found = get_object_or_404(visible_to(request.user, Draft.objects.all()), pk=key)
    choices = parse_choices(found.choices)
    name = choices.name or usual_name(choices.arms) or "draft"
    response = HttpResponse(choices.as_toml(), content_type="application/toml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.toml"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
@xframe_options_sameorigin
@csp_replace({"frame-ancestors": [SELF]})  # type: ignore[arg-type]  # shown within the builder
def preview(request: HttpRequest, key: int, place: int) -> HttpResponse:
    """The annotator's page of one criterion; its buttons lead back to it."""
    found = get_object_or_404(
        visible_to(request.user, Draft.objects.select_related("project")), pk=key
    )
    if request.method == "POST":
        return redirect(request.path)
    try:
        context = preview_context(
            parse_choices(found.choices), place, found.project, draft_url=request.path
        )
    except BadInputError as error:
        raise Http404 from error
    return render(request, "runs/preview.html", context)


# -- filling in -----------------------------------------------------------------------------------


def _user(request: HttpRequest) -> Any:
    return request.user


def _project_to_draft_in(request: HttpRequest, usual: Project | None = None) -> Project:
    """Return the project of a new draft: named, chosen in the header, or the first one may edit."""
    named = request.POST.get("project", "") or request.GET.get("project", "")
    chosen = current_project(request)
    for project in (usual, chosen):
        if not named and project is not None and may(request.user, project, Role.EDITOR):
            return project
    editable = projects_of(request.user, Role.EDITOR)
    if not named and editable.count() > 1:
        named = editable.order_by("name").values_list("name", flat=True)[0]
    return project_to_create_in(request.user, named[:100])


def _beginnings(request: HttpRequest, project: Project) -> dict[str, Any]:
    """What a new campaign can begin with: an earlier one, another project."""
    campaigns = copyable(visible_to(request.user, Campaign.objects.all()))
    editable = list(projects_of(request.user, Role.EDITOR).order_by("name"))
    return {"campaigns": campaigns, "projects": editable if len(editable) > 1 else []}


def _builder(
    request: HttpRequest, found: Draft | None, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    choices = found.choices if found else blank_choices()
    context |= {"draft": found, "may_edit": found is None or _edits(request, found)}
    context |= review_context(choices, context["project"], timezone.now(), draft=found)
    return render(request, "runs/builder.html", context, status=status)


def _edits(request: HttpRequest, found: Draft) -> bool:
    return may(request.user, found.project, Role.EDITOR)


def _filled(
    request: HttpRequest, project: Project, before: dict[str, Any]
) -> tuple[DraftForm, Any, dict[str, Any] | None]:
    """Return form and criteria as posted, and the choices; None where something is wrong."""
    form = DraftForm(request.POST, initial=initial_of(before), parts=PartsOfDrafts(project))
    criteria = CriterionForms(request.POST, prefix="criteria")
    is_preset = bool(request.POST.get("preset"))
    if not form.is_valid() or not (is_preset or criteria.is_valid()):
        return form, criteria, None
    try:
        refuse_unstorable(request.POST.dict())
        return form, criteria, choices_from(form, criteria, before)
    except BadInputError as error:
        form.add_error(None, str(error))
        return form, criteria, None


def _first_save(request: HttpRequest, project: Project) -> HttpResponse:
    form, criteria, choices = _filled(request, project, blank_choices())
    if choices is None:
        context = form_context({}, project, form=form, criteria=criteria)
        return _builder(request, None, context | _beginnings(request, project))
    made = make_draft(project=project, choices=parse_choices(choices), user=_user(request))
    return redirect(f"{made.get_absolute_url()}#review")


def _save(request: HttpRequest, found: Draft) -> HttpResponse:
    form, criteria, choices = _filled(request, found.project, found.choices)
    if choices is None:
        context = form_context({}, found.project, form=form, criteria=criteria)
        return _builder(request, found, context)
    version = form.cleaned_data["version"] or found.version
    try:
        saved = save_draft(
            draft=found, version=version, choices=choices, user=_user(request), now=timezone.now()
        )
    except DraftConflictError as error:
        return _clash(request, error, form, criteria)
    except BadInputError as error:
        messages.error(request, str(error))
        return redirect("runs:draft", found.pk)
    if saved.merged:
        changed = "; ".join(str(change) for change in saved.merged[:6])
        messages.info(request, f"Somebody else changed meanwhile, and it stays: {changed}.")
    return redirect(f"{found.get_absolute_url()}#review")


def _clash(
    request: HttpRequest, error: DraftConflictError, form: DraftForm, criteria: Any
) -> HttpResponse:
    """Show again what this person filled in, what the other changed, and the newer version."""
    form.data = form.data.copy()  # type: ignore[attr-defined]
    form.data["version"] = error.draft.version  # type: ignore[index]
    context = form_context({}, error.draft.project, form=form, criteria=criteria)
    status = 200 if request.headers.get("HX-Request") else 409
    return _builder(request, error.draft, context | {"clash": error}, status)
