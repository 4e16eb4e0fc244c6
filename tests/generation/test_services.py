"""Planning samples, handing them to workers, recording them."""

import io
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError
from PIL import Image, PngImagePlugin

from evalplatform.accounts.projects import default_project
from evalplatform.celery import app, queues
from evalplatform.core import stored_images
from evalplatform.core.leased_jobs import extend_leases
from evalplatform.generation import services
from evalplatform.generation.heartbeat import makes_samples, seconds_between_beats
from evalplatform.generation.models import GenerationBatch, Sample, SamplerSettings
from evalplatform.generation.sample_keys import SampleKeys
from evalplatform.generation.selectors import HEARTBEAT_SECONDS, live_workers, progress_of
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def planned(db):
    """Ten planned samples of one checkpoint."""
    checkpoint = factories.make_checkpoint("model")
    settings = SamplerSettings.objects.create(**factories.SETTINGS)
    return factories.plan(checkpoint, settings, factories.make_prompt_set(count=10))


@pytest.fixture
def batch(planned, wakes, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        (batch,) = services.enqueue_samples(samples=planned, request=factories.make_request())
    return batch


def claim(worker="w", now=None, **options):
    return services.claim_next(worker=worker, now=now or timezone.now(), **options)


def finish(batch):
    services.finish_batch(
        batch=batch, now=timezone.now(), stages={"denoise": 1.5}, environment={"device": "CPU"}
    )


# ---- planning -----------------------------------------------------------------------------------


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
    planned, wakes, settings, django_capture_on_commit_callbacks
):
    settings.GENERATION_BATCH_SIZE = 4
    with django_capture_on_commit_callbacks(execute=True):
        batches = services.enqueue_samples(samples=planned, request=factories.make_request())
    assert [batch.samples.count() for batch in batches] == [4, 4, 2]
    assert len(wakes) == 1


def test_every_live_worker_is_woken_but_no_more_than_there_is_work_for(
    planned, wakes, settings, django_capture_on_commit_callbacks
):
    for name in "abcde":
        factories.make_worker(name)
    settings.GENERATION_BATCH_SIZE = 4
    with django_capture_on_commit_callbacks(execute=True):
        services.enqueue_samples(samples=planned, request=factories.make_request())
    assert len(wakes) == 3


def test_queued_samples_are_not_queued_again(batch, planned):
    assert services.enqueue_samples(samples=planned, request=batch.request) == []


def test_samples_of_a_failed_batch_are_queued_anew(batch, planned):
    services.fail_batch(batch=claim(), error=RuntimeError("no\n memory"), now=timezone.now())
    assert progress_of(planned).failures == [f"{batch} failed: RuntimeError: no memory"]
    (again,) = services.enqueue_samples(samples=planned, request=batch.request)
    assert again.pk != batch.pk
    assert progress_of(planned).failures == []


def test_broken_weights_fail_every_batch_of_their_checkpoint_and_no_other(planned, wakes, settings):
    """No worker is to load and draw what cannot be drawn; nobody else waits for it."""
    settings.GENERATION_BATCH_SIZE = 4
    other = factories.plan(
        factories.make_checkpoint("sound"), planned[0].settings, planned[0].prompt.prompt_set
    )
    request = factories.make_request()
    services.enqueue_samples(samples=[*planned, *other], request=request)
    elsewhere = factories.plan(
        planned[0].checkpoint, planned[0].settings, factories.make_prompt_set("more", 1)
    )
    services.enqueue_samples(samples=elsewhere, request=factories.make_request("another"))
    first, second = claim("one"), claim("two")
    error = RuntimeError("not finite")
    error.fails_its_like = True
    services.fail_batch(batch=first, error=error, now=timezone.now())
    of_each = GenerationBatch.objects.order_by("pk").values_list("checkpoint__name", "status")
    assert list(of_each) == [
        ("model", "failed"), ("model", "running"), ("model", "failed"),
        ("sound", "queued"), ("sound", "queued"), ("sound", "queued"), ("model", "queued"),
    ]  # fmt: skip
    assert second.checkpoint == first.checkpoint
    assert progress_of(planned).failures[1].endswith("RuntimeError: not finite")


# ---- claiming -----------------------------------------------------------------------------------


def test_of_two_workers_one_gets_the_batch(batch):
    assert claim("one").pk == batch.pk
    assert claim("two") is None


def test_batch_of_a_dead_worker_is_taken_over(batch, settings):
    claim("dead")
    later = timezone.now() + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    taken = claim("alive", later)
    assert (taken.worker, taken.attempts) == ("alive", 2)


