"""Figures of generation for Prometheus, read from the database when asked (`operations`)."""

from collections.abc import Iterator

from django.db.models import Count
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from evalplatform.generation.models import Sample
from evalplatform.generation.overview import queue_counts, request_rows, worker_rows


class GenerationCollector:
    """Collects at each scrape: any web process can answer, none keeps counts."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from _queue()
        yield from _workers()
        yield from _requests()


def _queue() -> Iterator[Metric]:
    counts = queue_counts()
    batches = GaugeMetricFamily(
        "evalplatform_batches", "Batches that are not done, by state.", labels=["state"]
    )
    for state in ("queued", "running", "failed"):
        batches.add_metric([state], counts[state])
    yield batches
    yield GaugeMetricFamily(
        "evalplatform_samples_waiting", "Samples that wait in a batch.", value=counts["planned"]
    )
    made = CounterMetricFamily(
        "evalplatform_samples_ready", "Samples made, by checkpoint.", labels=["checkpoint"]
    )
    ready = Sample.objects.filter(status=Sample.Status.READY).values_list("checkpoint__name")
    for name, count in ready.annotate(count=Count("pk")).order_by("checkpoint__name"):
        made.add_metric([name], count)
    yield made


def _workers() -> Iterator[Metric]:
    rows = worker_rows(timezone.now())
    yield GaugeMetricFamily("evalplatform_workers", "Workers that live.", value=len(rows))
    busy = GaugeMetricFamily(
        "evalplatform_worker_busy", "1 while a worker holds a batch.", labels=["worker"]
    )
    made = CounterMetricFamily(
        "evalplatform_worker_images", "Images a worker made since it started.", labels=["worker"]
    )
    rate = GaugeMetricFamily(
        "evalplatform_worker_images_per_second",
        "Images per second of work, over the last five minutes.",
        labels=["worker"],
    )
    for row in rows:
        busy.add_metric([row.name], 1 if row.making else 0)
        made.add_metric([row.name], row.images_made)
        if row.images_per_second is not None:
            rate.add_metric([row.name], row.images_per_second)
    yield from (busy, made, rate)


def _requests() -> Iterator[Metric]:
    left = GaugeMetricFamily(
        "evalplatform_request_samples_left", "Samples a request lacks.", labels=["request"]
    )
    spent = CounterMetricFamily(
        "evalplatform_request_seconds", "Worker time a request has used.", labels=["request"]
    )
    for row in request_rows(timezone.now()):
        left.add_metric([row.request.name], row.total - row.ready)
        spent.add_metric([row.request.name], row.request.spent_seconds)
    yield from (left, spent)
