"""Boards, comparisons and pay by the API: the numbers that pages and commands show."""

import json

import pytest
from django.core.management import call_command

from evalplatform.accounts.models import Annotator, User
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.pooling import boards, pooled
from tests import factories
from tests.api.test_idempotency import send, token_of
from tests.overview.test_home_and_board import judged

pytestmark = pytest.mark.django_db


@pytest.fixture
def voted():
    """Two campaigns that ask the same about the same two of three models."""
    people = [Annotator.objects.create(pseudonym=f"p{n}") for n in range(5)]
    models = [factories.make_checkpoint(name) for name in ("one", "two", "three")]
    rules = {"pay": {"per_vote": 0.5, "currency": "EUR"}}
    judged(people, "first", models[:2], rules=rules)
    judged(people, "second", models[:2], prefer=1)


def asked(path, secret):
    answer = send("GET", f"/api/v1/{path}", secret)
    return answer.status_code, answer.json()


def test_board_has_the_standings_of_the_page_and_of_a_part(voted, rania):
    secret = token_of(rania)
    _, listed = asked("boards", secret)
    (board,) = listed["items"]
    assert (board["campaigns"], board["has_votes"]) == (["first", "second"], True)
    status, found = asked(f"boards/{board['key']}", secret)
    assert status == 200
    (ranking,) = pooled(boards(Campaign.objects.all())[0].criteria).rankings
    (group,) = found["groups"]
    told = [(each["strength"], each["low"], each["rank_low"]) for each in group["standings"]]
    assert told == [(each.value, each.low, each.rank_low) for each in ranking.standings]
    assert {each["name"] for each in group["standings"]} == {"one", "two"}
    _, part = asked(f"boards/{board['key']}?without=second", secret)
    assert (group["votes"], part["groups"][0]["votes"]) == (40, 20)
    category = found["categories"][0]
    _, part = asked(f"boards/{board['key']}?category={category}", secret)
    assert 0 < part["groups"][0]["votes"] < 40
    _, part = asked(f"boards/{board['key']}?prompts={found['prompt_sets'][0]}", secret)
    assert 0 < part["groups"][0]["votes"] < 40
    for wrong in ("category=none", "prompts=none@1", "without=none"):
        status, problem = asked(f"boards/{board['key']}?{wrong}", secret)
        assert (status, "not on this board" in problem["detail"]) == (422, True)


def test_boards_of_another_project_are_not_there(voted, rania):
    key = asked("boards", token_of(rania))[1]["items"][0]["key"]
    stranger = token_of(User.objects.create_user("sam", password="a long password"))
    assert asked("boards", stranger)[1]["items"] == []
    assert asked(f"boards/{key}", stranger)[0] == 404
    assert asked("comparison?first=first&second=second", stranger)[0] == 404


def test_comparison_is_what_the_command_prints(voted, rania, capsys, monkeypatch):
    secret = token_of(rania)
    call_command("compare_campaigns", "first", "second", "--format", "json")
    printed = json.loads(capsys.readouterr().out)
    assert asked("comparison?first=first&second=second", secret) == (200, printed)
    assert asked("comparison?first=first&second=first", secret)[0] == 422
    monkeypatch.setattr("evalplatform.reports.comparison.MOST_VOTES", 39)
    status, problem = asked("comparison?first=first&second=second", secret)
    assert (status, "40 votes, and 39 at most" in problem["detail"]) == (422, True)


def test_pay_is_told_as_a_sum_and_person_by_person(voted, rania):
    secret = token_of(rania)
    _, found = asked("campaigns/first/pay", secret)
    assert (found["answers"], found["total"], found["currency"]) == (20, 10.0, "EUR")
    assert found["time_rule"].startswith("Time of an answer")
    _, listed = asked("campaigns/first/payments?limit=3", secret)
    assert [each["pseudonym"] for each in listed["items"]] == ["p0", "p1", "p2"]
    assert all(each["total"] == 2.0 for each in listed["items"])
    _, rest = asked(f"campaigns/first/payments?cursor={listed['next']}", secret)
    assert [each["pseudonym"] for each in rest["items"]] == ["p3", "p4"]
    assert asked("campaigns/second/pay", secret)[1]["total"] is None
    only_reads = token_of(rania, scopes=["read"])
    assert asked("campaigns/first/payments", only_reads)[0] == 403
