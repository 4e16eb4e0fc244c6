"""Scoring as jobs of the workers: leases, steering, failures; no worker process here."""

import errno
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from pyarrow import parquet

from evalplatform.accounts.projects import default_project
from evalplatform.core.leased_jobs import extend_leases
from evalplatform.curation import tasks
from evalplatform.curation.models import ScoringShard
from evalplatform.curation.scoring_progress import scoring_named, scoring_progress
from evalplatform.curation.services import scoring
from evalplatform.curation.services import scoring_claims as claims
from models_backend.curation.scoring import Task, score
from models_backend.curation.store import Store
from tests.curation.pools import png
from tests.waiting import wait_until_somebody_waits

NOW = timezone.now()
SCORERS = ("pixels", "duplicates")


@pytest.fixture
def hay(tmp_path):
    folder = tmp_path / "hay"
    folder.mkdir()
    for number in range(9):
        (folder / f"{number}.png").write_bytes(png(2000 + number))
    (folder / "cut.png").write_bytes(png(2100)[:60])
    return folder


@pytest.fixture
def ask(db, hay, tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)  # the test's transaction

    def run(**changes):
        given = {"scorers": SCORERS, "out": tmp_path / "scores", "data": hay, "shard_size": 4}
        plan = scoring.ScoringPlan(**given | changes)
        return scoring.request_scoring(project=default_project(), name="hay", plan=plan)

    return run


def found(folder, *, places=True):
    """What a folder of scores holds, whatever it was written by, in whatever order."""
    store = Store(folder)
    by_hash = [
        tuple(sorted(row.items(), key=str))
        for part in store.parts()
        for row in parquet.read_table(part.path).to_pylist()
    ]
    images = store.images(["file", "image_sha256", "error"] if places else ["image_sha256"])
    return sorted(by_hash, key=str), sorted(map(str, images.to_pylist()))


def test_jobs_write_the_rows_that_the_command_writes(ask, hay, tmp_path):
    request = ask()
    assert tasks.score_shards() == 4  # a listing, and 4 + 4 + 2 images
    told = scoring_progress(request)
    assert (told.state, told.done, told.looked, told.unreadable) == ("done", 4, 10, 1)
    score(Task(hay, tmp_path / "alone", SCORERS))
    assert found(tmp_path / "scores") == found(tmp_path / "alone")
    assert len(found(tmp_path / "scores")[0]) == 9
    ask()  # asked again, nothing is done again
    assert tasks.score_shards() == 0


def test_images_of_a_pool_are_scored_from_object_storage(needles, ask, tmp_path):
    request = ask(data=None, collection=needles.collection, scorers=(*SCORERS, "concepts"))
    assert tasks.score_shards() == 3
    rows, places = found(tmp_path / "scores")
    stored = set(needles.collection.images.values_list("image_sha256", flat=True))
    hashes = {row["image_sha256"].hex() for row in map(dict, rows)}
    assert (hashes, len(places), scoring_progress(request).looked) == (stored, 6, 6)
    assert {dict(row)["concepts/name"] for row in rows} == {"secret-concept-0", "secret-concept-1"}
    ScoringShard.objects.filter(number__gte=1).update(status="queued")
    assert tasks.score_shards() == 2
    assert found(tmp_path / "scores") == (rows, places)  # known again, though laid out anew


def test_full_disk_is_no_fault_of_the_images(needles, ask, monkeypatch):
    request, real = ask(data=None, collection=needles.collection), Path.write_bytes

    def write(path, content):
        if "scoring-" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", write)
        tasks.score_shards()
    told = scoring_progress(request)
    assert told.unreadable == 0
    assert "No space left on device" in told.failures[0]
    scoring.retry_scoring(request=request)
    tasks.score_shards()
    told = scoring_progress(request)
    assert (told.state, told.looked, told.unreadable) == ("done", 6, 0)


def test_lease_that_ran_out_gives_the_job_to_somebody_else(ask, settings):
    ask()
    lease = timedelta(seconds=settings.GENERATION_LEASE_SECONDS)
    first = claims.claim_shard(worker="a:1", now=NOW)
    assert claims.claim_shard(worker="b:1", now=NOW) is None
    extend_leases(jobs=[first], now=NOW + lease / 2)
    assert claims.claim_shard(worker="b:1", now=NOW + lease) is None
    second = claims.claim_shard(worker="b:1", now=NOW + 2 * lease)
    assert (second.pk, second.attempts) == (first.pk, 2)
    claims.add_shards(listing=first, shards=[("", 0, 4)], now=NOW)  # its lease was lost
    assert not claims.note_shard(shard=first, looked=1, unreadable=0)
    assert ScoringShard.objects.count() == 1
    claims.add_shards(listing=second, shards=[("", 0, 4), ("", 4, 8)], now=NOW)
    assert [shard.words for shard in ScoringShard.objects.all()] == [
        "listing", "images 0 to 3", "images 4 to 7",
    ]  # fmt: skip


