"""Results are computed once, and again as soon as anything that they hang on has changed."""

import json
import pickle
import re
import threading
import uuid
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation import answer_columns
from evalplatform.annotation.models import Assignment, Exclusion, Vote
from evalplatform.annotation.services import (
    enrol,
    exclude,
    give_back,
    open_campaign,
    reinstate,
    skip_assignment,
    undo_vote,
)
from evalplatform.campaigns.models import Campaign
from evalplatform.campaigns.services import close_campaign, pause_campaign, resume_campaign
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.generation.models import Sample
from evalplatform.reports import cached, fingerprint
from evalplatform.reports.cached import results_of
from evalplatform.reports.exports import results_json
from evalplatform.reports.models import KeptResults
from evalplatform.reports.results import campaign_results
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def voting(db):
    """A campaign with gold checks and two annotators, Ana with votes on all, Ben with one."""
    draft = factories.make_draft(prompts=4, k=2, criteria=["visual_appeal"])
    factories.add_gold(draft, "check", 1)
    open_campaign(campaign=draft)
    ana = enrol(campaign=draft, annotator=Annotator.objects.create(pseudonym="ana"))
    ben = enrol(campaign=draft, annotator=Annotator.objects.create(pseudonym="ben"))
    while pair := factories.lease(ana):
        factories.vote(ana, pair)
    factories.vote(ben, factories.lease(ben))
    return draft, ana, ben


def numbers(found):
    """Everything a report says but when it was computed."""
    content = results_json(found)
    content.pop("made_at")
    return json.dumps(content, sort_keys=True)


@pytest.fixture
def computed(monkeypatch):
    """Counts how often results were computed."""
    times = []

    def compute(campaign):
        times.append(campaign.slug)
        return campaign_results(campaign)

    monkeypatch.setattr(cached, "campaign_results", compute)
    return times


def answer_gold(campaign, enrolment):
    now = timezone.now()
    check = Assignment.objects.create(
        campaign=campaign, item=campaign.items.get(position=None), purpose="gold", serve_order=0,
        annotator=enrolment.annotator, order=[0, 1],
        leased_at=now, lease_expires_at=now + timedelta(minutes=5),
    )  # fmt: skip
    factories.vote(enrolment, check)


def answer_late(enrolment):
    """Answer a pair again under another key: kept as surplus."""
    answered = Assignment.objects.main().held_by(enrolment.annotator_id).completed().first()
    factories.vote(enrolment, answered)


def test_page_follows_every_event_that_changes_a_number(voting, computed):
    """Each event in turn: what is shown afterwards is what is true, and the next look is free."""
    campaign, ana, ben = voting
    now = timezone.now
    excluded = []
    events = {
        "a vote": lambda: factories.vote(ben, factories.lease(ben), "right"),
        "a vote taken back": lambda: undo_vote(enrolment=ben, key=None, now=now()),
        "another vote on the same pair": lambda: factories.vote(ben, factories.lease(ben)),
        "a skipped pair": lambda: skip_assignment(
            enrolment=ben, public_id=factories.lease(ben).public_id, reason="unsafe", now=now()
        ),
        "a late answer": lambda: answer_late(ben),
        "a gold pair": lambda: answer_gold(campaign, ben),
        "somebody new": lambda: enrol(
            campaign=campaign, annotator=Annotator.objects.create(pseudonym="carl")
        ),
        "an exclusion": lambda: excluded.append(
            exclude(enrolment=ana, rule="gold", detail="1 of 6 right", now=now())
        ),
        "a reinstatement": lambda: reinstate(exclusion=excluded[0], now=now()),
        "a pause": lambda: pause_campaign(campaign=campaign),
        "going on": lambda: resume_campaign(campaign=campaign),
        "rules": lambda: Campaign.objects.filter(pk=campaign.pk).update(
            rules=campaign.checked_rules.as_dict() | {"quality": {"min_response_ms": 5000}}
        ),
        "a checkpoint's name": lambda: Checkpoint.objects.filter(
            pk=campaign.contenders[0].checkpoint_id
        ).update(name="renamed"),
        "the end": lambda: close_campaign(campaign=campaign),
    }
    shown = numbers(results_of(campaign))
    for name, event in events.items():
        event()
        before, shown = shown, numbers(results_of(campaign))
        fresh = Campaign.objects.get(pk=campaign.pk)
        assert shown == numbers(campaign_results(fresh)), name
        assert shown != before, name
        known = len(computed)
        assert numbers(results_of(campaign)) == shown
        assert len(computed) == known, f"computed twice after {name}"


def test_lease_that_is_taken_renewed_or_given_back_computes_nothing_anew(voting, computed):
    campaign, _, ben = voting
    results_of(campaign)
    factories.lease(ben)
    assert Assignment.objects.pending().held_by(ben.annotator_id).exists()
    results_of(campaign)
    assert len(computed) == 1
    give_back(enrolment=ben, now=timezone.now())
    assert numbers(results_of(campaign)) == numbers(campaign_results(campaign))


