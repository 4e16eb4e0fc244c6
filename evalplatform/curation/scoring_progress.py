"""Reading what was asked to be scored: how far it has come, and what failed."""

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet, Sum

from evalplatform.accounts.models import Project
from evalplatform.core.errors import BadInputError
from evalplatform.core.leased_jobs import JobStatus
from evalplatform.curation.models import Pool, ScoringRequest, ScoringShard

STATES = ("waiting", "scoring", "done", "failed", "paused", "cancelled")


@dataclass(frozen=True)
class ScoringProgress:
    """How far a request has come. A listing is one of its jobs."""

    request: ScoringRequest
    jobs: int
    done: int
    running: int
    looked: int  # images that workers are through with
    unreadable: int  # of those looked at in the last attempt of each job
    failures: list[str]

    @property
    def state(self) -> str:
        """In a word, of `STATES`."""
        if self.request.status != ScoringRequest.Status.ACTIVE:
            return self.request.get_status_display().lower()
        if self.is_complete:
            return "done"
        if self.is_over:
            return "failed"
        return "scoring" if self.running else "waiting"

    @property
    def is_complete(self) -> bool:
        return self.done == self.jobs

    @property
    def is_over(self) -> bool:
        """Whether no job is left that a worker would take."""
        return self.done + len(self.failures) == self.jobs


def scoring_requests() -> QuerySet[ScoringRequest]:
    """Return what was asked, the last first."""
    return ScoringRequest.objects.select_related("project", "collection")


def scoring_named(name: str, project: Project | None = None) -> ScoringRequest:
    """Return the request of this name. Raises `BadInputError` listing those there are."""
    known = scoring_requests() if project is None else scoring_requests().filter(project=project)
    found = known.filter(name=name).first()
    if found is None:
        names = ", ".join(known.values_list("name", flat=True)[:20]) or "none yet"
        raise BadInputError(f"nothing is scored as {name!r}; there are {names}.")
    return found


def scoring_of_pool(pool: Pool) -> QuerySet[ScoringRequest]:
    """Return what was asked of a pool's images."""
    return scoring_requests().filter(collection=pool.collection)


def scoring_progress(request: ScoringRequest) -> ScoringProgress:
    """Return how far a request has come, by its jobs."""
    shards = ScoringShard.objects.filter(request=request)
    told = shards.aggregate(
        jobs=Count("pk"), done=Count("pk", Q(status=JobStatus.DONE)),
        running=Count("pk", Q(status=JobStatus.RUNNING)), looked=Sum("looked"),
        unreadable=Sum("unreadable"),
    )  # fmt: skip
    failed = shards.filter(status=JobStatus.FAILED).order_by("number")
    failures = [f"{shard.words}: {shard.error}" for shard in failed]
    return ScoringProgress(
        request, told["jobs"], told["done"], told["running"], told["looked"] or 0,
        told["unreadable"] or 0, failures,
    )  # fmt: skip
