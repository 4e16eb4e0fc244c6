"""Asking for a reward's scores of a campaign's images, and storing what it said.

As with safety checks a `ScoreRequest` row is the job and a message only wakes a worker. A worker
locks some requests, scores their images, stores the scores and removes the requests in one
transaction: the lock is the lease, so a worker that is killed leaves every request as it was, and
no two score the same image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from celery import current_app
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet

from evalplatform.feedback.models import RegisteredReward, RewardScore, ScoreRequest
from evalplatform.feedback.scored import ScoredImage, unscored

TASK = "feedback.score_images"
BATCH = 32  # images scored under one lock and stored together

ScoreFiles = Callable[[Sequence[bytes], Sequence[str], Sequence[str]], list[dict[str, float]]]


def request_scores(
    *, reward: RegisteredReward, images: Sequence[ScoredImage], now: datetime
) -> int:
    """Ask the workers for those of `images` that have no score; return how many are missing.

    Asking twice does no harm; what failed is tried again. Messages leave when the transaction
    commits.
    """
    missing = unscored(reward, images)
    with transaction.atomic():
        failed = reward.score_requests.exclude(error="")
        failed.filter(image_sha256__in=[each.image_sha256 for each in missing]).update(
            error="", sent_at=None
        )
        ScoreRequest.objects.bulk_create(
            [
                ScoreRequest(
                    reward=reward, image=each.image, image_sha256=each.image_sha256,
                    prompt=each.prompt, prompt_sha256=each.prompt_sha256,
                )
                for each in missing
            ],
            ignore_conflicts=True,
            batch_size=1000,
        )  # fmt: skip
        wake_for_scores(reward=reward, now=now)
    return len(missing)


def wake_for_scores(*, reward: RegisteredReward, now: datetime) -> int:
    """Wake workers for requests nobody was woken for lately; return how many requests.

    Lately: within a lease, unless one of its scores is as new, which says that a worker is at it.
    """
    quiet_since = now - timedelta(seconds=settings.GENERATION_LEASE_SECONDS)
    never_sent = Q(sent_at__isnull=True)
    at_work = reward.scores.filter(scored_at__gte=quiet_since).exists()
    with transaction.atomic():
        waiting = _open_requests(reward).filter(
            never_sent if at_work else never_sent | Q(sent_at__lt=quiet_since)
        )
        identifiers = list(waiting.values_list("pk", flat=True))
        ScoreRequest.objects.filter(pk__in=identifiers).update(sent_at=now)
        for _ in range(0, len(identifiers), BATCH):
            transaction.on_commit(
                partial(current_app.send_task, TASK, args=[reward.sha256], queue="generation")
            )
    return len(identifiers)


def score_batch(
    *, reward: RegisteredReward, score: ScoreFiles, now: datetime, limit: int = BATCH
) -> int:
    """Score up to `limit` requested images that nobody else is scoring; return how many.

    An image that cannot be read is marked with the reason, and the others go on. Whatever else
    fails is stored with all of them and raised.
    """
    taken: list[ScoreRequest] = []
    try:
        with transaction.atomic():
            taken = list(_open_requests(reward).order_by("pk")[:limit])
            return _score(taken, reward, score, now)
    except DatabaseError:
        raise  # nothing is wrong with the images; whoever waits for them asks again
    except Exception as error:
        fail_requests(requests=taken, error=error)
        raise


def fail_waiting(*, reward: RegisteredReward, error: BaseException) -> None:
    """Store why a worker could not even load the reward, with a batch that it would have had."""
    with transaction.atomic():
        fail_requests(requests=list(_open_requests(reward)[:BATCH]), error=error)


def fail_requests(*, requests: Sequence[ScoreRequest], error: BaseException) -> None:
    """Store why these could not be scored, for a person to read."""
    reason = f"{type(error).__name__}: {error}".strip()[:2000]
    ScoreRequest.objects.filter(pk__in=[each.pk for each in requests]).update(error=reason)


def _open_requests(reward: RegisteredReward) -> QuerySet[ScoreRequest]:
    """Requests that nobody works on, locked; within a transaction."""
    return ScoreRequest.objects.select_for_update(of=("self",), skip_locked=True).filter(
        reward=reward, error=""
    )


def _score(
    requests: Sequence[ScoreRequest], reward: RegisteredReward, score: ScoreFiles, now: datetime
) -> int:
    readable, files = [], []
    for request in requests:
        try:
            with default_storage.open(request.image) as file:
                files.append(file.read())
            readable.append(request)
        except (OSError, ValueError) as error:
            fail_requests(requests=[request], error=error)
    if not readable:
        return 0
    found = _scored(readable, files, score)
    RewardScore.objects.bulk_create(
        [
            RewardScore(
                reward=reward, image_sha256=request.image_sha256,
                prompt_sha256=request.prompt_sha256, values=values, scored_at=now,
            )
            for request, values in found
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    ScoreRequest.objects.filter(pk__in=[request.pk for request, _ in found]).delete()
    return len(found)


def _scored(
    requests: Sequence[ScoreRequest], files: Sequence[bytes], score: ScoreFiles
) -> list[tuple[ScoreRequest, dict[str, float]]]:
    """Score all together; where that fails each alone, so that one image holds up no other."""
    try:
        return list(zip(requests, _ask(requests, files, score), strict=True))
    except Exception:
        if len(requests) == 1:
            raise
    found = []
    for request, file in zip(requests, files, strict=True):
        try:
            found.append((request, _ask([request], [file], score)[0]))
        except Exception as error:
            fail_requests(requests=[request], error=error)
    return found


def _ask(
    requests: Sequence[ScoreRequest], files: Sequence[bytes], score: ScoreFiles
) -> list[dict[str, float]]:
    names = [each.image_sha256[:12] for each in requests]
    return score(files, [each.prompt for each in requests], names)
