"""One link, one consent, from batch to batch; nothing tells which place or file an image is."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from evalplatform.annotation.models import Enrolment
from evalplatform.annotation.services import exclude
from evalplatform.flows import services
from evalplatform.tallies.models import Pending
from tests.flows.conftest import ask, judge, new_flow, opened, person

pytestmark = pytest.mark.django_db


def begun(flow) -> Client:
    """Return a browser in which somebody agreed to the flow."""
    client = Client()
    assert client.get(flow.entrance).status_code == 200
    answer = client.post(f"{flow.entrance}begin/", {"consent": "yes"})
    assert answer.status_code == 302
    return client


def test_the_link_asks_for_consent_once_and_leads_to_the_next_batch(flow):
    batch = opened(flow)
    client = Client()
    page = client.get(flow.entrance)
    assert flow.criterion["question"].encode() in page.content
    assert not Enrolment.objects.exists()
    client.post(f"{flow.entrance}begin/")
    answer = client.get(flow.entrance)
    assert answer["Location"] == f"/annotate/{batch.campaign.invitation}/"
    work = client.get(answer["Location"])
    assert b'data-state="judge"' in work.content
    services.close_batch(batch=batch, now=timezone.now())
    other = opened(flow)
    assert client.get(flow.entrance)["Location"] == f"/annotate/{other.campaign.invitation}/"
    assert Enrolment.objects.values("annotator").distinct().count() == 1


def test_without_a_batch_the_page_looks_again_by_itself(flow):
    client = begun(flow)
    page = client.get(flow.entrance).content.decode()
    assert 'data-flow="waiting"' in page
    assert 'data-look-again="5"' in page
    assert page.count("<script") == page.count('<script type="module" src="') == 1
    opened(flow)
    assert client.get(flow.entrance).status_code == 302


def test_a_finished_batch_leads_on(flow):
    batch = opened(flow)
    client = begun(flow)
    work = client.get(flow.entrance)["Location"]
    state = client.get(f"{work}next/?want=1").json()
    for shown in (state["sets"][0], None):
        shown = shown or client.get(f"{work}next/?want=1").json()["sets"][0]
        vote = {"assignment": shown["assignment"], "answer": "0>1>2", "want": "1",
                "idempotency_key": shown["idempotency_key"]}  # fmt: skip
        told = client.post(f"{work}vote/", vote, headers={"Accept": "application/json"}).json()
    assert told["next"]["state"] == "done"
    assert told["next"]["exit"] == {"url": flow.entrance, "label": "Go on to more images"}
    assert flow.entrance.encode() in client.get(work).content
    assert b'data-flow="waiting"' in client.get(flow.entrance).content
    services.close_batch(batch=batch, now=timezone.now())
    state = client.get(f"{work}next/?want=1").json()
    assert (state["state"], state["exit"]["url"]) == ("done", flow.entrance)


def test_who_is_led_on_counts_nothing_and_so_waits_for_nobody_who_counts(flow):
    opened(flow)
    judge(flow, person(flow), most=1)
    assert Pending.objects.count() == 1
    assert services.enrol_in_next(flow=flow, annotator=person(flow), now=timezone.now())
    assert Pending.objects.count() == 1


def test_the_batch_whose_deadline_is_next_comes_first(flow):
    slow = opened(flow, deadline_seconds=7200)
    quick = opened(flow, deadline_seconds=600)
    annotator = person(flow)
    first = services.enrol_in_next(flow=flow, annotator=annotator, now=timezone.now())
    assert first == quick.campaign
    judge(flow, annotator)
    second = services.enrol_in_next(flow=flow, annotator=annotator, now=timezone.now())
    assert second == slow.campaign


def test_who_comes_after_the_deadline_is_led_past_it(flow):
    late = opened(flow, deadline_seconds=600)
    now = timezone.now() + timedelta(seconds=700)
    assert services.enrol_in_next(flow=flow, annotator=person(flow), now=now) is None
    late.refresh_from_db()
    assert late.status == "late"


def test_who_was_excluded_from_a_batch_gets_no_other(flow):
    batch = opened(flow)
    client = begun(flow)
    client.get(flow.entrance)
    exclude(
        enrolment=batch.campaign.enrolments.get(), rule="by hand", detail="x", now=timezone.now()
    )
    opened(flow)
    assert b'data-flow="turned_away"' in client.get(flow.entrance).content


def test_a_closed_flow_says_so_to_everybody(flow):
    client = begun(flow)
    services.close_flow(flow=flow, now=timezone.now())
    for each in (client, Client()):
        assert b'data-flow="closed"' in each.get(flow.entrance).content


def test_a_wrong_link_is_none(client, flow):
    assert client.get("/annotate/flow/nothing/").status_code == 404
    assert client.post("/annotate/flow/nothing/begin/").status_code == 404
    assert client.get("/annotate/flow/a%00b/").status_code == 404


def test_too_many_from_one_place_wait(flow, settings):
    settings.ENROLMENTS_PER_ADDRESS = 1
    begun(flow)
    answer = Client().post(f"{flow.entrance}begin/")
    assert answer.status_code == 429


def test_nothing_tells_the_trainers_files_or_places(flow):
    batch = opened(flow)
    client = begun(flow)
    work = client.get(flow.entrance)["Location"]
    told = client.get(work).content.decode() + client.get(f"{work}next/?want=9").content.decode()
    names = {flow.slug, "flow-taste", *batch.hashes, "place 0", "taste-1-a"}
    assert not [each for each in names if each in told]
    images = re.findall(r"/annotate/images/[^\"/]+/\d/", told)
    lengths = set()
    for address in sorted(set(images)):
        answer = client.get(address)
        lengths.add(len(b"".join(answer)))
        assert not [each for each in names if each in str(answer.headers)]
    assert len(lengths) == 1


def test_a_waiting_batch_is_nobodys_yet(flow):
    ask(flow)
    assert judge(flow, person(flow)) == 0


def test_who_is_known_from_elsewhere_is_asked_for_consent_all_the_same(flow):
    opened(flow)
    client = begun(new_flow("another"))
    assert client.get(flow.entrance).status_code == 200  # the welcome page
    assert not Enrolment.objects.filter(campaign__flow_batch__flow=flow).exists()
