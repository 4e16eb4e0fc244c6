import pytest
from django.test import Client
from django.urls import reverse

from evalplatform.annotation.services import open_campaign
from tests import factories
from tests.crowd.prolific_server import TOKEN, Prolific

JSON = {"headers": {"accept": "application/json"}}


class Study:
    """An open campaign whose people come from Prolific's study `study1`."""

    def __init__(self, **options):
        self.campaign = factories.make_draft(**options)
        open_campaign(campaign=self.campaign)
        self.url = reverse("annotation:work", args=[self.campaign.invitation])

    def come(
        self, person: str, session: str, study: str = "study1", client: Client | None = None
    ) -> Client:
        client = client or Client()
        client.get(self.url, {"PROLIFIC_PID": person, "STUDY_ID": study, "SESSION_ID": session})
        client.post(f"{self.url}begin/")
        return client

    def state(self, client: Client) -> dict:
        return client.get(f"{self.url}next/", **JSON).json()

    def judge(self, client: Client, times: int = 1) -> None:
        for _ in range(times):
            shown = self.state(client)["sets"][0]
            body = {name: shown[name] for name in ("assignment", "idempotency_key")}
            answer = client.post(f"{self.url}vote/", body | {"answer": "left"}, **JSON)
            assert answer.json()["receipt"] == "recorded"


@pytest.fixture
def study(db):
    """Two items with one slot each."""
    return Study(prompts=2, k=1, criteria=["visual_appeal"])


@pytest.fixture
def prolific(settings):
    server = Prolific()
    settings.PROLIFIC_API_URL = server.address
    settings.PROLIFIC_TOKEN = TOKEN
    yield server
    server.shutdown()
    server.server_close()
