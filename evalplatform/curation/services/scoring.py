"""Asking the workers to score images, and steering what was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from celery import current_app
from django.db import transaction
from django.utils import timezone

from evalplatform.accounts.models import Project, User
from evalplatform.accounts.projects import refuse_foreign
from evalplatform.core.errors import BadInputError
from evalplatform.core.leased_jobs import JobStatus
from evalplatform.core.names import check_slug
from evalplatform.core.steering import Steering
from evalplatform.curation.models import ScoringRequest, ScoringShard
from evalplatform.generation.selectors import live_workers
from evalplatform.images.models import ImageCollection

TASK = "curation.score_shards"
SHARD_SIZE = 1000
MOST_IMAGES = 1_000_000  # of a job
_LONGEST_NAME, _LONGEST_PATH = 80, 500
Request = ScoringRequest.Status


@dataclass(frozen=True)
class ScoringPlan:
    """What is scored by what, and where the scores go. One of `data` and `collection` is given."""

    scorers: Sequence[str]
    out: Path
    data: Path | None = None
    collection: ImageCollection | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    caption: str = "caption"
    shard_size: int = SHARD_SIZE


def request_scoring(
    *, project: Project, name: str, plan: ScoringPlan, created_by: User | None = None
) -> ScoringRequest:
    """Ask the workers; asked again under the same name for the same, it goes on as it is.

    Raises `BadInputError` for a plan that holds none or both sources, no scorer, jobs of fewer than
    1 or more than a million images, another project's collection or scores, or a name that is none
    or something else's.
    """
    _check_name(name)
    asked = _checked(project, plan)
    with transaction.atomic():
        request, is_new = ScoringRequest.objects.get_or_create(
            name=name, defaults=asked | {"project": project, "created_by": created_by}
        )
        differing = [key for key, value in asked.items() if getattr(request, key) != value]
        if differing or request.project_id != project.pk:
            raise BadInputError(
                f"{name!r} asks for something else already "
                f"({', '.join(differing) or 'in another project'}); give another name."
            )
        if is_new:
            ScoringShard.objects.create(request=request, number=0)
        _steering.wake_for(request)
    return request


def _check_name(name: str) -> None:
    """Refuse what no address of a page can hold."""
    check_slug(name, "a scoring")
    if len(name) > _LONGEST_NAME:
        raise BadInputError(f"the name has {len(name)} characters; give at most {_LONGEST_NAME}.")


def _checked(project: Project, plan: ScoringPlan) -> dict[str, object]:
    if (plan.data is None) == (plan.collection is None):
        raise BadInputError("give a path of images or a collection, one of both.")
    if not 1 <= plan.shard_size <= MOST_IMAGES:
        raise BadInputError(f"{plan.shard_size} images a job; accepted: 1 to {MOST_IMAGES:,}.")
    if not plan.scorers:
        raise BadInputError("no scorer is named; `size` alone is one.")
    if plan.collection is not None:
        refuse_foreign(project, plan.collection)
    out = str(plan.out.resolve())
    for place in (out, str((plan.data or plan.out).resolve())):
        if len(place) > _LONGEST_PATH:
            raise BadInputError(
                f"the path {place[:80]}… has {len(place)} characters; give one of at most "
                f"{_LONGEST_PATH}."
            )
    if ScoringRequest.objects.filter(out=out).exclude(project=project).exists():
        # Newer scores of an image count, so they would change what the other project selects.
        raise BadInputError(f"{out} holds scores of another project; name another folder.")
    return {
        "data": "" if plan.data is None else str(plan.data.resolve()),
        "collection": plan.collection, "out": out,
        "scorers": list(plan.scorers), "options": dict(plan.options), "caption": plan.caption,
        "shard_size": plan.shard_size,
    }  # fmt: skip


def cancel_scoring(*, request: ScoringRequest) -> int:
    """Drop the jobs that are not done; return how many. Scores that were written are kept."""
    with transaction.atomic():
        ScoringRequest.objects.filter(pk=request.pk).update(status=Request.CANCELLED)
        ended = request.shards.exclude(status__in=[JobStatus.DONE, JobStatus.CANCELLED]).update(
            status=JobStatus.CANCELLED, lease_expires_at=None
        )
    request.status = Request.CANCELLED
    return ended


def send_scoring_wakes(count: int) -> None:
    """Wake up to `count` workers. One message too many, or one lost, does no harm."""
    for _ in range(count):
        current_app.send_task(TASK, queue="generation")


def _refusal_of_cancelled(request: ScoringRequest) -> BadInputError:
    return BadInputError(
        f"{request} was cancelled; its scores are kept. Score under another name into "
        f"{request.out}: what is there is not made again."
    )


_steering = Steering[ScoringRequest](
    jobs=lambda request: request.shards.all(),
    refusal_of_cancelled=_refusal_of_cancelled,
    wake=lambda count: send_scoring_wakes(count),  # looked up when called
    workers=lambda: len(live_workers(timezone.now())),
)
pause_scoring, resume_scoring, retry_scoring = _steering.pause, _steering.resume, _steering.retry
