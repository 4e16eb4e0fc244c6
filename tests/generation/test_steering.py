"""Pausing, cancelling, hurrying, paying for and retrying a campaign's generation."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.utils import timezone

from evalplatform.accounts.projects import default_project
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.generation import services
from evalplatform.generation.estimates import seconds_to_finish
from evalplatform.generation.models import GenerationBatch, GenerationRequest, SamplerSettings
from evalplatform.generation.selectors import too_large_for_all
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_(db, wakes, settings):
    """A campaign's request of ten samples in five batches."""
    settings.GENERATION_BATCH_SIZE = 2
    request = factories.make_request()
    samples = factories.plan(
        factories.make_checkpoint("model"),
        SamplerSettings.objects.create(**factories.SETTINGS),
        factories.make_prompt_set(count=10),
    )
    services.enqueue_samples(samples=samples, request=request)
    return request


def claim(worker="w"):
    return services.claim_next(worker=worker, now=timezone.now())


def make(batch, seconds=4.0):
    """Do what a worker does with a batch."""
    samples = list(batch.samples.all())
    services.record_samples(
        samples=samples, images=[factories.make_image(10**6 + each.pk) for each in samples],
        now=timezone.now(), batch=batch, seconds=seconds,
    )  # fmt: skip
    services.finish_batch(batch=batch, now=timezone.now(), stages={}, environment={})


def states(request):
    return sorted(request.batches.values_list("status", flat=True))


def test_paused_request_gives_out_nothing_and_takes_back_what_runs(request_):
    batch = claim()
    services.pause_request(request=request_)
    assert claim() is None
    assert not services.may_go_on(batch=batch)
    services.release_batch(batch=batch)
    assert states(request_) == ["queued"] * 5
    services.resume_request(request=request_)
    assert claim() is not None


def test_cancelled_request_drops_what_waits_and_what_runs(request_):
    make(claim())
    batch = claim()
    assert services.cancel_request(request=request_) == 4
    assert not services.may_go_on(batch=batch)
    services.release_batch(batch=batch)
    assert states(request_) == ["cancelled"] * 4 + ["done"]
    assert claim() is None


@pytest.mark.parametrize(
    "again", [services.pause_request, services.resume_request, services.retry_request]
)
def test_cancelled_request_is_not_steered_any_more(request_, again):
    services.cancel_request(request=request_)
    with pytest.raises(BadInputError, match="was cancelled; ask for it again") as refused:
        again(request=request_)
    assert refused.value.by_command == f"`manage.py run_eval --resume {request_}` does it."


def test_asking_again_takes_a_cancelled_request_up_anew(request_):
    samples = [sample for batch in request_.batches.all() for sample in batch.samples.all()]
    services.cancel_request(request=request_)
    request = services.open_request(project=default_project(), name=request_.name)
    assert len(services.enqueue_samples(samples=samples, request=request)) == 5
    assert claim() is not None


def test_asking_again_does_not_resume_a_paused_request(request_):
    services.pause_request(request=request_)
    assert services.open_request(project=default_project(), name=request_.name).status == "paused"


def test_used_budget_gives_out_nothing_until_there_is_more(request_):
    services.steer_request(request=request_, budget_seconds=6)
    make(claim(), seconds=4)
    batch = claim()
    assert services.may_go_on(batch=batch)
    make(batch, seconds=4)
    request_.refresh_from_db()
    assert (request_.spent_seconds, request_.is_budget_used) == (8.0, True)
    assert claim() is None
    services.steer_request(request=request_, budget_seconds=0)
    assert claim() is not None


def test_budget_below_a_second_cannot_be_stored(request_):
    with pytest.raises(IntegrityError, match="request_budget"):
        GenerationRequest.objects.update(budget_seconds=0)


@pytest.mark.parametrize("wrong", [{"priority": 1001}, {"budget_seconds": -1}])
def test_numbers_out_of_range_are_refused(request_, wrong):
    with pytest.raises(BadInputError, match="out of range; accepted"):
        services.steer_request(request=request_, **wrong)


def test_retry_queues_failed_batches_and_wakes(request_, wakes, django_capture_on_commit_callbacks):
    services.fail_batch(batch=claim(), error=RuntimeError("x"), now=timezone.now())
    wakes.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert services.retry_request(request=request_) == 1
    assert states(request_) == ["queued"] * 5
    assert len(wakes) == 1


# ---- samples that two requests want -------------------------------------------------------------


def all_samples(request):
    return [sample for batch in request.batches.all() for sample in batch.samples.all()]


def stop_by_pause(request):
    services.pause_request(request=request)


def stop_by_budget(request):
    GenerationRequest.objects.filter(pk=request.pk).update(budget_seconds=1, spent_seconds=2)


