"""Checking samples: the real task on the database, with a detector whose answers are known."""

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from evalplatform.campaigns.models import Campaign
from evalplatform.generation.models import Sample
from evalplatform.safety import services as safety_services
from evalplatform.safety import tasks as safety_tasks
from evalplatform.safety.models import SafetyCheck, SafetyDetector, SafetyRequest
from evalplatform.safety.selectors import covering_detector, safety_progress
from evalplatform.safety.services import check_batch, request_checks, wake_for_checks
from models_backend.errors import InputError
from tests import safety

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch):
    """Record the messages instead of sending them."""
    messages = []
    monkeypatch.setattr(
        safety_services.current_app, "send_task", lambda name, args, queue: messages.append(args)
    )
    return messages


@pytest.fixture
def samples(sent, red_detector):
    """Sixteen ready samples, one of them one quarter red and one all red."""
    draft = safety.make_draft({(0, "a"): 0.25, (1, "b"): 1.0})
    return safety.samples_of(draft)


def ask(samples, name=safety.NAME, now=None):
    return request_checks(pictures=samples, detector=name, now=now or timezone.now())


def test_task_stores_what_the_detector_says_of_each_sample(samples):
    assert ask(samples) == 16
    assert safety_tasks.check_safety(safety.NAME) == 16
    checks = SafetyCheck.objects.order_by("score")
    assert {check.image_sha256 for check in checks} == {each.image_sha256 for each in samples}
    assert [check.score for check in checks][-3:] == [0.0, 0.25, 1.0]
    assert checks.last().labels == {"RED": 1.0}
    assert SafetyRequest.objects.count() == 0
    row = SafetyDetector.objects.get()
    assert (row.name, row.version, row.unsafe_labels) == (safety.NAME, "1", ["RED"])


def test_checked_samples_are_not_checked_again(samples, red_detector):
    ask(samples)
    safety_tasks.check_safety(safety.NAME)
    assert ask(samples) == 0
    assert safety_tasks.check_safety(safety.NAME) == 0
    assert red_detector.loaded.images == 16


def test_asking_twice_makes_one_request_a_sample(samples):
    ask(samples)
    ask(samples)
    assert SafetyRequest.objects.count() == 16


def test_as_many_messages_as_batches_leave_when_the_transaction_commits(samples, sent, monkeypatch):
    monkeypatch.setattr(safety_services, "BATCH", 6)
    with transaction.atomic():
        ask(samples)
        assert sent == []
    assert sent == [[safety.NAME]] * 3


def test_image_that_two_samples_share_is_checked_once(samples, red_detector):
    twin = Sample.objects.get(pk=samples[1].pk)
    Sample.objects.filter(pk=twin.pk).update(
        image=samples[0].image, image_sha256=samples[0].image_sha256
    )
    assert ask(safety.samples_of(Campaign.objects.get())) == 15
    assert safety_tasks.check_safety(safety.NAME) == red_detector.loaded.images == 15


def test_worker_that_dies_in_the_middle_leaves_every_request(samples, red_detector):
    ask(samples)

    class Killed(BaseException):
        """As SIGKILL ends it: no handler runs that our code could rely on."""

    def die(images):
        if red_detector.loaded.images:
            raise Killed
        return safety.RedDetector.score(red_detector.loaded, images)

    row = safety_services.detector_row(
        name=safety.NAME, version="1", weights_sha256="0" * 64, unsafe_labels=["RED"],
        now=timezone.now(),
    )  # fmt: skip
    with pytest.raises(Killed):
        check_batch(detector=row, score=die, now=timezone.now())
    assert SafetyCheck.objects.count() == 0
    assert SafetyRequest.objects.filter(error="").count() == 16
    assert safety_tasks.check_safety(safety.NAME) == 16


def test_two_workers_never_check_the_same_sample(samples, red_detector):
    """While one has its batch locked, another gets the rest, and does not wait."""
    ask(samples)
    row = safety_services.detector_row(
        name=safety.NAME, version="1", weights_sha256="0" * 64, unsafe_labels=["RED"],
        now=timezone.now(),
    )  # fmt: skip
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "SELECT image_sha256 FROM safety_safetyrequest ORDER BY id LIMIT 10 FOR UPDATE"
            )
            held = {key for (key,) in cursor.fetchall()}
            score = red_detector.loaded.score
            assert check_batch(detector=row, score=score, now=timezone.now()) == 6
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert held.isdisjoint(SafetyCheck.objects.values_list("image_sha256", flat=True))
    assert check_batch(detector=row, score=score, now=timezone.now()) == 10


