"""What the site's header shows of projects, on the pages that have it: asked when it is read."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from evalplatform.accounts.current import current_project
from evalplatform.accounts.projects import projects_of


def projects(request: HttpRequest) -> dict[str, Any]:
    """Return `my_projects`, and `project_names`: whether a list must say whose each row is."""
    mine = SimpleLazyObject(lambda: list(projects_of(request.user)))
    current = SimpleLazyObject(lambda: [current_project(request)])
    return {
        "my_projects": mine,
        "current_projects": current,
        "project_names": SimpleLazyObject(lambda: len(mine) > 1 and current[0] is None),
    }
