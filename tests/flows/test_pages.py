"""What researchers see of flows, and that other pages do not drown in their campaigns."""

import pytest
from django.urls import reverse
from django.utils import timezone

from evalplatform.flows import services
from evalplatform.generation.models import GenerationRequest
from tests.flows.conftest import ask, judge, opened, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client, rania):
    client.force_login(rania)

    def read(address: str) -> str:
        answer = client.get(address)
        assert answer.status_code == 200
        return answer.content.decode()

    return read


def test_a_flow_shows_its_batches_their_votes_and_how_to_ask(reader, flow):
    over = opened(flow)
    for _ in range(flow.k):
        judge(flow, person(flow))
    ask(flow, 1)
    page = reader(flow.get_absolute_url())
    assert f"http://testserver{flow.entrance}" in page
    for shown in ("All votes are in", "4 / 4", "Waiting for a worker", "0 / 2"):
        assert shown in page
    assert reverse("reports:dashboard", args=[over.campaign.slug]) in page
    assert "/api/v1/flows/taste/batches" in page
    over.refresh_from_db()
    assert over.status == "done"  # reading settles
    assert "taste" in reader(reverse("flows:list"))


def test_what_failed_says_why(reader, flow):
    batch = ask(flow, 1)
    services.ending.end_batch(
        batch=batch, status="failed", now=timezone.now(), reason="a prompt was odd"
    )
    assert "a prompt was odd" in reader(flow.get_absolute_url())


def test_other_pages_leave_what_flows_made_to_their_own(reader, flow):
    opened(flow)
    assert "flow-taste-1" not in reader(reverse("reports:campaign_list"))
    assert "flow-taste-1" in reader(reverse("reports:campaign_list") + "?q=flow-taste")
    assert "flow-taste" not in reader(reverse("prompts:list"))
    others = ("overview:home", "leaderboard:leaderboard", "registry:list", "generation:overview")
    for page in others:
        assert "flow-taste-1" not in reader(reverse(page)), page
    assert not GenerationRequest.objects.exists()


def test_a_place_of_a_panel_stands_on_no_leaderboard(reader, flow):
    opened(flow)
    for _ in range(flow.k):
        judge(flow, person(flow))
    assert "place 0" not in reader(reverse("leaderboard:leaderboard"))
