"""One's own API tokens. A token makes none that may more than itself."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Query, Schema, Status

from evalplatform.accounts.models import ApiToken, Project
from evalplatform.accounts.projects import projects_of
from evalplatform.accounts.tokens import create_api_token, revoke_api_token
from evalplatform.api.callers import Caller, Scope, known_caller
from evalplatform.api.fields import Given, ProjectName, words
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes
from evalplatform.core.errors import NotAllowedError

routes = Routes(tags=["tokens"])
ScopeName = Literal["read", "votes", "campaigns", "models", "admin"]


class TokenOut(Schema):
    """A token, without its secret."""

    prefix: str = Field(description="How it begins; its name here.")
    label: str
    scopes: list[Annotated[str, words(Scope.values)]]
    project: str | None = Field(description="The only one it acts in; null: all of yours.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokenMade(TokenOut):
    """A new token, with its secret, this once."""

    secret: str


class TokenIn(Given):
    """A token to be made."""

    label: str = Field(max_length=80, description="What it is for.")
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=5)]
    project: ProjectName = ""
    expires_at: datetime | None = None


@routes.reads("/tokens", Page[TokenOut], scope=Scope.ADMIN)
def list_tokens(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """Your own tokens, the latest first."""
    caller = known_caller(request)
    rows = ApiToken.objects.filter(user=caller.user).select_related("project")
    return page_of(_in_reach(rows, caller), paging, _shown, latest_first=True)


@routes.makes("/tokens", TokenMade, scope=Scope.ADMIN)
def create_token(request: HttpRequest, given: TokenIn) -> TokenMade:
    """Make a token; made by a token, it may no more and lasts no longer than that."""
    caller, project = known_caller(request), _project(request, given.project)
    expires_at = given.expires_at
    if expires_at is not None and timezone.is_naive(expires_at):
        expires_at = timezone.make_aware(expires_at)
    if caller.token is not None:
        _refuse_more(caller.token, given, project, expires_at)
    token, secret = create_api_token(
        user=caller.user, label=given.label, scopes=given.scopes, project=project,
        expires_at=expires_at, now=timezone.now(),
    )  # fmt: skip
    return TokenMade(**_shown(token).model_dump(), secret=secret)


@routes.removes("/tokens/{prefix}", scope=Scope.ADMIN)
def revoke_token(request: HttpRequest, prefix: str) -> Status:
    """Revoke one of your own tokens, for good."""
    caller = known_caller(request)
    rows = _in_reach(ApiToken.objects.filter(user=caller.user), caller)
    token = rows.filter(prefix=prefix).first()
    if token is None:
        raise Http404
    revoke_api_token(token=token, now=timezone.now())
    return Status(204, None)


def _in_reach(rows: Any, caller: Caller) -> Any:
    """Return the tokens that a caller may see: for one project, those of that project."""
    only = caller.token and caller.token.project
    return rows.filter(project=only) if only else rows


def _project(request: HttpRequest, name: str) -> Project | None:
    if not name:
        return None
    project = projects_of(request.user).filter(name=name).first()
    if project is None:
        raise Http404
    return project


def _refuse_more(
    token: ApiToken, given: TokenIn, project: Project | None, expires_at: datetime | None
) -> None:
    more = sorted(set(given.scopes) - set(token.scopes))
    if more:
        raise NotAllowedError(
            f"This token has not the scope {more[0]}, so it cannot pass it on; use one that has "
            "it, or the page of API tokens."
        )
    if token.project_id is not None and (project is None or project.pk != token.project_id):
        raise NotAllowedError(f"This token acts in {token.project} alone, and so must its tokens.")
    ends = token.expires_at
    if ends is not None and (expires_at is None or expires_at > ends):
        raise NotAllowedError(
            f"This token expires at {ends:%Y-%m-%dT%H:%M:%SZ}, and its tokens no later."
        )


def _shown(token: ApiToken) -> TokenOut:
    return TokenOut(
        prefix=token.prefix, label=token.label, scopes=token.scopes,
        project=token.project.name if token.project else None, created_at=token.created_at,
        expires_at=token.expires_at, last_used_at=token.last_used_at, revoked_at=token.revoked_at,
    )  # fmt: skip
