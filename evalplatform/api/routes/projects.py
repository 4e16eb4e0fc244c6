"""Oneself, projects, their members, what they share, and their audit log."""

from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from ninja import Field, Query, Schema, Status

from evalplatform.accounts import members
from evalplatform.accounts.models import AuditEntry, Membership, Project, User
from evalplatform.accounts.projects import (
    Role,
    projects_of,
    require_operator,
    require_role,
    role_of,
)
from evalplatform.api.callers import Scope, known_caller
from evalplatform.api.etags import refuse_changed, tagged
from evalplatform.api.fields import Bytes, Given, Name, Text, words
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes
from evalplatform.core.errors import BadInputError
from evalplatform.reports.sharing import set_shared

routes = Routes(tags=["projects"])


class MeOut(Schema):
    """Who calls, and by what."""

    username: str
    is_operator: bool
    token: str | None = Field(description="How the token begins; null with a session.")
    scopes: list[str]
    project: str | None = Field(description="The only project the token acts in; null: all.")
    expires_at: datetime | None


class ProjectOut(Schema):
    """A project, and what you may do in it."""

    name: str
    created_at: datetime
    role: str = words(Role.values)
    upload_quota_bytes: int | None


class ProjectIn(Given):
    """A project to be made."""

    name: Name
    owner: str | None = Field(None, max_length=150, description="User name; null: operators'.")


class ProjectChange(Given):
    """What an operator may change of a project."""

    upload_quota_bytes: Bytes | None = Field(description="Null: as the site's setting says.")


class MemberOut(Schema):
    """Somebody in a project."""

    username: str
    role: str = words(Role.values)


class MemberIn(Given):
    """Their role from now on."""

    role: Literal["viewer", "editor", "owner"]


class ShareIn(Given):
    """What all projects may read and use from now on, or no more."""

    kind: Literal["checkpoint", "collection", "prompt set"]
    reference: Text = Field(description="Its name; of a prompt set NAME@VERSION.")
    shared: bool = True


class ShareOut(Schema):
    """Whether it is shared now."""

    kind: str
    reference: str
    shared: bool


class AuditOut(Schema):
    """One change, as a trigger of the database wrote it down."""

    number: int
    at: datetime
    actor: str
    via: str
    action: str
    kind: str
    label: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@routes.reads("/me", MeOut, tags=["tokens"])
def get_me(request: HttpRequest) -> MeOut:
    """Who calls, and what their token is for."""
    caller = known_caller(request)
    token = caller.token
    return MeOut(
        username=caller.user.get_username(),
        is_operator=caller.user.is_superuser or caller.user.role == User.Role.OPERATOR,
        token=token.prefix if token else None,
        scopes=token.scopes if token else list(Scope.values),
        project=token.project.name if token and token.project else None,
        expires_at=token.expires_at if token else None,
    )


@routes.reads("/projects", Page[ProjectOut])
def list_projects(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Your projects, by name; all of them for operators."""
    return page_of(projects_of(request.user), paging, lambda each: _shown(request, each), by="name")


@routes.makes("/projects", ProjectOut, scope=Scope.ADMIN)
def create_project(request: HttpRequest, given: ProjectIn) -> ProjectOut:
    """Make a project: for operators."""
    require_operator(request.user)
    owner = _user(given.owner) if given.owner else None
    return _shown(request, members.create_project(name=given.name, owner=owner))


@routes.reads("/projects/{project}", ProjectOut)
def get_project(request: HttpRequest, response: HttpResponse, project: str) -> ProjectOut:
    """One project; its ETag goes with a change."""
    return tagged(response, _shown(request, _project(request, project)))


@routes.changes("/projects/{project}", ProjectOut, scope=Scope.ADMIN)
def change_project(
    request: HttpRequest, response: HttpResponse, project: str, given: ProjectChange
) -> ProjectOut:
    """Say what its unfinished uploads may come to: for operators."""
    found = _project(request, project)
    require_operator(request.user)
    with transaction.atomic():
        found = Project.objects.select_for_update().get(pk=found.pk)
        refuse_changed(request, _shown(request, found))
        members.set_upload_quota(project=found, quota_bytes=given.upload_quota_bytes)
    return tagged(response, _shown(request, found))


@routes.removes("/projects/{project}", scope=Scope.ADMIN)
def delete_project(request: HttpRequest, project: str) -> Status:
    """Remove an empty project."""
    found = _owned(request, project)
    members.delete_project(project=found)
    return Status(204, None)


@routes.reads("/projects/{project}/members", Page[MemberOut])
def list_members(request: HttpRequest, project: str, paging: Query[Paging]) -> dict[str, Any]:
    """Who is in a project."""
    rows = _project(request, project).memberships.select_related("user")
    return page_of(rows, paging, _member)


@routes.puts("/projects/{project}/members/{username}", MemberOut, scope=Scope.ADMIN)
def set_member(request: HttpRequest, project: str, username: str, given: MemberIn) -> MemberOut:
    """Let somebody into a project, or give them another role: for owners."""
    found = _owned(request, project)
    user = _user(username)
    return _member(members.set_member(project=found, user=user, role=given.role))


@routes.removes("/projects/{project}/members/{username}", scope=Scope.ADMIN)
def remove_member(request: HttpRequest, project: str, username: str) -> Status:
    """Let a member go: for owners. What they made stays."""
    found = _owned(request, project)
    if not members.remove_member(project=found, user=_user(username)):
        raise Http404
    return Status(204, None)


@routes.does("/projects/{project}/sharing", ShareOut, scope=Scope.ADMIN)
def share_with_all(request: HttpRequest, project: str, given: ShareIn) -> ShareOut:
    """Share a checkpoint, an image collection or a prompt set with all projects: for owners."""
    found = _owned(request, project)
    row = set_shared(
        project=found, kind=given.kind, reference=given.reference, is_shared=given.shared
    )
    return ShareOut(kind=given.kind, reference=given.reference, shared=row.is_shared)


@routes.reads("/projects/{project}/audit", Page[AuditOut], scope=Scope.ADMIN)
def list_audit_entries(request: HttpRequest, project: str, paging: Query[Paging]) -> dict[str, Any]:
    """What was changed in a project, the latest first: for owners."""
    entries = AuditEntry.objects.filter(project=_owned(request, project))
    return page_of(entries, paging, _entry, latest_first=True)


def _project(request: HttpRequest, name: str) -> Project:
    found = projects_of(request.user).filter(name=name).first()
    if found is None:
        raise Http404
    return found


def _owned(request: HttpRequest, name: str) -> Project:
    found = _project(request, name)
    require_role(request.user, found, Role.OWNER)
    return found


def _user(username: str) -> User:
    found = User.objects.filter(username=username, is_active=True).first()
    if found is None:
        raise BadInputError(
            f"no user {username[:40]!r}; give the name as that person signs in, capitals too, or "
            "ask an operator to make the account."
        )
    return found


def _shown(request: HttpRequest, project: Project) -> ProjectOut:
    return ProjectOut(
        name=project.name,
        created_at=project.created_at,
        role=role_of(request.user, project) or Role.VIEWER,
        upload_quota_bytes=project.upload_quota_bytes,
    )


def _member(row: Membership) -> MemberOut:
    return MemberOut(username=row.user.get_username(), role=row.role)


def _entry(row: AuditEntry) -> AuditOut:
    return AuditOut(
        number=row.pk, at=row.at, actor=row.actor, via=row.via, action=row.action, kind=row.kind,
        label=row.label, before=row.before, after=row.after,
    )  # fmt: skip
