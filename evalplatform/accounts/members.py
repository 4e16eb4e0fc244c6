"""Projects and their members: made, let in, given another role, let go."""

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from evalplatform.accounts.models import Membership, Project, User
from evalplatform.accounts.projects import Role
from evalplatform.core.errors import BadInputError
from evalplatform.core.names import check_slug

_RESERVED = ("audit", "switch")  # of pages beside those of projects


def create_project(*, name: str, owner: User | None) -> Project:
    """Make a project; without an owner it is the operators' alone until they name one.

    Raises `BadInputError` for a name that cannot be one or is taken.
    """
    check_slug(name, "a project")
    if name in _RESERVED:
        raise BadInputError(f"the name {name!r} is taken by a page; choose another.")
    if len(name) > 80:
        raise BadInputError("a project's name has at most 80 characters; shorten it.")
    try:
        with transaction.atomic():
            project = Project.objects.create(name=name)
            if owner:
                Membership.objects.create(project=project, user=owner, role=Role.OWNER)
    except IntegrityError as error:
        raise BadInputError(f"the name {name!r} is taken; choose another.") from error
    return project


def set_member(*, project: Project, user: User, role: str) -> Membership:
    """Let somebody into a project, or give a member another role.

    Raises `BadInputError` for an unknown role, and for the last owner's step down.
    """
    if role not in Role.values:
        raise BadInputError(f"role {role[:20]!r} is not one of {', '.join(Role.values)}.")
    with transaction.atomic():
        there = _locked(project).get(user.pk)
        if there is None:
            return Membership.objects.create(project=project, user=user, role=role)
        if role != Role.OWNER:
            _refuse_last_owner(project, there)
        there.role = role
        there.save(update_fields=["role"])
    return there


def remove_member(*, project: Project, user: User) -> bool:
    """Let a member go; return whether they were one. What they made stays.

    Raises `BadInputError` for the last owner.
    """
    with transaction.atomic():
        there = _locked(project).get(user.pk)
        if there is None:
            return False
        _refuse_last_owner(project, there)
        there.delete()
    return True


def set_upload_quota(*, project: Project, quota_bytes: int | None) -> None:
    """Say what a project's unfinished uploads may come to; None: what the site's setting says."""
    if quota_bytes is not None and not 0 <= quota_bytes <= 2**60:
        raise BadInputError(f"a quota of {quota_bytes} bytes is out of range; accepted: 0 to 2^60.")
    project.upload_quota_bytes = quota_bytes
    project.save(update_fields=["upload_quota_bytes"])


def delete_project(*, project: Project) -> None:
    """Remove an empty project and its memberships. Raises `BadInputError` while it has objects."""
    try:
        with transaction.atomic():
            project.delete()
    except ProtectedError as error:
        kinds = sorted(
            {str(type(row)._meta.verbose_name_plural) for row in error.protected_objects}
        )
        raise BadInputError(
            f"the project {project} holds {', '.join(kinds)}; only an empty one can be deleted, "
            "so that no vote is lost."
        ) from error


def _locked(project: Project) -> dict[int, Membership]:
    """Return the memberships by user, locked, so that two owners do not leave at once."""
    Project.objects.select_for_update().get(pk=project.pk)
    return {each.user_id: each for each in project.memberships.all()}


def _refuse_last_owner(project: Project, member: Membership) -> None:
    others = project.memberships.filter(role=Role.OWNER).exclude(pk=member.pk)
    if member.role == Role.OWNER and not others.exists():
        raise BadInputError(
            f"{member.user} is the last owner of {project}; make somebody else an owner first."
        )
