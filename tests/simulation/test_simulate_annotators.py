"""Simulated annotators as HTTP clients of the real site."""

from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, Vote
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.services import close_campaign
from evalplatform.quality.services import make_gold
from evalplatform.reports.results import campaign_results
from evalplatform.reports.table import results_table
from evalplatform.simulation.tastes import CURATORS
from tests import live, safety
from tests.simulation import drawings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def site(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), live.site() as address:
        yield address


def simulate(campaign, site, **options):
    call_command("simulate_annotators", campaign.slug, site=site, **options)


def test_twelve_clients_give_every_item_exactly_five_votes(campaign, site):
    simulate(campaign, site, annotators=12, seed=5)
    votes = Vote.objects.all()
    assert votes.count() == 40
    assert all(vote.is_simulated for vote in votes)
    per_item = Counter(votes.values_list("assignment__item", flat=True))
    assert len(per_item) == 8
    assert set(per_item.values()) == {5}
    judges = {}
    for vote in votes.select_related("assignment"):
        judges.setdefault(vote.assignment.item_id, set()).add(vote.annotator_id)
    assert all(len(people) == 5 for people in judges.values())
    assert Annotator.objects.filter(is_simulated=True).count() == 12
    assert Annotator.objects.first().simulated_behaviour["model"] == "pixel-arithmetic/1"


@pytest.mark.parametrize(
    ("form", "options", "items"),
    [
        ("pair_both_neither", {}, 6),
        ("ranking", {"arms": 4, "design": "together"}, 6),
        ("rating", {"arms": 1}, 6),
        ("keep_reject", {"arms": 3}, 18),
    ],
)
def test_clients_answer_in_every_form_and_in_its_checks(site, form, options, items):
    """Six prompts, both criteria: examples, a qualification, hidden gold and repeats."""
    quality = {"gold_rate": 0.25, "repeat_rate": 0.25, "repeat_gap": 0, "qualification_pairs": 2}
    rules = {"quality": quality, "annotation": {"same_pair": "unrestricted"}}
    campaign = safety.make_draft(threshold=None, prompts=6, k=2, form=form, rules=rules, **options)
    make_gold(campaign=campaign, counts={"example": 1, "qualification": 1, "check": 2})
    open_campaign(campaign=campaign)
    simulate(campaign, site, annotators=3, seed=5)
    main = Vote.objects.filter(assignment__purpose="main")
    per_item = Counter(main.values_list("assignment__item", flat=True))
    assert sorted(per_item.values()) == [2] * 2 * items
    votes = Vote.objects.all()
    assert {vote.form for vote in votes} == {form}
    assert all(vote.is_simulated for vote in votes)
    purposes = set(votes.values_list("assignment__purpose", flat=True))
    assert purposes >= {"main", "qualification"}
    assert purposes & {"gold", "repeat"}


@pytest.mark.parametrize(
    ("criterion", "form"), [("image_caption", "caption"), ("caption_truth", "approve")]
)
def test_clients_write_and_approve_captions(site, criterion, form):
    campaign = safety.make_draft(
        threshold=None, prompts=4, k=1, form=form, arms=1, criteria=[criterion]
    )
    open_campaign(campaign=campaign)
    simulate(campaign, site, annotators=2, seed=5)
    answers = list(Vote.objects.values_list("answer", flat=True))
    assert len(answers) == 4
    if form == "caption":
        assert min(len(each) for each in answers) > 60  # longer than any other form's answers


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
    with pytest.raises(CommandError, match=r"sim-5-00 .* behaves otherwise .* another seed"):
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
    before = list(Vote.objects.order_by("pk").values_list("pk", flat=True))
    simulate(campaign, site, annotators=6, seed=5)
    assert list(Vote.objects.order_by("pk").values_list("pk", flat=True)) == before
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
