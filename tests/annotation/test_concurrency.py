"""Fifty annotators in five processes that are killed again and again: exactly k, nothing lost."""

import multiprocessing
import os
import random
import time
from collections import Counter
from dataclasses import replace
from multiprocessing.context import ForkServerProcess as Racer
from pathlib import Path
from unittest import mock

import pytest
from django.db.models import Count

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Assignment, SurplusVote, Vote
from evalplatform.annotation.selectors import votes_missing
from evalplatform.annotation.services import enrol, open_campaign
from evalplatform.campaigns.criteria import plan_criterion
from tests import factories, live
from tests.annotation import racing
from tests.counting import assert_tallies_are_true

pytestmark = pytest.mark.django_db(transaction=True)
ITEMS = int(os.environ.get("RACE_ITEMS", "400"))
K, PROCESSES, THREADS = 5, 5, 10
LIMIT = 400  # seconds; about 25 are needed for 400 items, 60 for 1,000


def test_fifty_racing_annotators_leave_exactly_five_votes_an_item(tmp_path, capsys):
    race(ITEMS, ["visual_appeal"], tmp_path, capsys)


def test_fifty_racing_reviewers_and_writers_lose_no_mark_and_no_letter(tmp_path, capsys):
    """Every image is kept or rejected, with heads, and has captions of over 700 letters."""
    heads = ("Lighting", "Story")
    criteria = [
        replace(plan_criterion("visual_appeal", K, "keep_reject"), heads=heads),
        plan_criterion("image_caption", K, "caption"),
    ]
    rules = {"annotation": {"same_pair": "unrestricted"}}
    race(ITEMS // 4, criteria, tmp_path, capsys, arms=1, rules=rules)
    votes = Vote.objects.filter(form="caption")
    assert votes.exists()
    for vote in votes.iterator():
        assert vote.answer == f"What {vote.idempotency_key} saw: {'a long text, ' * 60}whole"
    assert all(len(vote.marks) == 1 for vote in Vote.objects.filter(form="keep_reject"))


def race(prompts, criteria, tmp_path, capsys, **options):
    """Let fifty answer all of a campaign, killed again and again; nothing is lost or too much."""
    campaign = factories.make_bulk_draft(prompts=prompts, k=K, criteria=criteria, **options)
    campaign.lease_seconds = 2
    campaign.save()
    open_campaign(campaign=campaign)
    for _ in range(PROCESSES * THREADS):
        enrol(campaign=campaign, annotator=Annotator.objects.create())
    items = campaign.item_count
    kills, logs = run_with_kills(campaign, tmp_path)

    counting = Vote.objects.filter(retracted_at=None, exclusion=None)
    per_item = counting.values("assignment__item").annotate(n=Count("pk"))
    assert Counter(row["n"] for row in per_item) == {K: items}
    assert counting.count() == items * K
    twice = counting.values("assignment__item", "annotator").annotate(n=Count("pk"))
    assert not twice.filter(n__gt=1).exists()
    assert Assignment.objects.completed().count() == items * K
    assert_tallies_are_true(campaign)

    receipts = [line.split(maxsplit=1) for log in logs for line in log.read_text().splitlines()]
    assert [line for line in receipts if line[0] == "FAILED"] == []
    acknowledged = {key for receipt, key in receipts if receipt in ("recorded", "repeated")}
    undone = {key for receipt, key in receipts if receipt == "undone"}
    stored = {str(key) for key in counting.values_list("idempotency_key", flat=True)}
    retracted = Vote.objects.exclude(retracted_at=None).values_list("idempotency_key", flat=True)
    assert acknowledged - undone <= stored | {str(key) for key in retracted}
    surplus = {str(key) for key in SurplusVote.objects.values_list("idempotency_key", flat=True)}
    assert {key for receipt, key in receipts if receipt == "surplus"} <= surplus
    assert undone <= {str(key) for key in retracted}
    assert kills >= 3
    assert undone
    with capsys.disabled():
        print(
            f"\n{items * K:,} votes wanted, {counting.count():,} counting, 0 over, 0 twice, "
            f"0 of {len(acknowledged):,} acknowledged lost; {kills} processes killed, "
            f"{len(surplus)} late answers kept, {len(undone)} undone"
        )


def run_with_kills(campaign, folder: Path) -> tuple[int, list[Path]]:
    """Keep five processes running, killing one at random again and again until all is done.

    Only one that has voted is killed: on a busy machine none would come to it otherwise. The votes
    set the pace, so that a quick machine kills as often as a slow one.
    """
    rng = random.Random(1)
    logs = [folder / f"{index}.log" for index in range(PROCESSES)]
    running: dict[int, Racer] = {}
    before = [0] * PROCESSES  # length of each log when its process was started
    kills, serial, started = 0, 0, time.monotonic()
    wanted = votes_missing(campaign)
    next_kill = 0.9 * wanted  # votes still missing
    try:
        while votes_missing(campaign):
            assert time.monotonic() - started < LIMIT, f"{votes_missing(campaign)} votes missing"
            for index in range(PROCESSES):
                if index not in running or not running[index].is_alive():
                    serial += 1
                    before[index] = length(logs[index])
                    running[index] = start(campaign, index, serial, logs[index])
            time.sleep(0.2)
            missing = votes_missing(campaign)
            if missing > next_kill:
                continue
            at_work = [index for index in running if length(logs[index]) > before[index]]
            # The last votes are left to those who live.
            if at_work and missing > 200:
                next_kill = missing - rng.uniform(0.1, 0.2) * wanted
                victim = running[rng.choice(at_work)]
                victim.kill()
                victim.join()
                kills += 1
    finally:
        for process in running.values():
            process.kill()
            process.join()
    return kills, logs


def length(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def start(campaign, index: int, serial: int, log: Path) -> Racer:
    # Forked by a server that has loaded the platform once: loading it takes seconds of a core.
    racers = multiprocessing.get_context("forkserver")
    racers.set_forkserver_preload(["tests.annotation.racing_server"])
    racer = racers.Process(
        target=racing.main, args=(campaign.slug, index * THREADS, THREADS, serial, str(log))
    )
    with mock.patch.dict(os.environ, live.environment()):
        racer.start()
    return racer
