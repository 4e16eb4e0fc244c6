"""Pages of loops and rewards: the lineage leads to everything, and says what is missing."""

import pytest
from django.urls import reverse

from evalplatform.accounts.members import set_member
from evalplatform.accounts.projects import Role, default_project
from evalplatform.accounts.services import ensure_researcher
from evalplatform.feedback.lineage import LineageItem, lineage_of
from evalplatform.feedback.models import RegisteredReward


@pytest.fixture
def researcher(client, db):
    user, _ = ensure_researcher(username="rania")
    set_member(project=default_project(), user=user, role=Role.VIEWER)
    client.force_login(user)
    return client


def test_loop_page_shows_lineage_and_what_comes_next(researcher, loop):
    page = researcher.get(loop.get_absolute_url()).content.decode()
    assert "stickers-ranking" in page
    assert "not there yet" in page
    assert "Rankings: stickers-ranking is generating" in page


def test_what_was_learned_from_simulated_votes_says_so(researcher, loop):
    round = loop.rounds.get()
    reward = RegisteredReward.objects.create(
        project=default_project(), name="learn-1", sha256="b" * 64, aspects=["visual_appeal"],
        purpose="optimised", preferences_sha256="a" * 64, round=round,
    )  # fmt: skip
    pages = [loop.get_absolute_url(), reverse("feedback:reward", args=["learn-1"])]
    assert not any("SIMULATED" in researcher.get(page).content.decode() for page in pages)
    round.preferences = {"simulated": True}
    round.save()
    reward.metadata = {"data": {"simulated": True}}
    reward.save()
    assert all("SIMULATED" in researcher.get(page).content.decode() for page in pages)


def test_one_reward_is_one_model_in_steps_and_lineage(researcher, loop):
    for number, said in enumerate(["1 reward model", "2 reward models"], start=1):
        RegisteredReward.objects.create(
            project=default_project(), name=f"learn-{number}", sha256=str(number) * 64,
            aspects=["visual_appeal"], purpose="optimised", preferences_sha256="a" * 64,
            round=loop.rounds.get(),
        )  # fmt: skip
        page = researcher.get(loop.get_absolute_url()).content.decode()
        assert f"{said}<" in page
        assert f"{said.replace('reward ', '')}<" in page


def test_list_shows_loops_and_rewards(researcher, loop):
    RegisteredReward.objects.create(
        project=default_project(), name="judge-1", sha256="b" * 64, aspects=["visual_appeal"],
        purpose="judge", preferences_sha256="a" * 64, round=loop.rounds.get(),
        evaluation={"accuracy": 0.7, "one_person": 0.744, "rows": []},
    )  # fmt: skip
    page = researcher.get(reverse("feedback:list")).content.decode()
    assert "stickers" in page
    assert "0.700" in page
    assert "0.744" in page
    reward = researcher.get(reverse("feedback:reward", args=["judge-1"])).content.decode()
    assert "It was not evaluated." in reward


def test_lineage_leads_from_the_child_to_the_next_round():
    row = [LineageItem("votes", "Votes"), LineageItem("child", "Child", "c")]
    graph = lineage_of([row, row], leads_on=1)
    assert len(graph.boxes) == 4
    assert len(graph.paths) == 3  # one in each round, one between
    assert all(0 <= box.x < graph.width and 0 <= box.y < graph.height for box in graph.boxes)
    assert [box.is_there for box in graph.boxes] == [False, True] * 2
    assert lineage_of([], 1).boxes == []
