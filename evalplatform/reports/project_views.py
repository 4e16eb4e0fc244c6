"""A project as its members see it: who may do what, what is shared, what was changed."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalplatform.accounts.current import choose_project
from evalplatform.accounts.members import (
    create_project,
    delete_project,
    remove_member,
    set_member,
)
from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import (
    Role,
    is_operator,
    may,
    projects_of,
    require_operator,
    require_role,
    role_of,
)
from evalplatform.core.errors import BadInputError
from evalplatform.reports.sharing import set_shared, shareables_of


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@never_cache
def projects(request: HttpRequest) -> HttpResponse:
    """The projects of a person; a POST of an operator makes one."""
    if request.method == "POST":
        require_operator(request.user)
        name = request.POST.get("name", "")
        try:
            owner = _user(request.POST.get("owner", ""))
            return redirect("projects:project", create_project(name=name, owner=owner).name)
        except BadInputError as error:
            messages.error(request, str(error))
    rows = [(each, role_of(request.user, each)) for each in projects_of(request.user)]
    context = {"rows": rows, "is_operator": is_operator(request.user)}
    return render(request, "reports/projects.html", context)


@require_safe
@login_required
@never_cache
def project(request: HttpRequest, name: str) -> HttpResponse:
    """Its members, and what it holds that can be shared."""
    found = _project_or_404(request, name)
    context: dict[str, Any] = {
        "project": found,
        "members": found.memberships.select_related("user").order_by("user__username"),
        "roles": Role.choices,
        "owns": may(request.user, found, Role.OWNER),
        "edits": may(request.user, found, Role.EDITOR),
        "my_role": role_of(request.user, found),
        "shareables": shareables_of(found),
    }
    return render(request, "reports/project.html", context)


@require_POST
@login_required
def member(request: HttpRequest, name: str) -> HttpResponse:
    """Let somebody in, or give a member another role."""
    found = _owned_or_404(request, name)
    try:
        user = _user(request.POST.get("username", ""))
        made = set_member(project=found, user=user, role=request.POST.get("role", ""))
        messages.success(request, f"{user} is {made.get_role_display().lower()} of {found}.")
    except BadInputError as error:
        messages.error(request, str(error))
    return redirect("projects:project", name)


@require_POST
@login_required
def remove(request: HttpRequest, name: str, identifier: int) -> HttpResponse:
    """Let a member go."""
    found = _owned_or_404(request, name)
    user = get_object_or_404(User, pk=identifier, memberships__project=found)
    try:
        remove_member(project=found, user=user)
        messages.success(request, f"{user} is in {found} no more.")
    except BadInputError as error:
        messages.error(request, str(error))
    if not projects_of(request.user).filter(pk=found.pk).exists():
        return redirect("projects:projects")
    return redirect("projects:project", name)


@require_POST
@login_required
def share(request: HttpRequest, name: str) -> HttpResponse:
    """Let all projects read and use a checkpoint, prompt set or collection; or no longer."""
    found = _owned_or_404(request, name)
    try:
        row = set_shared(
            project=found,
            kind=request.POST.get("kind", ""),
            reference=request.POST.get("reference", ""),
            is_shared=request.POST.get("shared") == "1",
        )
        said = "is shared with all projects" if row.is_shared else "is no longer shared"
        messages.success(request, f"{row} {said}.")
    except BadInputError as error:
        messages.error(request, str(error))
    return redirect("projects:project", name)


@require_POST
@login_required
def delete(request: HttpRequest, name: str) -> HttpResponse:
    """Remove an empty project."""
    found = _owned_or_404(request, name)
    try:
        delete_project(project=found)
    except BadInputError as error:
        messages.error(request, str(error))
        return redirect("projects:project", name)
    messages.success(request, f"The project {name} is deleted.")
    return redirect("projects:projects")


@require_POST
@login_required
def switch(request: HttpRequest) -> HttpResponse:
    """Show one project in the lists from now on, or all of them."""
    name = request.POST.get("project", "")
    choose_project(request, _project_or_404(request, name) if name else None)
    back = request.POST.get("next", "")
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if is_ours else "reports:campaign_list")


def _project_or_404(request: HttpRequest, name: str) -> Project:
    return get_object_or_404(projects_of(request.user), name=name)


def _owned_or_404(request: HttpRequest, name: str) -> Project:
    found = _project_or_404(request, name)
    require_role(request.user, found, Role.OWNER)
    return found


def _user(username: str) -> User:
    """Return the account of this name. Raises `BadInputError`, listing nobody."""
    user = User.objects.filter(username=username.strip(), is_active=True).first()
    if user is None:
        raise BadInputError(
            f"there is no account {username[:80]!r}; an operator of this site makes one."
        )
    return user
