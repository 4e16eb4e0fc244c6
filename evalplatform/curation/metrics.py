"""Figures of scoring for Prometheus, read from the database when asked (`operations`)."""

from collections.abc import Iterator

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from evalplatform.core.leased_jobs import JobStatus
from evalplatform.curation.models import ScoringRequest, ScoringShard

_STATES = (JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED)
_SHOWN = 50  # most recent requests, as of generation


class ScoringCollector:
    """Collects at each scrape: any web process can answer, none keeps counts."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield _jobs()
        yield _busy()
        yield from _requests()


def _jobs() -> Metric:
    found = dict(
        ScoringShard.objects.filter(status__in=_STATES)
        .order_by()
        .values_list("status")
        .annotate(Count("pk"))
    )
    jobs = GaugeMetricFamily(
        "evalplatform_scoring_jobs", "Scoring jobs that are not done, by state.", labels=["state"]
    )
    for state in _STATES:
        jobs.add_metric([state.value], found.get(state.value, 0))
    return jobs


def _busy() -> Metric:
    busy = GaugeMetricFamily(
        "evalplatform_scoring_worker_busy",
        "1 while a worker holds a scoring job.",
        labels=["worker"],
    )
    running = ScoringShard.objects.filter(status=JobStatus.RUNNING).order_by("worker")
    for name in running.values_list("worker", flat=True).distinct():
        busy.add_metric([name], 1)
    return busy


def _requests() -> Iterator[Metric]:
    left = GaugeMetricFamily(
        "evalplatform_scoring_jobs_left",
        "Jobs of a request that are neither done nor cancelled.",
        labels=["scoring"],
    )
    looked = CounterMetricFamily(
        "evalplatform_scoring_images", "Images of a request that are looked at.", labels=["scoring"]
    )
    unreadable = GaugeMetricFamily(
        "evalplatform_scoring_unreadable", "Those of them found spoilt.", labels=["scoring"]
    )
    for name, todo, seen, spoilt in _counted():
        left.add_metric([name], todo)
        looked.add_metric([name], seen)
        unreadable.add_metric([name], spoilt)
    yield from (left, looked, unreadable)


def _counted() -> Iterator[tuple[str, int, int, int]]:
    ended = (JobStatus.DONE, JobStatus.CANCELLED)
    last = list(ScoringRequest.objects.values_list("pk", flat=True)[:_SHOWN])
    rows = ScoringRequest.objects.filter(pk__in=last).order_by("name")
    yield from rows.annotate(
        todo=Count("shards") - Count("shards", filter=Q(shards__status__in=ended)),
        seen=Coalesce(Sum("shards__looked"), 0),
        spoilt=Coalesce(Sum("shards__unreadable"), 0),
    ).values_list("name", "todo", "seen", "spoilt")
