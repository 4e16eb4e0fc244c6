"""Images scored by the workers for curation: asked for, watched, steered."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Schema

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import (
    Role,
    project_to_create_in,
    steered_or_404,
    visible_to,
)
from evalplatform.api.callers import Scope
from evalplatform.api.fields import InProjectGiven, Name, Text, words
from evalplatform.api.jobs import folders_allowed
from evalplatform.api.paging import Page, Paging, page_of
from evalplatform.api.routing import Routes
from evalplatform.core.errors import BadInputError
from evalplatform.curation.models import ScoringRequest
from evalplatform.curation.scoring_progress import STATES, scoring_progress, scoring_requests
from evalplatform.curation.selectors import pool_named
from evalplatform.curation.services import scoring as services
from evalplatform.images.models import ImageCollection
from evalplatform.images.selectors import collection_named

routes = Routes(tags=["pools"])
_AT = "/scoring/{name}"
_FAILURES_SHOWN = 20
# Scorers whose option names a field or a detector. What others are given may be a path.
_WITHOUT_PATHS = {"concepts", "popularity", "offensive"}
Scorer = Annotated[str, Field(min_length=1, max_length=80)]


class ScoringOut(Schema):
    """What was asked of the workers, and how far it is."""

    name: str
    project: str
    source: str = Field(description="What is scored, in words.")
    out: str = Field(description="Folder of the scores.")
    scorers: list[str]
    state: str = words(STATES)
    jobs: int
    done: int = Field(description="Of the jobs.")
    looked: int = Field(description="Images that workers are through with.")
    unreadable: int = Field(description="Of those.")
    failed: int = Field(description="Jobs that were given up.")
    failures: list[str] = Field(description="Why, of the first of them.")
    created_at: datetime


class ScoringIn(InProjectGiven):
    """As `manage.py scoring start`; one of `data`, `collection` and `pool` is given.

    Paths lie below a folder that an operator has opened (API_FOLDERS): `data`, `out`, and what
    `options` names as the weights of a scorer.
    """

    name: Name
    out: Text = Field(min_length=1, description="Folder of the scores, the same on every worker.")
    data: Text = Field("", description="Data directory, loose images, tar or parquet.")
    collection: Name | None = None
    pool: Name | None = None
    scorers: Annotated[list[Scorer], Field(min_length=1, max_length=50)] = ["size"]
    options: dict[str, Text] = Field({}, description="By scorer: weights, a field or a detector.")
    caption_column: str = Field("caption", min_length=1, max_length=100)
    images_a_job: Annotated[int, Field(ge=1, le=services.MOST_IMAGES)] = services.SHARD_SIZE


@routes.reads("/scoring", Page[ScoringOut])
def list_scoring(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """What was asked to be scored in your projects, the latest first."""
    return page_of(visible_to(request.user, scoring_requests()), paging, _shown, latest_first=True)


@routes.makes("/scoring", ScoringOut, scope=Scope.CAMPAIGNS)
def start_scoring(request: HttpRequest, given: ScoringIn) -> ScoringOut:
    """Ask the workers to score images; asked again for the same, it goes on as it is."""
    project = project_to_create_in(request.user, given.project)
    assert isinstance(request.user, User)
    folders_allowed(given.out, given.data, *_paths(given.options))
    plan = services.ScoringPlan(
        scorers=given.scorers, out=Path(given.out), data=Path(given.data) if given.data else None,
        collection=_collection(given, project), options=given.options,
        caption=given.caption_column, shard_size=given.images_a_job,
    )  # fmt: skip
    return _shown(
        services.request_scoring(
            project=project, name=given.name, plan=plan, created_by=request.user
        )
    )


@routes.reads(_AT, ScoringOut)
def get_scoring(request: HttpRequest, name: str) -> ScoringOut:
    """How far a scoring is, and what failed."""
    found = visible_to(request.user, scoring_requests()).filter(name=name).first()
    if found is None:
        raise Http404
    return _shown(found)


@routes.does(_AT + "/pause", ScoringOut, scope=Scope.CAMPAIGNS)
def pause_scoring(request: HttpRequest, name: str) -> ScoringOut:
    """Start no more of its jobs; images in hand are still scored."""
    return _steered(request, name, services.pause_scoring)


@routes.does(_AT + "/resume", ScoringOut, scope=Scope.CAMPAIGNS)
def resume_scoring(request: HttpRequest, name: str) -> ScoringOut:
    """Go on."""
    return _steered(request, name, services.resume_scoring)


@routes.does(_AT + "/cancel", ScoringOut, scope=Scope.CAMPAIGNS)
def cancel_scoring(request: HttpRequest, name: str) -> ScoringOut:
    """Drop the jobs that are not done, for good; scores that were written are kept."""
    return _steered(request, name, services.cancel_scoring)


@routes.does(_AT + "/retry", ScoringOut, scope=Scope.CAMPAIGNS)
def retry_scoring(request: HttpRequest, name: str) -> ScoringOut:
    """Queue its failed jobs again."""
    return _steered(request, name, services.retry_scoring)


def _steered(request: HttpRequest, name: str, verb: Any) -> ScoringOut:
    found = steered_or_404(request.user, scoring_requests(), Role.EDITOR, name=name)
    verb(request=found)
    return _shown(found)


def _paths(options: dict[str, str]) -> list[str]:
    return [given for scorer, given in options.items() if scorer not in _WITHOUT_PATHS]


def _collection(given: ScoringIn, project: Project) -> ImageCollection | None:
    if given.pool and given.collection:
        raise BadInputError("give pool or collection, not both.")
    if given.pool:
        return pool_named(given.pool, project).collection
    return collection_named(given.collection, project) if given.collection else None


def _shown(row: ScoringRequest) -> ScoringOut:
    found = scoring_progress(row)
    return ScoringOut(
        name=row.name, project=row.project.name, source=row.source, out=row.out,
        scorers=row.scorers, state=found.state, jobs=found.jobs, done=found.done,
        looked=found.looked, unreadable=found.unreadable, failed=len(found.failures),
        failures=found.failures[:_FAILURES_SHOWN], created_at=row.created_at,
    )  # fmt: skip