def test_heartbeat_keeps_the_batch(batch, settings):
    now = timezone.now()
    held = claim("busy", now)
    later = now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS - 1)
    extend_leases(jobs=[held], now=later)
    assert claim("b", later + timedelta(seconds=2)) is None


@pytest.mark.parametrize("lease", [5, 6, 60, 86400])
def test_a_lease_is_renewed_three_times_before_it_ends_however_short(lease, settings):
    settings.GENERATION_LEASE_SECONDS = lease
    assert 0 < 3 * seconds_between_beats() <= lease
    assert seconds_between_beats() <= HEARTBEAT_SECONDS  # or it would count as gone


def test_worker_that_lost_its_batch_cannot_finish_keep_or_fail_it(batch, settings):
    lost = claim("slow")
    later = timezone.now() + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    taken = claim("fast", later)
    finish(lost)
    services.fail_batch(batch=lost, error=RuntimeError("late"), now=later)
    services.release_batch(batch=lost)
    extend_leases(jobs=[lost], now=later + timedelta(days=1))
    assert not services.may_go_on(batch=lost)
    row = GenerationBatch.objects.get(pk=batch.pk)
    assert (row.status, row.worker, row.lease_expires_at) == (
        "running", "fast", taken.lease_expires_at
    )  # fmt: skip


def test_same_worker_that_lost_its_batch_and_took_it_again_ends_the_second_attempt_only(
    batch, settings
):
    lost = claim("w")
    claim("w", timezone.now() + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1))
    finish(lost)
    assert GenerationBatch.objects.get(pk=batch.pk).status == "running"


def test_released_batch_is_queued_and_a_worker_woken(
    batch, wakes, django_capture_on_commit_callbacks
):
    wakes.clear()
    with django_capture_on_commit_callbacks(execute=True):
        services.release_batch(batch=claim())
    row = GenerationBatch.objects.get(pk=batch.pk)
    assert (row.status, row.attempts, len(wakes)) == ("queued", 0, 1)


def test_batch_that_kills_its_workers_is_given_up(batch, settings):
    settings.GENERATION_MAX_ATTEMPTS = 2
    now = timezone.now()
    for attempt in range(2):
        now += timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
        assert claim(f"victim-{attempt}", now)
    now += timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    assert claim("next", now) is None
    row = GenerationBatch.objects.get(pk=batch.pk)
    assert row.status == "failed"
    assert row.error.startswith("2 workers died while they had it, the last was victim-1")


def test_finished_batch_says_how_long_each_stage_took(batch):
    finish(claim())
    row = GenerationBatch.objects.get(pk=batch.pk)
    assert (row.status, row.stages, row.environment) == (
        "done", {"denoise": 1.5}, {"device": "CPU"}
    )  # fmt: skip