@pytest.mark.parametrize("stop", [stop_by_pause, stop_by_budget])
def test_what_waits_in_a_stopped_request_is_taken_up_by_another(request_, stop):
    samples = all_samples(request_)
    other = factories.make_request("other")
    assert services.enqueue_samples(samples=samples, request=other) == []
    in_hand = claim()
    stop(request_)
    taken = services.enqueue_samples(samples=samples, request=other)
    assert sum(batch.samples.count() for batch in taken) == 8
    assert in_hand.samples.count() == 2


def test_request_without_budget_does_not_take_from_itself(request_):
    stop_by_budget(request_)
    assert services.enqueue_samples(samples=all_samples(request_), request=request_) == []


def test_batch_of_a_killed_worker_ends_with_its_cancelled_request(request_):
    batch = claim()
    long_ago = timezone.now() - timedelta(minutes=5)
    GenerationBatch.objects.filter(pk=batch.pk).update(lease_expires_at=long_ago)
    assert services.cancel_request(request=request_) == 5
    assert states(request_) == ["cancelled"] * 5


def test_checkpoint_larger_than_every_worker_is_named(request_):
    now = timezone.now()
    Checkpoint.objects.update(size_bytes=100)
    assert too_large_for_all(request_, now) == []
    small = factories.make_worker("small", device_bytes=50)
    assert too_large_for_all(request_, now) == ["model"]
    factories.make_worker("not measured yet")
    assert too_large_for_all(request_, now) == []
    small.delete()
    factories.make_worker("large", device_bytes=100)
    assert too_large_for_all(request_, now) == []


# ---- how long it takes --------------------------------------------------------------------------


def test_nothing_is_said_before_anything_was_made_or_while_nobody_works(request_):
    now = timezone.now()
    assert seconds_to_finish(request_, now) is None
    factories.make_worker("a")
    assert seconds_to_finish(request_, now) is None
    make(claim())
    assert seconds_to_finish(request_, now) is not None
    services.pause_request(request=request_)
    assert seconds_to_finish(request_, now) is None


def test_time_left_is_what_samples_took_so_far_shared_by_the_workers(request_):
    make(claim(), seconds=4)  # two images: 2 s each, eight are left
    factories.make_worker("a")
    assert seconds_to_finish(request_, timezone.now()) == pytest.approx(16)
    factories.make_worker("b")
    assert seconds_to_finish(request_, timezone.now()) == pytest.approx(8)


def test_requests_served_before_count_and_those_after_do_not(request_):
    make(claim(), seconds=4)
    factories.make_worker("a")
    other = factories.make_request("other")
    batch = GenerationBatch.objects.filter(status="queued").latest("pk")
    GenerationBatch.objects.filter(pk=batch.pk).update(request=other)
    assert seconds_to_finish(request_, timezone.now()) == pytest.approx(12)
    assert seconds_to_finish(other, timezone.now()) == pytest.approx(16)
    services.steer_request(request=other, priority=1)
    assert seconds_to_finish(other, timezone.now()) == pytest.approx(4)


# ---- commands -----------------------------------------------------------------------------------


def run(*arguments, **options):
    out = io.StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue()


def test_command_steers(request_):
    assert "is paused" in run("generation", "pause", "campaign")
    assert "goes on" in run("generation", "resume", "campaign")
    out = run("generation", "set", "campaign", priority=3, budget_minutes=90)
    assert "priority 3, budget 90 minutes" in out
    assert "no limit" in run("generation", "set", "campaign", budget_minutes=0)
    assert "0 failed batches" in run("generation", "retry", "campaign")
    assert "5 batches dropped" in run("generation", "cancel", "campaign")


def test_command_lists(request_):
    make(claim())
    services.fail_batch(batch=claim(), error=RuntimeError("no weights"), now=timezone.now())
    line = run("generation", "list").splitlines()[1]
    assert line.split()[:6] == ["campaign", "failed", "0", "2", "/", "10"] or "queued" in line
    assert "no weights" in line


def test_command_says_what_is_wrong(request_):
    with pytest.raises(CommandError, match="known: campaign"):
        run("generation", "pause", "nobody")
    with pytest.raises(CommandError, match="give a name"):
        run("generation", "pause")
    with pytest.raises(CommandError, match="give --priority or --budget-minutes"):
        run("generation", "set", "campaign")


def test_workers_command_shows_who_lives_and_what_waits(request_):
    assert "no worker lives" in run("workers")
    batch = claim("gpu-1:77")
    factories.make_worker(
        "gpu-1:77", device="NVIDIA H200", loaded=[batch.checkpoint_id], loaded_bytes=2**31,
        memory_bytes=2**36, batch=batch, images_made=1234, images_per_second=5.678,
        seen_at=timezone.now() - timedelta(seconds=1),
    )  # fmt: skip
    out = run("workers")
    for word in ("gpu-1:77", "NVIDIA H200", "model (2 of 64 GiB)", "model for campaign", "1,234",
                 "5.68", "4 queued, 1 running, 0 failed; 10 samples"):  # fmt: skip
        assert word in out, word