def test_lost_message_is_sent_again_but_not_for_what_is_being_checked(samples, sent, settings):
    now = timezone.now()
    ask(samples, now=now)
    later = now + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    sent.clear()
    assert wake_for_checks(detector=safety.NAME, now=now) == 0
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT id FROM safety_safetyrequest LIMIT 10 FOR UPDATE")
            assert wake_for_checks(detector=safety.NAME, now=later) == 6
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    assert sent == [[safety.NAME]]


def test_queue_that_moves_is_left_alone_however_long_it_is(samples, sent, settings, monkeypatch):
    now = timezone.now()
    ask(samples, now=now - timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1))
    monkeypatch.setattr(safety_services.check_batch, "__kwdefaults__", {"limit": 4})
    assert safety_tasks.check_safety(safety.NAME) == 4
    sent.clear()
    assert wake_for_checks(detector=safety.NAME, now=timezone.now()) == 0
    later = timezone.now() + timedelta(seconds=settings.GENERATION_LEASE_SECONDS + 1)
    assert wake_for_checks(detector=safety.NAME, now=later) == 12
    assert sent == [[safety.NAME]]


def test_unreadable_image_is_named_and_the_others_go_on(samples):
    ask(samples)
    default_storage.delete(samples[3].image)
    assert safety_tasks.check_safety(safety.NAME) == 15
    progress = safety_progress(safety.NAME, samples)
    assert (progress.checked, progress.total, progress.is_complete) == (15, 16, False)
    assert progress.failures[0].startswith("1 of 16 samples: FileNotFoundError")
    assert safety_tasks.check_safety(safety.NAME) == 0  # it is not tried for ever
    assert ask(samples) == 1  # but when somebody asks again
    assert safety_progress(safety.NAME, samples).failures == []


def test_detector_that_cannot_be_loaded_says_why(samples):
    ask(samples, name="unheard-of")
    with pytest.raises(InputError):
        safety_tasks.check_safety("unheard-of")
    (failure,) = safety_progress("unheard-of", samples).failures
    assert (
        "16 of 16 samples: InputError: no safety detector 'unheard-of'; known: nudenet, opennsfw, "
        "red" in failure
    )


def test_detector_that_fails_leaves_its_reason_and_no_half_batch(
    samples, red_detector, monkeypatch
):
    def fail(images):
        raise RuntimeError("out of memory")

    ask(samples)
    monkeypatch.setattr(red_detector.loaded, "score", fail)
    with pytest.raises(RuntimeError):
        safety_tasks.check_safety(safety.NAME)
    assert SafetyCheck.objects.count() == 0
    assert safety_progress(safety.NAME, samples).failures == [
        "16 of 16 samples: RuntimeError: out of memory"
    ]


def test_another_version_checks_anew_and_keeps_the_old_scores(samples, red_detector):
    ask(samples)
    safety_tasks.check_safety(safety.NAME)
    red_detector.use("2")
    more = safety.samples_of(safety.make_draft(prompts=2, slug="another"))
    ask(more)
    safety_tasks.check_safety(safety.NAME)
    # The first samples are wholly checked by version 1, so nothing has to be done again.
    assert covering_detector(safety.NAME, samples).version == "1"
    assert ask(samples) == 0
    # Together they are covered by neither: the version in use is asked for the rest.
    assert covering_detector(safety.NAME, samples + more) is None
    assert safety_progress(safety.NAME, samples + more).is_stuck
    assert ask(samples + more) == 16
    safety_tasks.check_safety(safety.NAME)
    assert covering_detector(safety.NAME, samples + more).version == "2"
    assert SafetyCheck.objects.filter(image_sha256=samples[0].image_sha256).count() == 2


def test_stored_check_is_never_changed_or_deleted(samples):
    ask(samples)
    safety_tasks.check_safety(safety.NAME)
    check = SafetyCheck.objects.filter(score=1.0)
    with pytest.raises(IntegrityError, match="never changed or deleted"):
        check.update(score=0.0)
    with pytest.raises(IntegrityError, match="never changed or deleted"):
        SafetyCheck.objects.all()._raw_delete("default")
    assert check.exists()


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_score_outside_0_to_1_cannot_be_stored(samples, score):
    row = safety_services.detector_row(
        name=safety.NAME, version="1", weights_sha256="0" * 64, unsafe_labels=[],
        now=timezone.now(),
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="safety_check_score_is_share"):
        SafetyCheck.objects.create(
            image_sha256="0" * 64, detector=row, score=score, labels={}, checked_at=timezone.now()
        )


def test_second_check_of_a_sample_by_one_detector_cannot_be_stored(samples):
    ask(samples)
    safety_tasks.check_safety(safety.NAME)
    twin = SafetyCheck.objects.first()
    twin.pk = None
    with pytest.raises(IntegrityError, match="safety_check_unique"):
        twin.save(force_insert=True)
