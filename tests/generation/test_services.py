"""Planning, claiming and recording samples."""

import io
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError
from django.utils import timezone
from PIL import Image, PngImagePlugin

from evalplatform.generation import services
from evalplatform.generation.models import GenerationBatch, Sample, SamplerSettings, WorkerHeartbeat
from evalplatform.generation.selectors import live_workers, progress_of
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    """Record the messages instead of sending them."""
    messages = []
    monkeypatch.setattr(
        services.current_app, "send_task", lambda name, args, queue: messages.append(args[0])
    )
    return messages


@pytest.fixture
def planned(db):
    """Ten planned samples of one checkpoint."""
    checkpoint = factories.make_checkpoint("model")
    settings = SamplerSettings.objects.create(**factories.SETTINGS)
    wanted = [(prompt, 5) for prompt in factories.make_prompt_set(count=10).prompts.all()]
    return services.plan_samples(checkpoint=checkpoint, settings=settings, wanted=wanted)


@pytest.fixture
def batch(planned, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        (batch,) = services.enqueue_samples(samples=planned)
    return batch


def test_planning_twice_lands_on_the_same_rows(planned):
    wanted = [(sample.prompt, sample.seed) for sample in planned]
    again = services.plan_samples(
        checkpoint=planned[0].checkpoint, settings=planned[0].settings, wanted=wanted
    )
    assert [row.pk for row in again] == [row.pk for row in planned]
    assert Sample.objects.count() == 10


def test_second_sample_with_the_same_key_cannot_be_stored(planned):
    twin = Sample.objects.get(pk=planned[0].pk)
    twin.pk = None
    with pytest.raises(IntegrityError, match="sample_unique_key"):
        twin.save(force_insert=True)


def test_same_settings_without_size_are_stored_once(planned):
    with pytest.raises(IntegrityError, match="sampler_settings_unique"):
        SamplerSettings.objects.create(**factories.SETTINGS)


def test_ready_sample_without_image_cannot_be_stored(planned):
    with pytest.raises(IntegrityError, match="sample_ready_has_image"):
        Sample.objects.filter(pk=planned[0].pk).update(status="ready")


def test_samples_go_into_batches_of_the_set_size(
    planned, sent, settings, django_capture_on_commit_callbacks
):
    settings.GENERATION_BATCH_SIZE = 4
    with django_capture_on_commit_callbacks(execute=True):
        batches = services.enqueue_samples(samples=planned)
    assert [batch.samples.count() for batch in batches] == [4, 4, 2]
    assert sent == [batch.pk for batch in batches]


def test_queued_samples_are_not_queued_again(batch, planned):
    assert services.enqueue_samples(samples=planned) == []


def test_samples_of_a_failed_batch_are_queued_anew(batch, planned):
    claimed = services.claim_batch(batch_id=batch.pk, worker="w", now=timezone.now())
    services.fail_batch(batch=claimed, error=RuntimeError("no memory"), now=timezone.now())
    assert progress_of(planned).failures == [f"{batch} failed: RuntimeError: no memory"]
    (again,) = services.enqueue_samples(samples=planned)
    assert again.pk != batch.pk
    assert progress_of(planned).failures == []


def test_of_two_workers_one_gets_the_batch(batch):
    now = timezone.now()
    assert services.claim_batch(batch_id=batch.pk, worker="one", now=now).worker == "one"
    assert services.claim_batch(batch_id=batch.pk, worker="two", now=now) is None


def test_batch_of_a_dead_worker_is_taken_over(batch, settings):
    now = timezone.now()
    services.claim_batch(batch_id=batch.pk, worker="dead", now=now)
    later = now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    taken = services.claim_batch(batch_id=batch.pk, worker="alive", now=later)
    assert (taken.worker, taken.attempts) == ("alive", 2)


def test_heartbeat_keeps_the_batch(batch, settings):
    now = timezone.now()
    services.claim_batch(batch_id=batch.pk, worker="busy", now=now)
    later = now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS - 1)
    services.extend_leases(worker="busy", now=later)
    assert (
        services.claim_batch(batch_id=batch.pk, worker="b", now=later + timedelta(2 / 86400))
        is None
    )


def test_worker_that_lost_its_batch_cannot_finish_it(batch, settings):
    now = timezone.now()
    lost = services.claim_batch(batch_id=batch.pk, worker="slow", now=now)
    later = now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    services.claim_batch(batch_id=batch.pk, worker="fast", now=later)
    services.finish_batch(batch=lost, now=later)
    assert GenerationBatch.objects.get(pk=batch.pk).status == "running"


def test_stalled_batch_is_sent_again(batch, sent, settings):
    sent.clear()
    now = timezone.now()
    assert services.resend_stalled_batches(now=now) == 0
    later = now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    assert services.resend_stalled_batches(now=later) == 1
    assert sent == [batch.pk]


def test_finished_batch_is_not_sent_again(batch, sent):
    services.finish_batch(
        batch=services.claim_batch(batch_id=batch.pk, worker="w", now=timezone.now()),
        now=timezone.now(),
    )
    sent.clear()
    assert services.resend_stalled_batches(now=timezone.now() + timedelta(days=1)) == 0
    assert sent == []


def test_recorded_sample_has_its_image_and_provenance(planned):
    image = factories.make_image(1)
    services.record_sample(sample=planned[0], image=image, now=timezone.now())
    row = Sample.objects.get(pk=planned[0].pk)
    assert (row.status, row.width, row.height) == ("ready", 16, 16)
    assert row.code_version
    with default_storage.open(row.image) as file:
        stored = Image.open(io.BytesIO(file.read()))
    assert stored.tobytes() == image.tobytes()


def test_recording_again_changes_nothing(planned):
    services.record_sample(sample=planned[0], image=factories.make_image(1), now=timezone.now())
    first = Sample.objects.get(pk=planned[0].pk)
    services.record_sample(sample=planned[0], image=factories.make_image(2), now=timezone.now())
    assert Sample.objects.get(pk=planned[0].pk).image_sha256 == first.image_sha256


def test_encoded_image_carries_no_metadata():
    info = PngImagePlugin.PngInfo()
    info.add_text("model", "secret-checkpoint")
    buffer = io.BytesIO()
    factories.make_image(3).save(buffer, "PNG", pnginfo=info, dpi=(72, 72))
    image = Image.open(io.BytesIO(buffer.getvalue()))
    assert "model" in image.info
    bare = Image.open(io.BytesIO(services.encode_image(image)))
    assert bare.info == {}
    assert bare.tobytes() == image.tobytes()


def test_only_lately_seen_workers_are_alive():
    now = timezone.now()
    for name, seen in (("fresh", now), ("gone", now - timedelta(minutes=5))):
        WorkerHeartbeat.objects.create(name=name, pid=1, started_at=seen, seen_at=seen)
    assert [worker.name for worker in live_workers(now)] == ["fresh"]
