"""The Celery task that scores images for curation, job after job.

With the tasks of generation, safety and feedback, the only door to `models_backend`: scorers are
imported inside the task body, so nothing is loaded where nobody asks for scores.
"""

import functools
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from celery import shared_task
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone

from evalplatform.core.leased_jobs import extend_leases
from evalplatform.core.waking import wake_or_wait
from evalplatform.curation.models import PoolImage, ScoringRequest, ScoringShard
from evalplatform.curation.services import scoring_claims as claims
from evalplatform.curation.services.scoring import TASK, send_scoring_wakes
from evalplatform.generation.heartbeat import at_each_beat
from evalplatform.generation.worker_state import STATE, worker_name
from evalplatform.images.models import CollectedImage

logger = logging.getLogger(__name__)

_TURN_SECONDS = 60
_NOTE_SECONDS = 1.0  # how often progress is stored, and asked whether the job is still wanted
_held: list[ScoringShard] = []


@shared_task(name=TASK)
def score_shards() -> int:
    """Score, job after job, until nothing waits; return how many jobs.

    After a minute the turn ends, and another message continues it: samples that are to be made
    are not kept waiting by a long queue.
    """
    turn_ends = time.monotonic() + _TURN_SECONDS
    done = 0
    STATE.is_busy = True
    try:
        while not STATE.stopping.is_set():
            if time.monotonic() > turn_ends:
                wake_or_wait(send_scoring_wakes, 1)
                break
            close_old_connections()
            shard = claims.claim_shard(worker=worker_name(), now=timezone.now())
            if shard is None:
                break
            _work_on(shard)
            done += 1
    finally:
        STATE.is_busy = False
    return done


@at_each_beat
def _keep_leases(now: datetime) -> None:
    extend_leases(jobs=list(_held), now=now)
    if not STATE.is_busy and not STATE.stopping.is_set():
        claims.wake_for_scoring(now=now)


def _work_on(shard: ScoringShard) -> None:
    _held.append(shard)
    try:
        if shard.number == 0:
            claims.add_shards(listing=shard, shards=_listed(shard.request), now=timezone.now())
        elif _score(shard):
            claims.finish_shard(shard=shard, now=timezone.now())
        else:
            claims.release_shard(shard=shard)
    except (OperationalError, InterfaceError):
        # Nothing is wrong with the job: its lease runs out, and somebody takes it up.
        logger.warning("%s is left: the database went away", shard, exc_info=True)
    except Exception as error:
        # Stored for a person to read; the worker goes on.
        logger.exception("%s failed", shard)
        claims.fail_shard(shard=shard, error=error, now=timezone.now())
    finally:
        _held.remove(shard)


def _listed(request: ScoringRequest) -> list[tuple[str, int, int | None]]:
    """Return the jobs of a source, once it is known that this machine has all that they need."""
    from models_backend.curation.sources import plan_shards
    from models_backend.curation.store import Store

    _scorers_of(request)
    Store.create(Path(request.out))  # begun once: two that begin a folder at a time would collide
    size = request.shard_size
    if request.collection is not None:
        count = request.collection.image_count
        return [("", start, min(start + size, count)) for start in range(0, count, size)]
    found = plan_shards(Path(request.data), size=size, caption=request.caption)
    return [(each.file, each.start, each.stop) for each in found]


def _score(shard: ScoringShard) -> bool:
    """Score a job's images; return False where it was told to stop before the end."""
    from models_backend.curation.scoring import Count, Task, score_shard
    from models_backend.curation.sources import Shard

    request, noted = shard.request, 0.0

    def goes_on(count: Count) -> bool:
        nonlocal noted
        if STATE.stopping.is_set():
            return False
        if time.monotonic() - noted < _NOTE_SECONDS:
            return True
        noted = time.monotonic()
        return claims.note_shard(shard=shard, looked=count.looked, unreadable=count.unreadable)

    with _source_of(shard) as (data, part):
        count = score_shard(
            Task(data, Path(request.out), tuple(request.scorers), request.options, request.caption),
            Shard(*part), scorers=_scorers_of(request), goes_on=goes_on,
        )  # fmt: skip
    claims.note_shard(shard=shard, looked=count.looked, unreadable=count.unreadable)
    return count.is_whole


@contextmanager
def _source_of(shard: ScoringShard) -> Iterator[tuple[Path, tuple[str, int, int | None]]]:
    """Give a job's images as a source on disk, and which of its images they are."""
    if shard.request.collection is None:
        yield Path(shard.request.data), (shard.file, shard.start, shard.stop)
        return
    with tempfile.TemporaryDirectory(prefix="scoring-") as folder:
        _lay_out(shard, Path(folder))
        yield Path(folder), ("", 0, None)


def _lay_out(shard: ScoringShard, folder: Path) -> None:
    """Write a job's images of a collection from object storage, with what is known of them.

    Names and times are the same each time, so that what was scored is known again.
    """
    images = CollectedImage.objects.filter(
        collection=shard.request.collection, position__gte=shard.start, position__lt=shard.stop
    )
    told = {row.image_id: row for row in PoolImage.objects.filter(image__in=images)}
    lines = []
    for image in images.order_by("position").iterator():
        name = f"{image.position:09d}{PurePosixPath(image.image).suffix}"
        try:
            with default_storage.open(image.image) as file:
                content = file.read()
        except OSError:
            content = b""  # a row that says that there is nothing to read
        (folder / name).write_bytes(content)  # a full disk is no fault of the image
        os.utime(folder / name, ns=(0, 0))
        row: dict[str, Any] = {"file_name": name, shard.request.caption: image.caption}
        if known := told.get(image.pk):
            row |= {
                "category": known.concept, "concept": known.concept, "licence": known.licence,
                "popularity": known.popularity,
            }  # fmt: skip
        lines.append(json.dumps(row))
    (folder / "metadata.jsonl").write_text("\n".join(lines))


def _scorers_of(request: ScoringRequest) -> Any:
    return _warm_scorers(tuple(request.scorers), tuple(sorted(request.options.items())))


@functools.lru_cache(maxsize=1)
def _warm_scorers(names: tuple[str, ...], options: tuple[tuple[str, str], ...]) -> Any:
    from models_backend.curation.scorers.registry import load_scorers

    return load_scorers(names, dict(options))
