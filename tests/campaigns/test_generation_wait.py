"""What run_eval says while samples are made, and when it stops to wait."""

import pytest
from django.utils import timezone

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation import services
from evalplatform.generation.models import GenerationRequest, SamplerSettings
from evalplatform.runs.generation import PAUSED, GenerationStoppedError, note_on
from evalplatform.runs.management.generation_wait import note_of, wait_for_samples
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(db, monkeypatch):
    """Four samples of a campaign in one batch, and nobody to make them."""
    monkeypatch.setattr("celery.current_app.send_task", lambda *_, **__: None)
    samples = factories.plan(
        factories.make_checkpoint("model"),
        SamplerSettings.objects.create(**factories.SETTINGS),
        factories.make_prompt_set(),
    )
    services.enqueue_samples(samples=samples, request=factories.make_request())
    return samples


def note() -> str:
    return note_on(GenerationRequest.objects.get().name, timezone.now(), patient=False)


def make(samples, **charged):
    images = [factories.make_image(10**6 + sample.pk) for sample in samples]
    services.record_samples(samples=samples, images=images, now=timezone.now(), **charged)


def test_wait_ends_when_every_sample_is_there(asked):
    make(asked)
    wait_for_samples(asked, "campaign")


def test_failed_batch_ends_the_wait_with_its_reason(asked):
    make(asked[:1])
    batch = services.claim_next(worker="w", now=timezone.now())
    services.fail_batch(batch=batch, error=RuntimeError("no weights"), now=timezone.now())
    with pytest.raises(GenerationStoppedError, match=r"no weights.*1 of 4 samples are kept"):
        wait_for_samples(asked, "campaign")


def test_cancelling_ends_the_wait(asked):
    services.cancel_request(request=GenerationRequest.objects.get())
    with pytest.raises(GenerationStoppedError, match=r"was cancelled.*0 of 4"):
        wait_for_samples(asked, "campaign")


def test_used_budget_ends_the_wait_even_if_a_worker_was_killed_meanwhile(asked, settings):
    settings.GENERATION_LEASE_SECONDS = -1  # what it had has run out already
    batch = services.claim_next(worker="killed", now=timezone.now())
    services.steer_request(request=batch.request, budget_seconds=60)
    make(asked[:2], batch=batch, seconds=90)
    with pytest.raises(GenerationStoppedError, match=r"1\.5 of 1\.0 minutes.*2 of 4"):
        wait_for_samples(asked, "campaign")


def test_bar_says_what_is_waited_for(asked):
    assert note() == "No worker lives: ask an operator to start one."
    assert note_of(GenerationRequest.objects.get().name, patient=False).endswith("(`make worker`)")
    factories.make_worker("w", device_bytes=1000)
    assert note() == ""
    batch = services.claim_next(worker="w", now=timezone.now())
    make(asked[:2], batch=batch, seconds=8)
    assert note() == "about 8 s left"
    services.release_batch(batch=batch)
    Checkpoint.objects.update(size_bytes=2000)
    assert "no worker has the memory for model" in note()
    services.pause_request(request=batch.request)
    assert note() == PAUSED
    assert "manage.py generation resume campaign" in note_of("campaign", patient=False)
