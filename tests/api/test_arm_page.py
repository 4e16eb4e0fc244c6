"""The page on which an arm joins an open campaign does what the API's route does."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models.signals import post_init
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.members import set_member
from evalplatform.accounts.models import User
from evalplatform.accounts.projects import default_project
from evalplatform.accounts.tokens import Scope, create_api_token
from evalplatform.annotation.models import Assignment
from evalplatform.annotation.services import join_arm, open_campaign
from evalplatform.api.jobs import ask_to_join, run_job
from evalplatform.api.models import Job
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.selectors import planned_prompts, wanted_seeds
from evalplatform.campaigns.services import close_campaign
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import GenerationBatch, GenerationRequest, Sample
from evalplatform.generation.services import (
    cancel_request,
    claim_next,
    enqueue_samples,
    finish_batch,
    open_request,
    plan_samples,
    record_sample,
)
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.runs.newcomers import joining_estimate, newcomers_progress
from evalplatform.safety import tasks as safety_tasks
from evalplatform.safety.models import SafetyRequest
from tests import factories, safety
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client, rania):
    client.force_login(rania)
    return client


@pytest.fixture
def woken(monkeypatch):
    numbers: list[int] = []
    monkeypatch.setattr("evalplatform.api.jobs._wake", numbers.append)
    return numbers


def make(**options) -> Campaign:
    draft = factories.make_draft(**({"prompts": 2, "k": 2} | options))
    open_campaign(campaign=draft)
    return draft


def address(campaign: Campaign) -> str:
    return reverse("arms:add", args=[campaign.slug])


def read(page: Client, campaign: Campaign, arm: str = "") -> str:
    return page.get(address(campaign), {"arm": arm} if arm else {}).content.decode()


def press(page: Client, campaign: Campaign, arm: str) -> str:
    return page.post(address(campaign), {"arm": arm}, follow=True).content.decode()


def work() -> Job:
    """Do what a worker does of the job that was asked last."""
    job = run_job(number=Job.objects.latest("pk").pk, now=timezone.now)
    assert job
    return job


def make_samples(campaign: Campaign, checkpoint, count: int | None = None) -> None:
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    rows = plan_samples(checkpoint=checkpoint, settings=campaign.settings, wanted=wanted)
    for row in rows[:count]:
        record_sample(sample=row, image=factories.make_image(9000 + row.pk), now=timezone.now())


def collect(name: str, prompts) -> ImageCollection:
    collection = ImageCollection.objects.create(
        project=default_project(), name=name, model="Peer", sha256=factories.digest(name),
        prompt_set=prompts[0].prompt_set,
        image_count=len(prompts),
    )  # fmt: skip
    for position, prompt in enumerate(prompts):
        image = Sample.objects.first()
        CollectedImage.objects.create(
            collection=collection, position=position, prompt=prompt, index=0, image=image.image,
            image_sha256=image.image_sha256, source_sha256=image.image_sha256,
            pixels_sha256=image.pixels_sha256, is_constant=False, width=16, height=16,
        )  # fmt: skip
    return collection


@pytest.mark.django_db(transaction=True)
def test_arm_that_two_ask_for_at_once_has_one_job(rania, woken):
    campaign = make()
    name = collect("brought", planned_prompts(campaign)).name

    def ask_in_own_connection() -> int:
        try:
            return ask_to_join(campaign=campaign, name=name, user=rania).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as another:
        with transaction.atomic():
            first = ask_to_join(campaign=campaign, name=name, user=rania)
            second = another.submit(ask_in_own_connection)
            wait_until_somebody_waits()
        assert second.result(timeout=30) == first.pk
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_arm_is_chosen_waits_for_its_samples_and_joins(page, woken):
    campaign = make()
    newcomer = factories.make_checkpoint("late")
    shown = read(page, campaign, "late")
    assert "8 more" in shown  # with 2 arms on 2 prompts under 2 criteria
    assert "16 more" in shown
    assert "2 of 2 · unknown" in shown
    assert (Job.objects.count(), GenerationRequest.objects.count()) == (0, 0)  # nothing was asked

    assert "It waits for a worker" in press(page, campaign, "late")
    assert Sample.objects.filter(checkpoint=newcomer).count() == 2
    waits = work()
    assert (waits.status, waits.starts, waits.finished_at) == ("queued", 0, None)
    assert waits.note.startswith("0 of 2 samples are made.")
    shown = read(page, campaign)  # another visit: all of it is stored
    assert "0 of 2" in shown
    assert f"/generation/#{campaign.slug}" in shown
    assert "It joins by itself once every image is there." in shown
    assert ">Let it join</button></form>" not in shown

    make_samples(campaign, newcomer)
    woken.clear()
    shown = read(page, campaign)
    assert "Every image is there: it joins in a moment." in shown
    read(page, campaign)
    assert woken == [waits.pk]
    assert work().status == "done"
    campaign.refresh_from_db()
    assert [each["arm"]["name"] for each in campaign.protocol["amendments"]] == ["late"]
    assert "It joined as" in read(page, campaign)
    protocol = page.get(reverse("reports:protocol", args=[campaign.slug])).content.decode()
    assert "Arm C, late joined" in protocol


def test_route_and_page_ask_for_the_same_and_both_are_seen(page, rania):
    campaign = make()
    for name in ("by-page", "by-route"):
        factories.make_checkpoint(name)
    _, secret = create_api_token(
        user=rania, label="x", scopes=[Scope.CAMPAIGNS], now=timezone.now()
    )
    answer = Client(headers={"Authorization": f"Bearer {secret}"}).post(
        f"/api/v1/campaigns/{campaign.slug}/arms", json.dumps({"arm": "by-route"}),
        content_type="application/json",
    )  # fmt: skip
    assert answer.status_code == 202, answer.content
    press(page, campaign, "by-page")
    by_route, by_page = Job.objects.order_by("pk")
    assert (by_route.kind, by_route.asked | {"arm": "by-page"}) == (by_page.kind, by_page.asked)
    asked = page.get(address(campaign)).context["asked"]
    assert [each.name for each in asked] == ["by-page", "by-route"]


@pytest.mark.parametrize(
    "options", [{"arms": 3}, {"arms": 4, "design": "random=2"}, {"arms": 3, "form": "rating"},
                {"arms": 2, "images_per_prompt": 2}],
)  # fmt: skip
def test_what_joining_takes_is_what_it_took(options):
    campaign = make(**options)
    newcomer = factories.make_checkpoint("late")
    told = joining_estimate(campaign, newcomer, timezone.now())
    make_samples(campaign, newcomer)
    items, slots = campaign.item_count, Assignment.objects.count()
    join_arm(campaign=campaign, maker=newcomer, now=timezone.now())
    assert told.items == campaign.item_count - items
    assert told.votes == Assignment.objects.count() - slots
    assert told.missing == Sample.objects.filter(checkpoint=newcomer).count()


def test_who_cannot_join_says_why(page):
    campaign = make()
    first, second = planned_prompts(campaign)
    collect("whole", [first, second])
    collect("gappy", [first])
    factories.make_checkpoint("old", status="retired", retired_at=timezone.now())
    factories.make_checkpoint("twin")
    collect("twin", [first, second])
    answer = page.get(address(campaign))
    assert [each.name for each in answer.context["able"]] == ["images:twin", "images:whole"]
    why = {each.name: each.hindrance for each in answer.context["unable"]}
    assert sorted(why) == ["images:gappy", "old", "twin"]
    assert "was retired on" in why["old"]
    assert "has no image of 1 of 2 prompts" in why["images:gappy"]
    assert "names a checkpoint and an image collection" in why["twin"]
    assert "was retired on" in read(page, campaign, "old")
    assert 'id="cost"' not in read(page, campaign, "old")


@pytest.mark.parametrize("arm", ["there", "old", "nobody", "\0", ""])
def test_refused_arm_is_said_in_words_and_leaves_nothing(page, arm):
    campaign = make(arms=[factories.make_checkpoint(name) for name in ("there", "other")])
    factories.make_checkpoint("old", status="retired", retired_at=timezone.now())
    samples = Sample.objects.count()
    shown = press(page, campaign, arm)
    said = {
        "there": "is an arm of", "old": "was retired on", "nobody": "no checkpoint", "": "no check",
        "\0": "NUL",
    }  # fmt: skip
    assert said[arm] in shown
    assert (Job.objects.count(), GenerationRequest.objects.count()) == (0, 0)
    assert Sample.objects.count() == samples


def test_campaign_that_takes_nobody_says_so(page):
    campaign = make(arms=3, form="ranking", design="together")
    factories.make_checkpoint("late")
    assert "shows all its arms together" in read(page, campaign, "late")
    assert "shows all its arms together" in press(page, campaign, "late")
    closed = make(slug="closed")
    close_campaign(campaign=closed)
    assert "an arm joins one that is open" in read(page, closed)
    assert not Job.objects.exists()


def test_no_arm_joins_a_campaign_of_a_series(page):
    """Whoever asks for it by name is refused as the pages do that do not offer it."""
    campaign = make()
    late = factories.make_checkpoint("late")
    make_samples(campaign, late)
    Campaign.objects.update(leads_on="/f/batches/")
    campaign.refresh_from_db()
    assert not campaign.may_grow
    assert "is one of a series" in press(page, campaign, "late")
    with pytest.raises(BadInputError, match="is one of a series"):
        join_arm(campaign=campaign, maker=late, now=timezone.now())
    assert not Job.objects.exists()
    assert campaign.arms.count() == 2


def test_pressed_twice_it_is_asked_once(page):
    campaign = make()
    factories.make_checkpoint("late")
    press(page, campaign, "late")
    press(page, campaign, "late")
    assert Job.objects.count() == 1


def test_samples_that_fail_are_said_and_asked_for_again(page):
    campaign = make()
    factories.make_checkpoint("late")
    press(page, campaign, "late")
    work()
    GenerationBatch.objects.update(
        status="failed", error="out of memory", finished_at=timezone.now()
    )
    shown = read(page, campaign)
    assert "out of memory" in shown
    assert ">Try again</button>" in shown
    press(page, campaign, "late")
    assert GenerationBatch.objects.filter(status="queued").exists()
    assert Job.objects.count() == 1
    assert "It joins by itself" in read(page, campaign)


def test_job_ends_where_its_samples_cannot_come_and_says_why(page):
    campaign = make()
    factories.make_checkpoint("late")
    press(page, campaign, "late")
    cancel_request(request=GenerationRequest.objects.get(name=campaign.slug))
    ended = work()
    assert ended.status == "failed"
    assert ended.reason == "Generation was cancelled; mend the cause, then ask again."
    shown = read(page, campaign)
    assert ">Try again</button>" in shown
    press(page, campaign, "late")
    assert work().status == "queued"
    close_campaign(campaign=campaign)
    assert "an arm joins one that is open" in work().reason


def test_waiting_arm_is_called_off_and_does_not_join(page):
    campaign = make()
    newcomer = factories.make_checkpoint("late")
    press(page, campaign, "late")
    work()
    assert ">Do not let it join</button>" in read(page, campaign)
    page.post(address(campaign), {"arm": "late", "call_off": ""})
    job = Job.objects.get()
    assert (job.status, job.reason) == ("failed", "It was called off before it began.")
    make_samples(campaign, newcomer)
    assert run_job(number=job.pk, now=timezone.now) is None
    assert campaign.arms.count() == 2
    shown = read(page, campaign)
    assert "It did not join" not in shown  # nothing went wrong
    assert ">Let it join</button></form>" in shown


def test_arm_joins_as_soon_as_its_last_samples_are_made(
    page, woken, django_capture_on_commit_callbacks
):
    campaign = make()
    factories.make_checkpoint("late")
    press(page, campaign, "late")
    job = work()
    woken.clear()
    batch = claim_next(worker="w", now=timezone.now())
    for sample in batch.samples.all():
        record_sample(sample=sample, image=factories.make_image(sample.pk), now=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        finish_batch(batch=batch, now=timezone.now(), stages={}, environment={})
    assert woken == [job.pk]


def test_waiting_job_asks_for_samples_that_another_request_gave_up(page):
    campaign = make()
    newcomer = factories.make_checkpoint("late")
    wanted = wanted_seeds(campaign, planned_prompts(campaign))
    rows = plan_samples(checkpoint=newcomer, settings=campaign.settings, wanted=wanted)
    other = open_request(project=campaign.project, name="other")
    enqueue_samples(samples=rows, request=other)
    press(page, campaign, "late")
    work()
    assert not GenerationBatch.objects.filter(request__name=campaign.slug).exists()
    cancel_request(request=other)
    assert work().status == "queued"
    assert Sample.objects.filter(batch__request__name=campaign.slug).count() == len(rows)


def test_why_it_did_not_join_is_said_beside_the_button(page):
    campaign = make()
    newcomer = factories.make_checkpoint("late")
    make_samples(campaign, newcomer)
    press(page, campaign, "late")
    Job.objects.update(status="failed", reason="the disk is full", finished_at=timezone.now())
    shown = read(page, campaign)
    assert "the disk is full" in shown
    assert ">Let it join</button></form>" in shown


def test_samples_that_are_there_are_not_loaded_to_say_so():
    campaign = make()
    newcomer = factories.make_checkpoint("late")
    make_samples(campaign, newcomer)
    loaded: list[Sample] = []

    def note(instance, **_):
        loaded.append(instance)

    post_init.connect(note, sender=Sample)
    try:
        progress = newcomers_progress(campaign, newcomer, timezone.now())
    finally:
        post_init.disconnect(note, sender=Sample)
    assert loaded == []
    last = Sample.objects.filter(checkpoint=newcomer).latest("generated_at")
    assert (progress.is_ready, progress.ready_at) == (True, last.generated_at)


def test_an_arm_of_a_filtered_campaign_joins_once_it_is_checked(page, filtered):
    newcomer = factories.make_checkpoint("late")
    wanted = wanted_seeds(filtered, planned_prompts(filtered))
    rows = plan_samples(checkpoint=newcomer, settings=filtered.settings, wanted=wanted)
    for row in rows:
        record_sample(sample=row, image=safety.picture(row.pk), now=timezone.now())
    assert "checked for safety before it joins" in read(page, filtered, "late")
    press(page, filtered, "late")
    assert work().note == "0 of 8 images are checked for safety."
    assert SafetyRequest.objects.count() == 8  # the job has them checked, whoever asked for it
    assert "0 of 8" in read(page, filtered)
    while safety_tasks.check_safety(safety.NAME):
        pass
    shown = read(page, filtered)
    assert "Every image is there and checked: it joins in a moment." in shown
    withheld = filtered.withheld.count()
    assert work().status == "done"
    assert filtered.withheld.count() == withheld  # those that it meets are not told twice


def test_check_that_failed_ends_the_job_and_is_tried_again_when_asked_again(page, filtered):
    newcomer = factories.make_checkpoint("late")
    make_samples(filtered, newcomer)
    press(page, filtered, "late")
    assert work().status == "queued"
    late = SafetyRequest.objects.all()
    late.update(error="the detector is not installed")
    ended = work()
    assert (ended.status, late.filter(error="").exists()) == ("failed", False)
    assert "the detector is not installed" in ended.reason
    press(page, filtered, "late")
    assert work().status == "queued"
    assert late.exclude(error="").count() == 0


def test_waiting_job_has_the_samples_checked_that_were_made_meanwhile(page, filtered):
    newcomer = factories.make_checkpoint("late")
    press(page, filtered, "late")
    assert "samples are made" in work().note
    make_samples(filtered, newcomer)
    assert "checked for safety" in work().note
    while safety_tasks.check_safety(safety.NAME):
        pass
    assert work().status == "done"


def test_checks_that_nobody_asked_for_are_asked_for_by_an_editors_look(page, filtered):
    """The job came while samples were missing, so that it found nothing to check."""
    newcomer = factories.make_checkpoint("late")
    press(page, filtered, "late")
    work()
    make_samples(filtered, newcomer)
    read(page, filtered)
    assert safety_tasks.check_safety(safety.NAME)


def test_only_an_editors_look_wakes_and_only_the_campaigns_own_job_once(page, monkeypatch):
    campaign, other = make(), make(slug="other")
    factories.make_checkpoint("late")
    for each in (other, campaign):
        press(page, each, "late")
    Job.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    own = Job.objects.get(asked__campaign=campaign.slug)
    woken: list[int] = []
    monkeypatch.setattr("evalplatform.api.jobs._wake", woken.append)
    viewer = User.objects.create_user("vera")
    set_member(project=default_project(), user=viewer, role="viewer")
    looks = Client()
    looks.force_login(viewer)
    read(looks, campaign)
    page.head(address(campaign))
    assert woken == []
    for _ in range(3):
        read(page, campaign)
    assert woken == [own.pk]
    cache.clear()  # two minutes later
    read(page, campaign)
    assert woken == [own.pk, own.pk]


def test_viewers_read_and_press_nothing(client):
    campaign = make()
    factories.make_checkpoint("late")
    viewer = User.objects.create_user("vera")
    set_member(project=default_project(), user=viewer, role="viewer")
    client.force_login(viewer)
    shown = read(client, campaign, "late")
    assert "8 more" in shown
    assert "An editor of" in shown
    assert 'method="post"' not in shown.split("<main")[1]
    for path in ("/leaderboard/", reverse("reports:protocol", args=[campaign.slug])):
        assert address(campaign) not in client.get(path).content.decode()


def test_pages_lead_there_while_an_arm_may_join(page):
    campaign = make()
    pages = ["/leaderboard/", reverse("reports:protocol", args=[campaign.slug])]
    assert all(address(campaign) in page.get(path).content.decode() for path in pages)
    close_campaign(campaign=campaign)
    assert not any(address(campaign) in page.get(path).content.decode() for path in pages)
