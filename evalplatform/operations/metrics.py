"""All figures for Prometheus: of requests as they were counted, the rest read when asked."""

from collections.abc import Iterator

from django.db.models import Count, Q
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from evalplatform.annotation.models import Assignment, SurplusVote, Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.core.version import code_version
from evalplatform.core.web_metrics import web_registry
from evalplatform.curation.metrics import ScoringCollector
from evalplatform.generation.metrics import GenerationCollector
from evalplatform.operations.readiness import LATEST

__all__ = ["CONTENT_TYPE", "metrics_text"]


def metrics_text() -> bytes:
    """Return every figure in Prometheus' text format."""
    read = CollectorRegistry()
    for collector in (_Installation(), _Votes(), GenerationCollector(), ScoringCollector()):
        read.register(collector)
    return generate_latest(web_registry()) + generate_latest(read)


class _Installation:
    """Which version runs, and the health of its parts as this process saw it last."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("evalplatform_build", "1, with the version.", labels=["version"])
        build.add_metric([code_version()], 1)
        yield build
        works = GaugeMetricFamily(
            "evalplatform_part_works",
            "1 while a part works, 0.5 where it is degraded, 0 where it failed.",
            labels=["part"],
        )
        took = GaugeMetricFamily(
            "evalplatform_part_seconds", "How long a part took to answer.", labels=["part"]
        )
        for part in LATEST.parts():
            works.add_metric([part.name], {"ok": 1.0, "degraded": 0.5}.get(part.state.value, 0.0))
            took.add_metric([part.name], part.milliseconds / 1000)
        yield from (works, took)


class _Votes:
    """Votes stored since the installation began, and the slots of open campaigns."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        votes = CounterMetricFamily(
            "evalplatform_votes", "Votes stored; their rate is votes a second."
        )
        votes.add_metric([], Vote.objects.count())
        late = CounterMetricFamily(
            "evalplatform_surplus_votes",
            "Answers that came after their lease had gone to another annotator.",
        )
        late.add_metric([], SurplusVote.objects.count())
        yield from (votes, late)
        yield from _leases()


def _leases() -> Iterator[Metric]:
    """Read from the partial index of what is leased and not done: as few rows as annotators."""
    now = timezone.now()
    held = GaugeMetricFamily(
        "evalplatform_leases", "Slots that an annotator holds now.", labels=["campaign"]
    )
    overdue = GaugeMetricFamily(
        "evalplatform_leases_overdue",
        "Slots whose lease ran out, which go to whoever comes next.",
        labels=["campaign"],
    )
    open_now = Campaign.objects.filter(status__in=[Campaign.Status.OPEN, Campaign.Status.PAUSED])
    names = dict(open_now.values_list("pk", "slug"))
    rows = (
        Assignment.objects.pending()
        .filter(campaign__in=names, annotator__isnull=False)
        .values("campaign")
        .annotate(
            held=Count("pk", filter=Q(lease_expires_at__gt=now)),
            overdue=Count("pk", filter=Q(lease_expires_at__lte=now)),
        )
    )
    found = {row["campaign"]: row for row in rows}
    for key, slug in sorted(names.items(), key=lambda pair: pair[1]):
        row = found.get(key, {"held": 0, "overdue": 0})
        held.add_metric([slug], row["held"])
        overdue.add_metric([slug], row["overdue"])
    yield from (held, overdue)