def test_broker_that_is_away_takes_nothing_from_what_a_worker_does(
    batch, monkeypatch, django_capture_on_commit_callbacks
):
    def fail(count):
        raise BrokerError("[Errno 111] Connection refused")

    monkeypatch.setattr("evalplatform.generation.services.claiming.send_wakes", fail)
    assert services.wake_myself(memory_bytes=None, now=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        services.release_batch(batch=claim())
    assert GenerationBatch.objects.get(pk=batch.pk).status == "queued"


def test_idle_worker_wakes_itself_only_where_something_waits_for_it(batch, wakes, settings):
    wakes.clear()
    now = timezone.now()
    assert services.wake_myself(memory_bytes=None, now=now)
    assert not services.wake_myself(memory_bytes=0, now=now)
    claim()
    assert not services.wake_myself(memory_bytes=None, now=now)
    later = now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    assert services.wake_myself(memory_bytes=None, now=later)
    assert len(wakes) == 2


# ---- whose turn it is ---------------------------------------------------------------------------


@pytest.fixture
def queue(db, wakes, settings):
    """Two checkpoints a campaign, two batches each; returns a function that makes a campaign."""
    settings.GENERATION_BATCH_SIZE = 2
    sampler_settings = SamplerSettings.objects.create(**factories.SETTINGS)

    def ask(name, *checkpoints, **options):
        request = services.open_request(project=default_project(), name=name, **options)
        prompts = factories.make_prompt_set(name, 4)
        for checkpoint in checkpoints:
            services.enqueue_samples(
                samples=factories.plan(checkpoint, sampler_settings, prompts), request=request
            )
        return request

    return ask


@pytest.fixture
def tuned(db):
    return factories.make_checkpoint("tuned")


@pytest.fixture
def plain(db):
    return factories.make_checkpoint("plain")


def order(count=8, **options):
    """Claim batch after batch as one worker; return (request, checkpoint) of each."""
    claimed = [claim(**options) for _ in range(count)]
    return [(each.request.name, each.checkpoint.name) for each in claimed if each]


def test_older_request_goes_first(queue, tuned, plain):
    queue("first", tuned)
    queue("second", plain)
    assert order() == [("first", "tuned")] * 2 + [("second", "plain")] * 2


def test_higher_priority_goes_before_an_older_request(queue, tuned, plain):
    queue("first", tuned)
    queue("urgent", plain, priority=5)
    assert order() == [("urgent", "plain")] * 2 + [("first", "tuned")] * 2


def test_worker_stays_with_the_checkpoint_it_has_loaded(queue, tuned, plain):
    queue("c", tuned, plain)
    assert order(loaded=[plain.pk]) == [("c", "plain")] * 2 + [("c", "tuned")] * 2


def test_most_recently_used_checkpoint_goes_first(queue, tuned, plain):
    queue("c", tuned, plain)
    assert order(loaded=[tuned.pk, plain.pk])[0] == ("c", "plain")


def test_cold_worker_takes_the_checkpoint_that_nobody_has_loaded(queue, tuned, plain):
    queue("c", tuned, plain)
    factories.make_worker("warm", loaded=[tuned.pk])
    assert order(worker="cold") == [("c", "plain")] * 2 + [("c", "tuned")] * 2


def test_what_a_dead_worker_had_loaded_counts_for_nothing(queue, tuned, plain):
    queue("c", tuned, plain)
    long_ago = timezone.now() - timedelta(minutes=5)
    factories.make_worker("gone", loaded=[tuned.pk], seen_at=long_ago)
    assert order(worker="cold")[0] == ("c", "tuned")


def test_checkpoint_too_large_for_the_worker_is_left_to_others(queue, tuned):
    huge = factories.make_checkpoint("huge", size_bytes=10**12)
    queue("c", huge, tuned)
    assert order(memory_bytes=10**9) == [("c", "tuned")] * 2
    assert order(memory_bytes=10**13) == [("c", "huge")] * 2


def test_checkpoint_of_eight_bits_is_left_to_workers_that_hold_sixteen(queue):
    eights = factories.make_checkpoint("eights", size_bytes=100, parameters={"F8_E4M3": 90})
    queue("c", eights)
    assert order(memory_bytes=150) == []
    assert order(memory_bytes=190) == [("c", "eights")] * 2


# ---- recording ----------------------------------------------------------------------------------


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


def test_recorded_sample_says_what_its_image_is(planned):
    """Pixels are compared, not files: another zlib packs the same picture into other bytes."""
    palette = factories.make_image(1).quantize()
    images = [palette, palette.convert("RGB"), Image.new("RGB", (16, 8)), Image.new("L", (8, 16))]
    services.record_samples(samples=planned[:4], images=images, now=timezone.now())
    rows = [Sample.objects.get(pk=each.pk) for each in planned[:4]]
    assert [row.is_constant for row in rows] == [False, False, True, True]
    assert rows[0].pixels_sha256 == rows[1].pixels_sha256
    assert len({row.pixels_sha256 for row in rows}) == 3  # size tells two black images apart


@dataclass
class Reading:
    """As `models_backend.nn.reading` has it."""

    tokens: int
    read: int


def test_recorded_sample_says_how_much_of_its_prompt_was_read(planned):
    readings = [Reading(93, 77), Reading(5, 5), None]
    images = [factories.make_image(each) for each in range(3)]
    services.record_samples(
        samples=planned[:3], images=images, readings=readings, now=timezone.now()
    )
    rows = [Sample.objects.get(pk=each.pk) for each in planned[:3]]
    assert [(row.prompt_tokens, row.tokens_read) for row in rows] == [
        (93, 77),
        (5, 5),
        (None, None),
    ]
    assert [row.reads_in_full for row in rows] == [False, True, None]


@pytest.mark.parametrize(
    "told", [{"prompt_tokens": 5, "tokens_read": 6}, {"prompt_tokens": 5}, {"tokens_read": 5}]
)
def test_impossible_reading_cannot_be_stored(planned, told):
    with pytest.raises(IntegrityError, match="sample_reads_no_more_than_there_is"):
        Sample.objects.filter(pk=planned[0].pk).update(**told)


def test_storage_that_is_away_for_a_moment_is_waited_for(planned, monkeypatch):
    pauses, save = [], default_storage.save

    def away_twice(name, content):
        if len(pauses) < 2:
            raise OSError("connection refused")
        return save(name, content)

    monkeypatch.setattr(default_storage, "save", away_twice)
    monkeypatch.setattr(stored_images.time, "sleep", pauses.append)
    services.record_sample(
        sample=planned[0], image=factories.make_image(0, size=17), now=timezone.now()
    )
    assert Sample.objects.get(pk=planned[0].pk).status == "ready"
    assert pauses == [1.0, 3.0]


def test_where_one_image_cannot_be_stored_no_row_says_otherwise(planned, monkeypatch):
    def refuse(name, content):
        raise OSError("no space left")

    monkeypatch.setattr(default_storage, "save", refuse)
    monkeypatch.setattr(stored_images.time, "sleep", lambda seconds: None)
    with pytest.raises(OSError, match="no space"):
        services.record_sample(
            sample=planned[0], image=factories.make_image(1, size=17), now=timezone.now()
        )
    assert Sample.objects.get(pk=planned[0].pk).status == "planned"


def test_encoded_image_carries_no_metadata():
    info = PngImagePlugin.PngInfo()
    info.add_text("model", "secret-checkpoint")
    buffer = io.BytesIO()
    factories.make_image(3).save(buffer, "PNG", pnginfo=info, dpi=(72, 72))
    image = Image.open(io.BytesIO(buffer.getvalue()))
    assert "model" in image.info
    bare = Image.open(io.BytesIO(stored_images.encode_image(image)))
    assert bare.info == {}
    assert bare.tobytes() == image.tobytes()


def test_only_lately_seen_workers_are_alive():
    factories.make_worker("fresh")
    factories.make_worker("gone", seen_at=timezone.now() - timedelta(minutes=5))
    assert [worker.name for worker in live_workers(timezone.now())] == ["fresh"]


@pytest.mark.parametrize("prefix", ["", "group-a-"])
@pytest.mark.parametrize(
    ("taken", "reports"),
    [("generation", True), ("default", False), ("default,generation", True)],
)
def test_worker_that_takes_other_work_does_not_report_itself(prefix, taken, reports):
    chosen = app.amqp.Queues(queues("redis://", prefix))
    chosen.select(taken.split(","))
    assert makes_samples(chosen) is reports


# ---- many at once -------------------------------------------------------------------------------


def test_keys_are_of_the_wanted_samples_in_their_order_and_planned_once(planned):
    checkpoint, settings = planned[0].checkpoint, planned[0].settings
    more = list(factories.make_prompt_set("more", 3).prompts.order_by("position"))
    wanted = [(sample.prompt, sample.seed) for sample in planned] + [(each, 5) for each in more]
    parts = [wanted[:7:-1], wanted[:8]]
    keys = services.plan_keys(checkpoint=checkpoint, settings=settings, parts=parts)
    rows = Sample.objects.in_bulk(keys)
    assert [(rows[key].prompt, rows[key].seed) for key in keys] == [
        each for part in parts for each in part
    ]
    assert list(keys[5:]) == [sample.pk for sample in planned[:8]]
    again = services.plan_keys(checkpoint=checkpoint, settings=settings, parts=parts)
    assert list(again) == list(keys)
    assert Sample.objects.count() == 13


def test_keys_are_put_into_batches_and_looked_at_as_their_rows_are(planned, settings):
    settings.GENERATION_BATCH_SIZE = 4
    keys = SampleKeys(sample.pk for sample in planned)
    batches = services.enqueue_samples(samples=keys, request=factories.make_request())
    held = [list(batch.samples.order_by("pk").values_list("pk", flat=True)) for batch in batches]
    assert held == [list(keys[:4]), list(keys[4:8]), list(keys[8:])]
    assert progress_of(keys) == progress_of(planned)
    services.fail_batch(batch=claim(), error=RuntimeError("no memory"), now=timezone.now())
    said = f"{batches[0]} failed: RuntimeError: no memory"
    assert progress_of(SampleKeys(held[0])).failures == [said]
    assert progress_of(SampleKeys(held[1])).failures == []


def test_many_samples_are_asked_for_in_as_many_statements_as_few(
    planned, settings, django_assert_max_num_queries
):
    settings.GENERATION_BATCH_SIZE = 1
    request = factories.make_request()
    with django_assert_max_num_queries(8):
        assert len(services.enqueue_samples(samples=planned, request=request)) == 10
