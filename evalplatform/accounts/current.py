"""The project whose objects a person's lists show: chosen in the header, or all of theirs."""

from typing import TypeVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from evalplatform.accounts.models import InProject, Project, Shareable
from evalplatform.accounts.projects import projects_of

_KEY = "project"
_Row = TypeVar("_Row", bound=InProject)


def current_project(request: HttpRequest) -> Project | None:
    """Return the project that was chosen, while the person is in it; None: all of theirs."""
    name = request.session.get(_KEY)
    return projects_of(request.user).filter(name=name).first() if name else None


def choose_project(request: HttpRequest, project: Project | None) -> None:
    """Show the lists of one project from now on; None: of all."""
    request.session[_KEY] = project.name if project else ""


def in_current_project(request: HttpRequest, rows: QuerySet[_Row]) -> QuerySet[_Row]:
    """Return the rows of the chosen project and the shared ones; all where none is chosen."""
    project = current_project(request)
    if project is None:
        return rows
    mine = Q(project=project)
    return rows.filter(mine | Q(is_shared=True) if issubclass(rows.model, Shareable) else mine)
