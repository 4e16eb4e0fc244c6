"""What Prometheus reads: requests of all processes, votes, leases, health."""

import pytest
import requests
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from evalplatform.accounts.projects import default_project
from evalplatform.annotation.services import enrol
from evalplatform.curation.services import scoring_claims as claims
from evalplatform.curation.services.scoring import ScoringPlan, cancel_scoring, request_scoring
from tests import factories, live

pytestmark = pytest.mark.django_db


def parsed(text: str) -> dict[tuple[str, ...], float]:
    """Return values by name and labels, whose order is that of the labels' names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def scraped(client, settings):
    settings.METRICS_TOKEN = "secret"

    def scrape() -> dict[tuple[str, ...], float]:
        answer = client.get("/metrics", headers={"Authorization": "Bearer secret"})
        return parsed(answer.content.decode())

    return scrape


def test_metrics_need_the_token(client, settings):
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "secret"
    assert client.get("/metrics").status_code == 401
    wrong = client.get("/metrics", headers={"Authorization": "Bearer other"})
    assert wrong.status_code == 401


def test_requests_are_counted_by_route_and_status(client, scraped):
    before = scraped()
    client.get("/healthz")
    client.get("/no/such/page")
    client.generic("INVENTED", "/healthz")
    after = scraped()

    def more(*labels: str) -> float:
        key = ("evalplatform_http_requests_total", *labels)
        return after.get(key, 0) - before.get(key, 0)

    assert more("GET", "core:healthz", "200") == 1
    assert more("GET", "none", "404") == 1
    assert more("other", "core:healthz", "405") == 1
    count = ("evalplatform_http_request_seconds_count", "core:healthz")
    assert after[count] - before.get(count, 0) == 2


def test_no_address_or_name_of_a_person_is_a_label(client, scraped, campaign, ana):
    client.get(f"/annotate/{campaign.slug}/?PROLIFIC_PID=5f1e")
    assert "5f1e" not in str(scraped())
    assert "ana" not in {part for key in scraped() for part in key}


def test_votes_and_leases_are_told(campaign, ana, scraped):
    enrolment = enrol(campaign=campaign, annotator=ana)
    for _ in range(2):
        factories.vote(enrolment, factories.lease(enrolment))
    factories.lease(enrolment)
    found = scraped()
    assert found["evalplatform_votes_total",] == 2
    assert found["evalplatform_leases", campaign.slug] >= 1
    assert found["evalplatform_leases_overdue", campaign.slug] == 0
    assert found["evalplatform_part_works", "database"] == 1


def test_scoring_is_told(scraped, tmp_path):
    plan = ScoringPlan(scorers=["size"], out=tmp_path / "scores", data=tmp_path)
    request = request_scoring(project=default_project(), name="hay", plan=plan)
    listing = claims.claim_shard(worker="host:7", now=timezone.now())
    now = scraped()
    assert now["evalplatform_scoring_jobs", "running"] == 1
    assert now["evalplatform_scoring_worker_busy", "host:7"] == 1
    claims.add_shards(listing=listing, shards=[("", 0, 4), ("", 4, 9)], now=timezone.now())
    first = claims.claim_shard(worker="host:7", now=timezone.now())
    claims.note_shard(shard=first, looked=4, unreadable=1)
    claims.fail_shard(shard=first, error=OSError("no room"), now=timezone.now())
    now = scraped()
    assert now["evalplatform_scoring_jobs", "queued"] == 1
    assert now["evalplatform_scoring_jobs", "failed"] == 1
    assert ("evalplatform_scoring_worker_busy", "host:7") not in now
    assert now["evalplatform_scoring_jobs_left", "hay"] == 2
    assert now["evalplatform_scoring_images_total", "hay"] == 4
    assert now["evalplatform_scoring_unreadable", "hay"] == 1
    cancel_scoring(request=request)
    assert scraped()["evalplatform_scoring_jobs_left", "hay"] == 0


@pytest.mark.django_db(transaction=True)
def test_every_process_of_the_site_counts_towards_the_same_figures():
    """Under gunicorn: two processes, one of which is scraped."""
    head = {"Authorization": "Bearer secret"}
    with live.site(METRICS_TOKEN="secret") as site:
        asked = 40
        for _ in range(asked):
            requests.get(f"{site}/favicon.ico", timeout=30, allow_redirects=False)
        counts = set()
        for _ in range(6):
            found = parsed(requests.get(f"{site}/metrics", headers=head, timeout=30).text)
            counts.add(found["evalplatform_http_requests_total", "GET", "core:favicon", "302"])
    assert counts == {asked}
