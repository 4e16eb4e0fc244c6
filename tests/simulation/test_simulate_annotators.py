"""Simulated annotators as HTTP clients of the real site."""

from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.campaigns.services import close_campaign
from evalplatform.reports.results import campaign_results
from evalplatform.reports.table import results_table
from evalplatform.simulation.tastes import CURATORS
from tests import live
from tests.simulation import drawings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), live.site() as address:
        yield address


def simulate(campaign, site, **options):
    call_command("simulate_annotators", campaign.slug, site=site, **options)


def test_twelve_clients_give_every_comparison_exactly_five_votes(campaign, site):
    simulate(campaign, site, annotators=12, seed=5)
    votes = Vote.objects.all()
    assert votes.count() == 40
    assert all(vote.is_simulated for vote in votes)
    per_comparison = Counter(votes.values_list("assignment__comparison", flat=True))
    assert set(per_comparison.values()) == {5}
    judges = {}
    for vote in votes.select_related("assignment"):
        judges.setdefault(vote.assignment.comparison_id, set()).add(vote.annotator_id)
    assert all(len(people) == 5 for people in judges.values())
    assert Annotator.objects.filter(is_simulated=True).count() == 12
    assert Annotator.objects.first().simulated_behaviour["model"] == "pixel-arithmetic/1"


def test_taught_by_a_curation_they_say_whose_taste_they_share(campaign, site, tmp_path, capsys):
    simulate(
        campaign,
        site,
        annotators=5,
        seed=6,
        curation=drawings.write(tmp_path / "data"),
        picked=drawings.write_picks(tmp_path / "picks.tsv"),
        references=drawings.write(tmp_path / "held-out", styles=("flat",), hand=1),
    )
    assert CURATORS in capsys.readouterr().out
    stated = Annotator.objects.first().simulated_behaviour
    assert (stated["model"], stated["says"]) == ("curator-taste/1", CURATORS)
    results = campaign_results(campaign)
    assert CURATORS in results.simulated_stamp
    assert CURATORS in results_table(results).replace("\n", " ")


def test_annotator_who_behaved_otherwise_before_is_not_taken_for_the_same(campaign, site, tmp_path):
    simulate(campaign, site, annotators=5, seed=5)
    with pytest.raises(CommandError, match=r"sim-5-00 .* behaves otherwise .* another --seed"):
        simulate(
            campaign,
            site,
            annotators=5,
            seed=5,
            curation=drawings.write(tmp_path / "data"),
            picked=drawings.write_picks(tmp_path / "picks.tsv"),
        )


def test_running_again_adds_nothing(campaign, site, capsys):
    simulate(campaign, site, annotators=6, seed=5)
    before = list(Vote.objects.values_list("pk", flat=True))
    simulate(campaign, site, annotators=6, seed=5)
    assert list(Vote.objects.values_list("pk", flat=True)) == before
    assert Assignment.objects.pending().count() == 0


def test_newcomers_who_find_nothing_to_judge_give_no_votes(campaign, site):
    simulate(campaign, site, annotators=5, seed=5)
    simulate(campaign, site, annotators=5, seed=6)
    assert Vote.objects.count() == 40
    assert Annotator.objects.filter(enrolments__isnull=True).count() == 5


def test_too_few_annotators_are_refused(campaign, site):
    with pytest.raises(CommandError, match="use --annotators 5 or more") as raised:
        simulate(campaign, site, annotators=4)
    assert raised.value.returncode == 2
    assert Vote.objects.count() == 0


def test_closed_campaign_is_refused(campaign, site):
    close_campaign(campaign=campaign)
    with pytest.raises(CommandError, match="only an open campaign takes votes"):
        simulate(campaign, site)


def test_site_that_does_not_answer_is_named(campaign, monkeypatch):
    monkeypatch.setattr("evalplatform.simulation.client.time.sleep", lambda seconds: None)
    with pytest.raises(CommandError, match="is the site running"):
        simulate(campaign, f"http://127.0.0.1:{live.free_port()}")