def test_vote_of_a_lower_number_that_is_committed_last_is_seen(voting):
    """Ids are taken before the commit: the newest id says nothing of who is still on the way."""
    campaign, _, ben = voting
    first, second = Assignment.objects.main().pending().filter(annotator=None)[:2]
    stored, may_commit = threading.Event(), threading.Event()
    carl = Annotator.objects.create(pseudonym="carl")
    enrol(campaign=campaign, annotator=carl)

    def vote_slowly():
        with transaction.atomic():
            store(first, carl)
            stored.set()
            assert may_commit.wait(30)
        connection.close()

    slow = threading.Thread(target=vote_slowly)
    slow.start()
    assert stored.wait(30)
    store(second, ben.annotator)
    seen = results_of(campaign).completeness.votes
    may_commit.set()
    slow.join(30)
    assert results_of(campaign).completeness.votes == seen + 1
    numbers_of_votes = list(Vote.objects.order_by("pk").values_list("assignment", flat=True))
    assert numbers_of_votes[-2:] == [first.pk, second.pk]


def store(slot, annotator):
    now = timezone.now()
    Assignment.objects.filter(pk=slot.pk).update(
        annotator=annotator, leased_at=now, lease_expires_at=now + timedelta(1), completed_at=now
    )
    Vote.objects.create(
        assignment=slot, annotator=annotator, form="pair", answer="tie", grades=[0, 0],
        voted_at=now, order=slot.order, idempotency_key=uuid.uuid4(), is_simulated=False,
    )  # fmt: skip


def test_vote_that_comes_while_results_are_computed_is_in_the_next(voting, monkeypatch):
    """What is computed is of one moment, and kept as what that moment was."""
    campaign, _, ben = voting
    pair = factories.lease(ben)

    def vote():
        factories.vote(ben, pair)
        connection.close()

    def compute(found):
        if Vote.objects.filter(assignment=pair).count() == 0:
            elsewhere = threading.Thread(target=vote)
            elsewhere.start()
            elsewhere.join(30)
        return campaign_results(found)

    monkeypatch.setattr(cached, "campaign_results", compute)
    early = results_of(campaign)
    assert early.completeness.votes == early.n_stored == 5
    assert results_of(campaign).completeness.votes == 6


def test_other_code_never_meets_what_this_code_kept(voting, computed, monkeypatch):
    campaign, *_ = voting
    results_of(campaign)
    KeptResults.objects.update(content=b"what this code cannot read")
    for module in (cached, fingerprint):
        monkeypatch.setattr(module, "code_hash", lambda: "another version")
    results_of(campaign)
    assert len(computed) == 2


class Bomb:
    """What a stranger would like to have unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("content that nobody signed was unpickled",))


def test_content_that_this_site_did_not_sign_is_never_unpickled(voting, computed):
    campaign, *_ = voting
    results_of(campaign)
    row = KeptResults.objects.get()
    row.content = bytes(row.content)[:32] + pickle.dumps(Bomb())
    row.save()
    assert results_of(campaign).completeness.votes
    assert len(computed) == 2


def test_page_exports_and_command_share_what_was_computed(voting, computed, client, rania, capsys):
    campaign, *_ = voting
    client.force_login(rania)
    client.get(reverse("reports:dashboard", args=[campaign.slug]))
    for kind in ("results.json", "votes.csv", "groups.csv", "dashboard.html"):
        client.get(reverse("reports:export", args=[campaign.slug, kind]))
    call_command("report", campaign.slug, "--format", "json")
    assert json.loads(capsys.readouterr().out)["campaign"] == campaign.slug
    assert len(computed) == 1


@pytest.mark.parametrize(
    "change", [{"is_constant": True}, {"prompt_tokens": 90, "tokens_read": 77}]
)
def test_anything_that_is_known_of_a_shown_image_counts(campaign, change):
    before = fingerprint.fingerprint(campaign)
    Sample.objects.filter(pk=Sample.objects.first().pk).update(**change)
    assert fingerprint.fingerprint(campaign) != before


def test_draft_is_computed_each_time(draft, computed):
    """Its samples still come, and nothing of them is in a set that could be hashed."""
    results_of(draft)
    results_of(draft)
    assert len(computed) == 2


def test_every_table_that_results_read_is_in_the_fingerprint(filtered, monkeypatch):
    """Whoever lets a report read another table must say there when its rows change."""
    people = [Annotator.objects.create() for _ in range(5)]
    factories.judge_everything(filtered, people, lambda slot: "left")
    exclude(enrolment=filtered.enrolments.first(), rule="gold", detail="none", now=timezone.now())
    assert Exclusion.objects.count() == 1
    read = []
    copy = answer_columns.read_columns
    monkeypatch.setattr(
        answer_columns,
        "read_columns",
        lambda columns, source: read.append(source) or copy(columns, source),
    )
    with CaptureQueriesContext(connection) as queries:
        campaign_results(Campaign.objects.get(pk=filtered.pk))
    read += [each["sql"] for each in queries.captured_queries]
    tables = {name for sql in read for name in re.findall(r'(?:FROM|JOIN)\s+"?(\w+_\w+)"?', sql)}
    assert len(tables) > 10
    hashed = set(re.findall(r"(?:FROM|JOIN) (\w+_\w+)", fingerprint.STATEMENT))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgrelid::regclass::text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE p.proname LIKE 'tallies_on_%'"
        )
        counted = {table for (table,) in cursor.fetchall()}
    never_changes = {
        "images_collectedimage",  # an image that a set shows keeps its number
        "campaigns_chosenimage",  # frozen once the campaign is open (campaigns/sql/chosen.sql)
    }
    assert tables - hashed - counted - never_changes == set()
