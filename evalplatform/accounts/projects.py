"""Who may see and do what: the one place that decides it.

Operators and superusers see and steer everything; anybody else what their role in a project
allows. What is in another project does not exist for them, unless it is shared. Whoever comes
with a token for one project (`User.acts_only_in`) is in no other, operators too.
"""

from typing import TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, Q, QuerySet
from django.http import Http404

from evalplatform.accounts.models import InProject, Membership, Project, Shareable, User
from evalplatform.core.errors import BadInputError, NotAllowedError

Role = Membership.Role
Asking = User | AnonymousUser
DEFAULT = "default"
_NAMED = 10  # projects in a refusal
_Row = TypeVar("_Row", bound=Model)


def is_operator(user: Asking) -> bool:
    """Return whether this person runs the installation, and so acts in every project."""
    return _runs_the_site(user) and _only_in(user) is None


def _runs_the_site(user: Asking) -> bool:
    return isinstance(user, User) and (user.is_superuser or user.role == User.Role.OPERATOR)


def _only_in(user: Asking) -> int | None:
    """Return the one project somebody acts in by their token; None: in all of theirs."""
    return user.acts_only_in if isinstance(user, User) else None


def role_of(user: Asking, project: Project) -> Membership.Role | None:
    """Return what somebody may do in a project; None where it does not exist for them."""
    if not isinstance(user, User) or _only_in(user) not in (None, project.pk):
        return None
    if _runs_the_site(user):
        return Role.OWNER
    found = Membership.objects.filter(project=project, user=user).first()
    return Role(found.role) if found else None


def may(user: Asking, project: Project, role: Membership.Role) -> bool:
    """Return whether somebody has at least this role in a project."""
    had = role_of(user, project)
    return had is not None and had.rank >= role.rank


def require_role(user: Asking, project: Project, role: Membership.Role) -> None:
    """Raise `NotAllowedError` (403) for a role too low, naming the one needed and the owners."""
    if may(user, project, role):
        return
    owners = ", ".join(each.user.get_username() for each in owners_of(project))
    raise NotAllowedError(
        f"This needs the role {role.label.lower()} in the project {project}. Ask "
        + (f"an owner of it: {owners}." if owners else "an operator of this site: it has no owner.")
    )


def require_operator(user: Asking) -> None:
    """Raise `NotAllowedError` (403) for anybody who does not run the installation."""
    if not is_operator(user):
        raise NotAllowedError("This is for the operators of this site.")


def owners_of(project: Project) -> QuerySet[Membership]:
    """Return the owners of a project by name."""
    owners = project.memberships.filter(role=Role.OWNER)
    return owners.select_related("user").order_by("user__username")


def projects_of(user: Asking, role: Membership.Role = Role.VIEWER) -> QuerySet[Project]:
    """Return the projects in which somebody has at least this role, by name."""
    if not isinstance(user, User):
        return Project.objects.none()
    only = _only_in(user)
    found = Project.objects.all() if only is None else Project.objects.filter(pk=only)
    if _runs_the_site(user):
        return found
    enough = [each for each in Role if each.rank >= role.rank]
    return found.filter(
        pk__in=Membership.objects.filter(user=user, role__in=enough).values("project")
    )


def visible_to(user: Asking, rows: QuerySet[_Row], via: str = "") -> QuerySet[_Row]:
    """Return those rows that exist for somebody: of their projects, and shared ones.

    `via` leads to the model that has a project where the rows have none: "collection__".
    """
    if is_operator(user):
        return rows
    found = Q(**{f"{via}project__in": projects_of(user)})
    return rows.filter(found | _shared(rows.model, via))


def usable_in(project: Project, rows: QuerySet[_Row]) -> QuerySet[_Row]:
    """Return those rows that what is made in a project may be made of: its own, and shared ones."""
    return rows.filter(Q(project=project) | _shared(rows.model, ""))


def refuse_foreign(project: Project, row: Model) -> None:
    """Raise `BadInputError` for what is another project's and not shared."""
    if not usable_in(project, type(row)._default_manager.filter(pk=row.pk)).exists():
        raise BadInputError(
            f"{row} is another project's and not shared, so nothing in {project} can be made of "
            "it; an owner of its project shares it."
        )


def _shared(model: type[Model], via: str) -> Q:
    for step in filter(None, via.split("__")):
        model = model._meta.get_field(step).related_model  # type: ignore[assignment]
    return Q(**{f"{via}is_shared": True}) if issubclass(model, Shareable) else Q()


def steered_or_404(
    user: Asking, rows: QuerySet[_Row], role: Membership.Role, **lookup: object
) -> _Row:
    """Return the row that somebody is about to change.

    Raises `Http404` where it does not exist for them, `NotAllowedError` for a role too low.
    """
    row = visible_to(user, rows).filter(**lookup).first()
    if row is None:
        raise Http404
    assert isinstance(row, InProject)
    require_role(user, row.project, role)
    return row


def project_named(name: str) -> Project:
    """Return the project of this name. Raises `BadInputError` listing the known ones."""
    project = Project.objects.filter(name=name).first()
    if project is None:
        known = ", ".join(Project.objects.values_list("name", flat=True)[:20])
        raise BadInputError(
            f"no project {name!r}; known: {known or 'none yet'}. An operator makes one.",
            by_command="`manage.py project add NAME` does it.",
        )
    return project


def default_project() -> Project:
    """Return the project of those who never made one, made at its first use."""
    return Project.objects.get_or_create(name=DEFAULT)[0]


def project_to_create_in(user: Asking, name: str) -> Project:
    """Return the project in which somebody makes something: the named, or the only one they may.

    Raises:
        Http404: no project of this name exists for them.
        NotAllowedError: their role in it is too low.
        BadInputError: none was named of several.
    """
    if name:
        project = projects_of(user).filter(name=name).first()
        if project is None:
            raise Http404
        require_role(user, project, Role.EDITOR)
        return project
    found = list(projects_of(user, Role.EDITOR)[:_NAMED])
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        more = " or another" if len(found) == _NAMED else ""
        raise BadInputError(
            f"you are in several projects; say in which this belongs: {names}{more}."
        )
    if projects_of(user).exists() or not is_operator(user):
        raise NotAllowedError(
            "This needs the role editor in a project, and you have it in none. Ask an owner of "
            "your project, or an operator of this site."
        )
    return default_project()


def project_or_default(name: str | None) -> Project:
    """Return the project that a command creates in: the named, the only, or the default one."""
    if name:
        return project_named(name)
    first = list(Project.objects.all()[:2])
    return first[0] if len(first) == 1 else default_project()
