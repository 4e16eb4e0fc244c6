"""Who may go on with what somebody began to send."""

from typing import Protocol

from django.http import HttpRequest

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import Role, is_operator, may, require_role
from evalplatform.core.errors import NotAllowedError


class Begun(Protocol):
    """An upload that has begun."""

    @property
    def project(self) -> Project: ...
    @property
    def created_by_id(self) -> int | None: ...


def require_sender(request: HttpRequest, upload: Begun, *, or_owner: bool = False) -> None:
    """Let an upload alone go on for the editor who began it; operators may too.

    Raises `NotAllowedError` for anybody else, but an owner of the project with `or_owner`.
    """
    require_role(request.user, upload.project, Role.EDITOR)
    if upload.created_by_id == request.user.pk or is_operator(request.user):
        return
    if not (or_owner and may(request.user, upload.project, Role.OWNER)):
        raise NotAllowedError("Another person began this upload, and goes on with it.")