def test_job_that_kills_its_workers_is_given_up_and_tried_again(ask, settings):
    settings.GENERATION_MAX_ATTEMPTS = 2
    request = ask()
    for day in range(3):
        claims.claim_shard(worker=f"w:{day}", now=NOW + timedelta(days=day))
    told = scoring_progress(request)
    assert told.state == "failed"
    assert told.failures[0].startswith("listing: 2 workers died while they had it")
    assert scoring.retry_scoring(request=request) == 1
    assert claims.claim_shard(worker="w:9", now=NOW).attempts == 1


def test_paused_and_cancelled_scoring_is_left(ask):
    request = ask()
    tasks._listed(request)
    claims.add_shards(listing=claims.claim_shard(worker="a", now=NOW), shards=[("", 0, 4),
                      ("", 4, 8)], now=NOW)  # fmt: skip
    shard = claims.claim_shard(worker="a", now=NOW)
    assert claims.note_shard(shard=shard, looked=2, unreadable=0)
    scoring.pause_scoring(request=request)
    assert claims.claim_shard(worker="b", now=NOW) is None
    assert not claims.note_shard(shard=shard, looked=3, unreadable=0)
    claims.release_shard(shard=shard)
    assert (ScoringShard.objects.get(pk=shard.pk).status, shard.looked) == ("queued", 0)
    scoring.resume_scoring(request=request)
    shard = claims.claim_shard(worker="b", now=NOW)
    assert scoring.cancel_scoring(request=request) == 2
    assert not claims.finish_shard(shard=shard, now=NOW)
    assert scoring_progress(request).state == "cancelled"
    for steer in (scoring.resume_scoring, scoring.retry_scoring):
        with pytest.raises(scoring.BadInputError, match="another name into"):
            steer(request=request)


@pytest.mark.parametrize(
    ("name", "said"),
    [("a b", "cannot name"), ("", "cannot name"), ("a/b", "cannot name"), ("n" * 81, "at most 80")],
)
def test_name_that_no_page_can_have_is_refused(db, hay, tmp_path, client, rania, name, said):
    with pytest.raises(CommandError, match=said):
        call_command("scoring", "start", name, data=hay, out=tmp_path / "scores", no_wait=True)
    client.force_login(rania)
    assert client.get(reverse("curation:list")).status_code == 200


def test_path_that_is_too_long_is_refused(ask):
    with pytest.raises(scoring.BadInputError, match="give one of at most 500"):
        ask(out=Path("/" + "x" * 600))


@pytest.mark.django_db(transaction=True)
def test_jobs_that_are_stored_while_somebody_cancels_are_dropped_too(ask):
    request = ask()
    listing = claims.claim_shard(worker="a", now=NOW)

    def cancel():
        scoring.cancel_scoring(request=request)
        connection.close()

    thread = threading.Thread(target=cancel)
    with transaction.atomic():
        claims.add_shards(listing=listing, shards=[("", 0, 4), ("", 4, 8)], now=NOW)
        thread.start()
        wait_until_somebody_waits()
    thread.join(20)
    states = ScoringShard.objects.order_by("number").values_list("status", flat=True)
    assert list(states) == ["done", "cancelled", "cancelled"]


def test_reason_of_a_job_names_no_option_of_a_command(ask):
    request = ask(scorers=("popularity",))
    assert tasks.score_shards() == 1
    (reason,) = scoring_progress(request).failures
    assert reason.endswith("a numeric field of the source, such as likes, as its option")


def test_what_a_machine_lacks_is_told_before_anything_is_read(ask, capsys):
    request = ask(options={"ocr": "x"})
    assert tasks.score_shards() == 1
    (reason,) = scoring_progress(request).failures
    assert "for ocr, which is not among the scorers" in reason
    with pytest.raises(CommandError, match=r"1 of 1 jobs failed.*scoring retry hay"):
        call_command("scoring", "start", "hay", "--data", request.data, "--out", request.out,
                     "--scorers", ",".join(SCORERS), "--with", "ocr=x",
                     "--images-a-job", "4")  # fmt: skip
    call_command("scoring", "list")
    assert "hay: failed, 0 images looked at" in capsys.readouterr().out


@pytest.mark.parametrize(("changes", "reason"), [
    ({"shard_size": 0}, "0 images a job; accepted: 1 to"),
    ({"scorers": ()}, "no scorer is named"),
    ({"data": None}, "a path of images or a collection"),
])  # fmt: skip
def test_plan_that_cannot_be_is_refused(ask, changes, reason):
    with pytest.raises(scoring.BadInputError, match=reason):
        ask(**changes)


def test_name_means_one_thing(ask, tmp_path):
    ask()
    with pytest.raises(scoring.BadInputError, match=r"something else already \(out\)"):
        ask(out=tmp_path / "other")
    with pytest.raises(scoring.BadInputError, match="there are hay"):
        scoring_named("straw")
