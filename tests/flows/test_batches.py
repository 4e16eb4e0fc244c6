"""From asking to the end of a batch: opened by the chain of all campaigns, read at any time."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from evalplatform.annotation.models import Assignment, Vote
from evalplatform.annotation.services import exclude
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.flows import services, ticking, waiting
from evalplatform.flows.models import FlowBatch
from evalplatform.flows.selectors import state_of
from evalplatform.images.models import ImageCollection
from evalplatform.promptsets.models import PromptSet
from evalplatform.runs.states import RunProgress, RunState
from evalplatform.webhooks.services import create_webhook
from tests.flows.conftest import ask, judge, new_flow, opened, person

pytestmark = pytest.mark.django_db


def later(**delta):
    return timezone.now() + timedelta(**delta)


def test_a_batch_becomes_a_campaign_with_a_frozen_protocol(flow):
    batch = opened(flow)
    campaign = batch.campaign
    assert (campaign.slug, campaign.status, campaign.design) == ("flow-taste-1", "open", "together")
    assert campaign.protocol_sha256
    assert campaign.leads_on == flow.entrance
    slots = Assignment.objects.main().filter(campaign=campaign)
    assert slots.count() == 2 * flow.k
    shown = campaign.image_sets.main().get(prompt__position=1).images.order_by("place")
    stored = [each.collected.source_sha256 for each in shown]
    assert stored == batch.panels[1]["images"]


def test_what_is_made_for_a_batch_is_offered_to_nobody_else(flow):
    opened(flow)
    opened(flow)
    assert set(ImageCollection.objects.values_list("status", flat=True)) == {"retired"}
    assert PromptSet.objects.count() == 1  # of the same prompts


def test_a_webhook_is_told_how_a_batch_ended(flow):
    endpoint, _ = create_webhook(
        project=flow.project, url="https://1.1.1.1/hook", user=None, description="",
        events=["flow.done", "flow.late"],
    )  # fmt: skip
    batch = opened(flow)
    assert not endpoint.deliveries.exists()
    for each in (person(flow), person(flow)):
        judge(flow, each)
    services.settle(batch=batch, now=timezone.now())
    services.settle(batch=ask(flow, 1), now=later(days=2))
    services.close_batch(batch=ask(flow, 1), now=timezone.now())  # not asked for
    done, late = endpoint.deliveries.order_by("pk")
    assert (done.event, done.subject) == ("flow.done", "taste")
    told = {"flow": "taste", "batch": 1, "status": "done", "campaign": "flow-taste-1", "reason": ""}
    assert done.payload["data"] == told
    assert (late.event, late.payload["data"]["batch"]) == ("flow.late", 2)
    assert "no worker" in late.payload["data"]["reason"]


@pytest.mark.parametrize(("form", "n"), [("pair", 2), ("rating", 1)])
def test_pairs_and_ratings_go_the_same_way(db, form, n):
    flow = new_flow(form, form=form, n=n, k=1)
    batch = opened(flow)
    assert judge(flow, person(flow)) == 2
    panel = state_of(batch).panels[0]
    assert panel.is_complete
    if form == "pair":
        assert panel.figures.preferred == [[0, 1], [0, 0]]
    else:
        assert panel.figures.mean_grade == 4


def test_hidden_gold_is_mixed_in_and_is_no_vote(db):
    flow = new_flow("gold", k=3, rules={"quality": {"gold_rate": 0.5}})
    with pytest.raises(BadInputError, match="6 are fewer than 20"):
        ask(flow, 2)
    batch = opened(flow, 8)
    judged = sum(judge(flow, person(flow)) for _ in range(3))
    assert judged > 3 * 8  # that no turn of 24 is gold has a chance of 6 in 100 million
    assert [each.figures.votes for each in state_of(batch).panels] == [3] * 8


def test_answers_are_read_while_they_come_in(flow):
    batch = opened(flow)
    before = state_of(batch)
    assert [each.figures.votes for each in before.panels] == [0, 0]
    judge(flow, person(flow), most=1, best=2)
    state = state_of(batch)
    assert state.version != before.version
    assert (state.votes, state.is_final, state.is_partial) == (1, False, True)
    judged = next(each for each in state.panels if each.figures.votes)
    assert judged.figures.mean_ranks == [2.5, 2.5, 1]
    assert judged.figures.borda == [0.25, 0.25, 1]


def test_a_vote_that_does_not_count_any_more_is_in_no_figure(flow):
    batch = opened(flow)
    annotator = person(flow)
    judge(flow, annotator)
    before = state_of(batch)
    exclude(
        enrolment=batch.campaign.enrolments.get(annotator=annotator), rule="by hand", detail="x",
        now=timezone.now(),
    )  # fmt: skip
    after = state_of(batch)
    assert (before.votes, after.votes) == (2, 0)
    assert before.version != after.version


def test_a_batch_is_done_with_its_last_vote_and_takes_no_more(flow):
    batch = opened(flow)
    for _ in range(flow.k):
        assert judge(flow, person(flow)) == 2
    assert services.settle(batch=batch, now=timezone.now())
    assert (batch.status, batch.campaign.status) == ("done", "closed")
    assert not state_of(batch).is_partial
    assert judge(flow, person(flow)) == 0
    assert Vote.objects.count() == 2 * flow.k


def test_a_batch_ends_at_its_deadline_with_what_is_there(flow):
    batch = opened(flow)
    judge(flow, person(flow))
    assert not services.settle(batch=batch, now=later(seconds=3590))
    assert services.settle(batch=batch, now=later(seconds=3601))
    state = state_of(batch)
    assert (batch.status, batch.campaign.status) == ("late", "closed")
    assert (state.votes, state.is_final, state.is_partial) == (2, True, True)


def test_a_batch_that_no_worker_came_to_is_late_and_says_so(flow):
    batch = ask(flow, deadline_seconds=1, now=timezone.now() - timedelta(seconds=2))
    assert not services.open_batch(key=batch.pk, now=timezone.now)
    batch.refresh_from_db()
    assert batch.status == "late"
    assert "no worker" in batch.reason


def test_one_that_was_closed_on_the_campaigns_page_is_closed(flow):
    batch = opened(flow)
    Campaign.objects.filter(pk=batch.campaign.pk).update(status="closed")
    batch.refresh_from_db()
    assert services.settle(batch=batch, now=timezone.now())
    assert batch.status == "closed"


def test_closing_a_flow_ends_what_is_under_way(flow):
    batch, waiting_one = opened(flow), ask(flow)
    services.close_flow(flow=flow, now=timezone.now())
    for each in (batch, waiting_one):
        each.refresh_from_db()
        assert each.status == "closed"
    assert not services.open_batch(key=waiting_one.pk, now=timezone.now)


def test_a_batch_that_is_closed_while_it_is_opened_asks_nobody(flow, monkeypatch):
    from evalplatform.flows.services import opening

    batch = ask(flow)
    real = opening.open_run

    def slowly(**given):
        services.close_batch(batch=FlowBatch.objects.get(pk=batch.pk), now=timezone.now())
        return real(**given)

    monkeypatch.setattr(opening, "open_run", slowly)
    services.open_batch(key=batch.pk, now=timezone.now)
    batch.refresh_from_db()
    assert (batch.status, batch.campaign.status) == ("closed", "closed")


def test_a_batch_is_opened_once_however_many_are_woken(flow):
    batch = ask(flow)
    assert services.open_batch(key=batch.pk, now=timezone.now)
    assert not services.open_batch(key=batch.pk, now=timezone.now)


def test_a_batch_whose_opening_takes_long_is_opened_once(flow, monkeypatch):
    from evalplatform.flows.services import opening

    batch, other = ask(flow), []
    real = opening.start_run

    def slowly(**given):
        if not other:  # another worker looks while this one is at it since three minutes
            other.append(None)
            other[0] = services.open_batch(key=batch.pk, now=lambda: later(minutes=3))
        return real(**given)

    monkeypatch.setattr(opening, "start_run", slowly)
    assert services.open_batch(key=batch.pk, now=timezone.now)
    batch.refresh_from_db()
    assert other == [False]
    assert (batch.status, batch.reason) == ("open", "")


def test_batches_that_wait_for_a_safety_check_keep_no_other_waiting(flow, monkeypatch):
    from evalplatform.flows.services import opening

    real, other = opening.advance_run, new_flow("other")

    def advance(*, campaign, now):
        if campaign.slug.startswith("flow-taste"):
            return RunProgress(RunState.CHECKING, 0, 1)
        return real(campaign=campaign, now=now)

    monkeypatch.setattr(opening, "advance_run", advance)
    waiting_ones = [ask(flow, 1) for _ in range(opening._AT_A_TIME)]
    sooner, later_one = (ask(other, 1, deadline_seconds=9999 - each) for each in (1, 0))
    for _ in range(2):
        services.open_waiting(now=timezone.now)
    for each in (*waiting_ones, sooner, later_one):
        each.refresh_from_db()
    assert {each.status for each in waiting_ones} == {"queued"}
    assert (sooner.status, later_one.status) == ("open", "open")
    before = [each.taken_at for each in waiting_ones]
    services.open_waiting(now=timezone.now)
    for each in waiting_ones:
        each.refresh_from_db()
    assert all(old < each.taken_at for old, each in zip(before, waiting_ones, strict=True))


def test_a_batch_that_cannot_be_ended_keeps_no_other_waiting(flow, monkeypatch):
    from evalplatform.flows.services import ending

    faulty, over = opened(flow, deadline_seconds=1), opened(flow, deadline_seconds=1)
    over_sooner = opened(new_flow("other"), deadline_seconds=1)
    waits = ask(flow)
    real = ending.close_campaign

    def fail(*, campaign):
        if campaign.pk == faulty.campaign.pk:
            raise RuntimeError("no way to end it")
        return real(campaign=campaign)

    monkeypatch.setattr(ending, "close_campaign", fail)
    time.sleep(1)
    with pytest.raises(RuntimeError, match="no way"):
        ticking.tick(1)
    for each in (faulty, over, over_sooner, waits):
        each.refresh_from_db()
    assert [each.status for each in (over, over_sooner, waits)] == ["late", "late", "open"]
    assert faulty.status == "open"


def test_a_worker_that_was_killed_is_followed_by_another(flow):
    batch = ask(flow)
    FlowBatch.objects.filter(pk=batch.pk).update(status="opening", taken_at=timezone.now())
    assert services.open_waiting(now=timezone.now) == 0  # it may be at it
    assert services.open_waiting(now=lambda: later(minutes=3)) == 1
    batch.refresh_from_db()
    assert batch.status == "open"


def test_what_hinders_is_said_and_the_flow_goes_on(flow):
    Campaign.objects.filter(pk=opened(flow).campaign.pk).update(slug="flow-taste-2")
    batch = ask(flow)
    services.open_batch(key=batch.pk, now=timezone.now)
    batch.refresh_from_db()
    assert batch.status == "failed"
    assert "flow-taste-2" in batch.reason
    assert not batch.campaign
    opened(flow)


def test_a_workers_look_opens_and_ends_without_any_message(flow):
    over = opened(flow)
    for _ in range(flow.k):
        judge(flow, person(flow))
    waits = ask(flow, now=timezone.now() - timedelta(seconds=3))
    ticking.tick(1)
    over.refresh_from_db()
    waits.refresh_from_db()
    assert (over.status, waits.status) == ("done", "open")


def test_waiting_ends_with_news_with_the_time_or_at_once(flow):
    batch = opened(flow)
    version = state_of(batch).version

    def waited(**given) -> FlowBatch:
        return waiting.await_news(batch=batch, now=timezone.now, **given)

    assert waited(seen="", seconds=20) == batch  # nothing was seen before
    assert waited(seen=version, seconds=0.05) == batch  # nothing came
    judge(flow, person(flow), most=1)
    assert waited(seen=version, seconds=20) == batch  # it came before
    seen = state_of(batch).version
    with waiting._room:
        assert waited(seen=seen, seconds=20) == batch  # others wait in this process already
    assert waiting.await_news(
        batch=batch, seen=seen, seconds=20, now=lambda: later(hours=2)
    ).status == "late"  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_what_is_asked_wakes_a_worker_at_once(db, monkeypatch):
    monkeypatch.setattr(ticking, "SECONDS_BETWEEN", 30.0)  # only the database's notice can
    flow = new_flow()
    looked = threading.Event()
    real = ticking.tick
    monkeypatch.setattr(ticking, "tick", lambda number: (real(number), looked.set()))
    ticking._stop.clear()
    thread = threading.Thread(target=ticking._tick_until_stopped)
    thread.start()
    try:
        assert looked.wait(10)
        batch = ask(flow, 1)
        ends = time.monotonic() + 15
        while batch.status in ("queued", "opening") and time.monotonic() < ends:
            time.sleep(0.05)
            batch.refresh_from_db()
    finally:
        ticking._stop.set()
        with connection.cursor() as cursor:
            cursor.execute("NOTIFY flows_asked")
        thread.join(10)
    assert batch.status == "open"
    assert not thread.is_alive()
