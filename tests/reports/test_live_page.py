"""A page of many votes answers at once with the last results, and newer ones come by themselves."""

import threading
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.services import close_campaign
from evalplatform.reports import cached, computing
from evalplatform.reports.cached import compute_if_changed, last_results, results_of
from evalplatform.reports.computing import ask, standing_of
from evalplatform.reports.models import KeptResults
from evalplatform.reports.results import campaign_results
from evalplatform.reports.tasks import compute_results
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = timedelta(seconds=1)


@pytest.fixture
def asked(monkeypatch):
    """Whom a page asked to compute, with no campaign small enough to be computed at once."""
    asked = []
    monkeypatch.setattr(computing, "AT_ONCE", -1)
    monkeypatch.setattr(computing, "_sent", lambda campaign: not asked.append("worker"))
    monkeypatch.setattr(computing, "_start_process", lambda campaign: asked.append("process"))
    return asked


@pytest.fixture
def open_one(db):
    draft = factories.make_draft(prompts=4, k=2, criteria=["visual_appeal"])
    open_campaign(campaign=draft)
    return draft


@pytest.fixture
def voter(open_one):
    enrolment = enrol(campaign=open_one, annotator=Annotator.objects.create())
    factories.vote(enrolment, factories.lease(enrolment))
    return enrolment


def page(client, campaign, name="dashboard", **query):
    return client.get(reverse(f"reports:{name}", args=[campaign.slug]), query)


def test_page_shows_live_numbers_before_there_are_results(voter, asked, client, rania):
    client.force_login(rania)
    text = page(client, voter.campaign).content.decode()
    assert "The first results are being computed" in text
    assert "<b>1</b> of 8 votes" in text
    assert asked == ["worker"]


def test_page_shows_the_last_results_with_their_age_and_never_computes(
    voter, asked, client, rania, monkeypatch
):
    campaign = voter.campaign
    compute_results(campaign.pk)
    client.force_login(rania)
    assert "Results of this moment: 1 vote, " in page(client, campaign).content.decode()
    factories.vote(voter, factories.lease(voter))
    monkeypatch.setattr(cached, "campaign_results", lambda campaign: pytest.fail("computed"))
    KeptResults.objects.update(
        made_at=timezone.now() - timedelta(minutes=1),
        begun_at=timezone.now() - timedelta(minutes=1),
    )
    text = page(client, campaign).content.decode()
    assert "Results of 1 vote, " in text
    assert "Newer ones are being computed" in text
    assert "<b>2</b> of 8 votes" in text  # what is counted is of this moment all the same
    assert asked == ["worker"]


def test_open_page_learns_that_there_are_newer_results(voter, asked, client, rania):
    campaign = voter.campaign
    compute_results(campaign.pk)
    client.force_login(rania)
    shown = last_results(campaign).mark
    assert "HX-Trigger" not in page(client, campaign, "state", shown=shown).headers
    factories.vote(voter, factories.lease(voter))
    assert "HX-Trigger" not in page(client, campaign, "state", shown=shown).headers
    compute_results(campaign.pk)
    answer = page(client, campaign, "state", shown=shown)
    assert answer.headers["HX-Trigger"] == "newer-results"
    assert "Show the newer results" in answer.content.decode()


def test_closed_campaign_is_called_final_only_with_its_last_vote_in(voter, asked, client, rania):
    campaign = voter.campaign
    compute_results(campaign.pk)
    factories.vote(voter, factories.lease(voter))
    close_campaign(campaign=campaign)
    client.force_login(rania)
    text = page(client, campaign).content.decode()
    assert "Not the final results: these are of 1 vote, " in text
    assert 'hx-trigger="every' in text
    compute_results(campaign.pk)
    text = page(client, campaign).content.decode()
    assert "Final results: 2 votes" in text
    assert 'hx-trigger="every' not in text


def test_export_of_a_page_that_lags_is_of_this_moment(voter, asked, client, rania):
    campaign = voter.campaign
    compute_results(campaign.pk)
    factories.vote(voter, factories.lease(voter))
    client.force_login(rania)
    url = reverse("reports:export", args=[campaign.slug, "results.json"])
    assert client.get(url).json()["votes"] == 2


def test_many_pages_ask_once_and_start_a_process_where_no_worker_begins(voter, asked):
    campaign, now = voter.campaign, timezone.now()
    for _ in range(3):
        ask(campaign, now)
    assert asked == ["worker"]
    for seconds in (4, 6, 7, 30):
        ask(campaign, now + seconds * SECOND)
    assert asked == ["worker", "process"]
    ask(campaign, now + 80 * SECOND)
    assert asked == ["worker", "process", "process"]


def test_broker_that_is_gone_leaves_computing_to_a_process(voter, asked, monkeypatch):
    monkeypatch.setattr(computing, "_sent", lambda campaign: False)
    ask(voter.campaign, timezone.now())
    assert asked == ["process"]


def test_computing_rests_four_times_as_long_as_it_takes(voter, asked):
    campaign, now = voter.campaign, timezone.now()
    KeptResults.objects.create(campaign=campaign, begun_at=now - 30 * SECOND, seconds=10)
    ask(campaign, now)
    assert asked == []
    ask(campaign, now + 11 * SECOND)
    assert asked == ["worker"]


def test_small_campaign_is_computed_at_once(voter):
    standing = standing_of(voter.campaign, timezone.now())
    assert standing.is_current
    assert standing.results.n_stored == 1


def test_second_process_does_not_compute_what_the_first_does(voter, monkeypatch):
    campaign = voter.campaign
    begun, may_end = threading.Event(), threading.Event()
    times = []

    def slowly(found):
        times.append(1)
        begun.set()
        assert may_end.wait(30)
        return campaign_results(found)

    monkeypatch.setattr(cached, "campaign_results", slowly)

    def first():
        compute_if_changed(campaign)
        connection.close()

    found = []

    def export():
        found.append(results_of(campaign))
        connection.close()

    threads = [threading.Thread(target=each) for each in (first, export)]
    threads[0].start()
    assert begun.wait(30)
    assert compute_if_changed(campaign) is False
    threads[1].start()
    may_end.set()
    for each in threads:
        each.join(30)
    assert times == [1]  # who exports waited, and took what was computed
    assert found[0].n_stored == 1


def test_failed_computing_is_told_and_the_next_one_clears_it(
    voter, asked, client, rania, monkeypatch
):
    campaign = voter.campaign
    with monkeypatch.context() as broken:
        broken.setattr(cached, "campaign_results", lambda found: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            compute_results(campaign.pk)
    client.force_login(rania)
    assert "The last attempt failed (ZeroDivisionError" in page(client, campaign).content.decode()
    call_command("compute_results", campaign.slug)
    assert "attempt failed" not in page(client, campaign).content.decode()


def test_task_of_a_campaign_that_is_gone_does_nothing(db):
    assert compute_results(10**9) == "no such campaign any more"
