"""Figures: the checkpoints are A and B in fixed colours, and nothing is drawn of nothing."""

import dataclasses
import json
import re

import pytest
from django.urls import reverse

from evalplatform import stats
from evalplatform.accounts.models import Annotator
from evalplatform.campaigns.models import Campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.reports.dashboard import dashboard_context, offline_dashboard
from evalplatform.reports.figures import all_figures
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def voted(campaign):
    people = [Annotator.objects.create() for _ in range(6)]
    factories.judge_everything(campaign, people, lambda slot: "left" if slot.slot % 2 else "tie")
    return campaign


def test_checkpoints_are_named_once_on_the_page_and_never_in_a_figure(voted):
    name = "a-checkpoint-" + 67 * "z"
    Checkpoint.objects.filter(pk=voted.contenders[0].checkpoint_id).update(name=name)
    voted = Campaign.objects.get(pk=voted.pk)
    results = campaign_results(voted)
    assert name not in json.dumps(all_figures(results))
    page = offline_dashboard(results).split("<body>")[1].split('id="figures"')[0]
    before_the_protocol = page.split("<h2>Protocol")[0]
    assert re.findall(f'title="{name}"|>{name}<', before_the_protocol) == [
        f'title="{name}"', f">{name}<"
    ]  # fmt: skip


def test_axis_says_which_way_a_and_b_lie(voted):
    title = all_figures(campaign_results(voted))["figure-net"]["layout"]["xaxis"]["title"]["text"]
    assert re.fullmatch(r"← B preferred\W+A preferred →", title)


def test_lone_annotator_gets_shares_and_a_sentence_instead_of_an_empty_axis(campaign, ana):
    factories.judge_everything(campaign, [ana], lambda slot: "left")
    results = campaign_results(campaign)
    assert set(all_figures(results)) == {"figure-votes"}  # no item has its five
    page = offline_dashboard(results)
    assert 'id="figure-net"' not in page
    assert "No interval of the net preference" in page


def test_estimate_without_interval_is_a_hollow_point_and_never_breaks_the_page(voted):
    results = campaign_results(voted)
    first, *others = results.groups
    net = dataclasses.replace(
        first.rates.net, low=None, high=None, state=stats.State.ONE_PROMPT, reason="One prompt."
    )
    lone = dataclasses.replace(first, rates=dataclasses.replace(first.rates, net=net))
    for groups, drawn in (([lone, *others], True), ([lone], False)):
        changed = dataclasses.replace(results, groups=groups)
        figures = all_figures(changed)
        assert ("figure-net" in figures) == drawn
        assert dashboard_context(changed)["rows"]
        json.dumps(figures, allow_nan=False)
    figure = all_figures(dataclasses.replace(results, groups=[lone, *others]))["figure-net"]
    assert figure["data"][0]["marker"]["symbol"][:2] == ["circle-open", "circle"]
    assert "One prompt." in figure["data"][0]["hovertext"][0]


def test_page_without_a_figure_loads_nothing_that_draws(campaign, client, rania):
    client.force_login(rania)
    page = client.get(reverse("reports:dashboard", args=[campaign.slug])).content.decode()
    assert "No votes yet" in page
    for text in (page, offline_dashboard(campaign_results(campaign))):
        assert not re.search(r"plotly[\w.-]*\.js|Plotly\.", text)
        assert "dashboard.js" not in text


def test_colour_of_a_net_preference_says_who_leads_where_somebody_does(voted):
    results = campaign_results(voted)
    first = results.groups[0]
    colours = []
    for low, high in ((0.1, 0.3), (-0.3, -0.1), (-0.1, 0.1)):
        net = dataclasses.replace(first.rates.net, value=(low + high) / 2, low=low, high=high)
        group = dataclasses.replace(first, rates=dataclasses.replace(first.rates, net=net))
        figure = all_figures(dataclasses.replace(results, groups=[group]))["figure-net"]
        colours += figure["data"][0]["marker"]["color"]
    bars = all_figures(results)["figure-votes"]["data"]
    a, tie, b = (each["marker"]["color"] for each in bars)
    assert colours == [a, b, tie]
