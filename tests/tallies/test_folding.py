"""What voters noted is counted when somebody reads, and never twice, lost or seen halfway."""

import threading
from collections import Counter
from contextlib import contextmanager, nullcontext

import pytest
from django.db import OperationalError, connection, transaction
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.loader import MigrationLoader
from django.urls import reverse
from django.utils import timezone

from evalplatform.accounts.models import Annotator
from evalplatform.annotation.models import Vote
from evalplatform.annotation.services import enrol, open_campaign, undo_vote
from evalplatform.campaigns.models import Campaign, ImageSet
from evalplatform.reports.fingerprint import fingerprint
from evalplatform.reports.image_cards import criteria_of
from evalplatform.reports.image_query import SetFilter, find_items
from evalplatform.reports.pooling import boards
from evalplatform.tallies import folding, ticking
from evalplatform.tallies.folding import fold, fold_all
from evalplatform.tallies.models import Activity, ItemTally, Pending
from evalplatform.tallies.selectors import changes_of, live_numbers, vote_counts
from tests import factories
from tests.counting import assert_tallies_are_true
from tests.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


def opened(prompts=3, k=2, people=2, **options):
    draft = factories.make_bulk_draft(prompts=prompts, k=k, criteria=["visual_appeal"], **options)
    open_campaign(campaign=draft)
    return draft, [
        enrol(campaign=draft, annotator=Annotator.objects.create()) for _ in range(people)
    ]


def cast(enrolment, said="left"):
    return factories.vote(enrolment, factories.lease(enrolment), said)


def test_voter_writes_no_count_until_somebody_reads():
    campaign, (ana, ben) = opened()
    cast(ana)
    cast(ben)
    undo_vote(enrolment=ben, key=None, now=timezone.now())
    assert list(Pending.objects.order_by("pk").values_list("difference", flat=True)) == [1, 1, -1]
    assert not ItemTally.objects.exists()
    assert not Activity.objects.exists()
    assert live_numbers(campaign, timezone.now()).votes == 1
    assert not Pending.objects.exists()
    assert_tallies_are_true(campaign)


def said_on_the_page_of_images(campaign):
    return sum(each.votes for each in find_items(campaign, SetFilter("visual_appeal")).items)


def said_of_each_set(campaign):
    shown = [one for each in ImageSet.objects.all() for one in criteria_of(each)]
    return sum(one.item.tally.votes for one in shown if hasattr(one.item, "tally"))


READERS = {
    "numbers": lambda campaign: live_numbers(campaign, timezone.now()).votes,
    "list of campaigns": lambda campaign: vote_counts([campaign])[campaign.pk].votes,
    "fingerprint's changes": lambda campaign: changes_of(campaign.pk),
    "page of images": said_on_the_page_of_images,
    "page of a set": said_of_each_set,
    "leaderboard": lambda campaign: int(boards(Campaign.objects.all())[0].has_votes),
}


@pytest.mark.parametrize("reader", READERS)
def test_whoever_reads_right_after_a_vote_has_it_counted(reader):
    campaign, (ana, ben) = opened()
    assert READERS[reader](campaign) == 0
    cast(ana)
    assert READERS[reader](campaign) == 1
    if reader != "leaderboard":
        cast(ben)
        assert READERS[reader](campaign) == 2
    assert_tallies_are_true(campaign)


def test_page_right_after_a_vote_tells_it(client, rania):
    campaign, (ana, _) = opened()
    client.force_login(rania)
    address = reverse("reports:dashboard", args=[campaign.slug])
    assert "<b>0</b> of 6 votes" in client.get(address).content.decode()
    cast(ana)
    assert "<b>1</b> of 6 votes" in client.get(address).content.decode()


def test_counting_what_is_noted_is_no_news():
    """Results that are kept stay good, whoever counts meanwhile."""
    campaign, (ana, ben) = opened()
    cast(ana)
    fold_all(set())
    before = fingerprint(campaign)
    cast(ben)
    noted = fingerprint(campaign)
    assert fold([campaign.pk]) == 1
    assert before != noted == fingerprint(campaign)


def test_transaction_that_sees_one_moment_leaves_what_is_noted_to_others():
    campaign, (ana, ben) = opened()
    cast(ana)
    fold([campaign.pk])
    undo_vote(enrolment=ana, key=None, now=timezone.now())
    cast(ben)
    noted, now = fingerprint(campaign), timezone.now()
    for mode in ("ISOLATION LEVEL REPEATABLE READ", "READ ONLY"):
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION {mode}")
            assert fold([campaign.pk]) == 0
            assert (changes_of(campaign.pk), fingerprint(campaign)) == (3, noted)
            assert vote_counts([campaign])[campaign.pk].votes == 1
            there = live_numbers(campaign, now)
            assert (there.votes, there.people, there.at_work) == (1, 1, 2)
    assert fold([campaign.pk]) == 2
    assert live_numbers(campaign, now) == there


def test_what_is_noted_of_rows_that_are_gone_is_dropped():
    campaign, (ana, _) = opened()
    cast(ana)
    gone = 10**9
    real = Pending.objects.values("campaign_id", "item_id", "annotator_id", "grades", "at").get()
    for name in ("campaign_id", "item_id", "annotator_id"):
        Pending.objects.create(**real | {name: gone}, difference=1)
    fold_all(set())
    assert not Pending.objects.exists()
    assert_tallies_are_true(campaign)


def test_worker_counts_while_nobody_reads(monkeypatch):
    campaign, (ana, _) = opened()
    cast(ana)
    ticking._stop.clear()
    monkeypatch.setattr(ticking._stop, "wait", lambda seconds: ticking._stop.set())
    worker = threading.Thread(target=ticking._tick_until_stopped)
    worker.start()
    worker.join(20)
    assert not Pending.objects.exists()
    assert Activity.objects.get(campaign=campaign).votes == 1


def test_reader_waits_for_who_is_counting_already():
    """What somebody has taken out and not counted yet is neither noted nor counted."""
    campaign, (ana, _) = opened()
    cast(ana)
    found = []

    def read():
        found.append(live_numbers(campaign, timezone.now()).votes)
        connection.close()

    reader = threading.Thread(target=read)
    with transaction.atomic():
        assert fold([campaign.pk]) == 1
        reader.start()
        wait_until_somebody_waits()
        assert found == []
    reader.join(20)
    assert found == [1]


@contextmanager
def refusing_tallies_of(campaign):
    """Let nothing be counted of one campaign, whatever is wrong with it."""
    with connection.cursor() as cursor:
        refused = f"CHECK (campaign_id <> {campaign.pk})"
        cursor.execute(f"ALTER TABLE tallies_itemtally ADD CONSTRAINT broken {refused}")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE tallies_itemtally DROP CONSTRAINT broken")


def test_campaign_that_cannot_be_counted_stops_no_other_and_is_logged_once(caplog):
    broken, (ana, _) = opened()
    whole, (ben, _) = opened(slug="whole")
    failing = set()
    with refusing_tallies_of(broken):
        cast(ana)
        cast(ben)
        assert fold_all(failing) == 1
        cast(ben)
        assert fold_all(failing) == 1
        assert failing == {broken.pk}
        assert [each.levelname for each in caplog.records] == ["ERROR"]
        assert f"votes of campaign {broken.pk} could not be counted" in caplog.text
        assert len(boards(Campaign.objects.filter(pk=whole.pk))) == 1
    assert fold_all(failing) == 1
    assert failing == set()
    assert_tallies_are_true(broken)
    assert_tallies_are_true(whole)


@pytest.mark.parametrize("inside", [nullcontext, transaction.atomic], ids=["alone", "inside"])
def test_campaign_that_cannot_be_counted_takes_no_leaderboard_down(caplog, inside):
    broken, (ana, _) = opened()
    whole, (ben, _) = opened(slug="whole")
    with refusing_tallies_of(broken):
        cast(ana)
        cast(ben)
        for _ in range(2):
            with inside():
                found = boards(Campaign.objects.all())
            voted = [one.campaign for each in found for one in each.criteria if one.voted]
            assert voted == [whole]
        assert [each.levelname for each in caplog.records] == ["ERROR"]
        assert f"votes of campaign {broken.pk} could not be counted" in caplog.text
    boards(Campaign.objects.all())
    assert_tallies_are_true(broken)
    assert_tallies_are_true(whole)


def test_database_that_is_away_is_told_to_the_caller(monkeypatch):
    _, (ana, _) = opened()
    cast(ana)

    def away(campaigns):
        connection.close()
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(folding, "fold", away)
    with pytest.raises(OperationalError, match="closed the connection"):
        fold_all(set())


def test_what_makes_the_triggers_of_counts_is_not_undone():
    """They would write into a table that is gone, and no vote could be cast."""
    name = ("tallies", "0002_sql")
    loader = MigrationLoader(connection)
    before = loader.project_state(name, at_end=False)
    with (
        connection.schema_editor() as editor,  # takes back what was done where this fails
        pytest.raises(IrreversibleError, match="restore the backup"),
    ):
        loader.get_migration(*name).unapply(before, editor)


def test_counting_weakens_no_transaction_but_its_own():
    """What a caller stores in the same transaction, such as imported votes, is on disk after it."""
    campaign, (ana, ben) = opened()

    def durability():
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            return cursor.fetchone()[0]

    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    try:
        for each, read in ((ana, fold), (ben, READERS["numbers"])):
            cast(each)
            with transaction.atomic():
                read([campaign.pk] if read is fold else campaign)
                assert durability() == "on"
        fold([campaign.pk])
        live_numbers(campaign, timezone.now())
        assert durability() == "on"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET synchronous_commit")


def test_voters_and_readers_at_once_lose_and_double_nothing():
    """Each reader finds at least what was acknowledged before; in the end all is as counted."""
    campaign, people = opened(prompts=30, k=4, people=4)
    acknowledged, trouble, failing = Counter(), [], set()
    over = threading.Event()

    def run(work):
        try:
            work()
        except Exception as error:
            trouble.append(error)
        finally:
            connection.close()

    def voting(number):
        while slot := factories.lease(people[number]):
            factories.vote(people[number], slot, ("left", "tie", "right")[slot.pk % 3])
            acknowledged[number] += 1

    def reading():
        while not over.is_set():
            least = acknowledged.total()
            assert live_numbers(campaign, timezone.now()).votes >= least
            least = acknowledged.total()
            assert said_on_the_page_of_images(campaign) >= least
            fold_all(failing)

    voters = [threading.Thread(target=run, args=[lambda n=n: voting(n)]) for n in range(4)]
    readers = [threading.Thread(target=run, args=[reading]) for _ in range(2)]
    for each in voters + readers:
        each.start()
    for each in voters:
        each.join(60)
    over.set()
    for each in readers:
        each.join(60)
    assert (trouble, failing) == ([], set())
    assert acknowledged.total() == Vote.objects.count() == 120
    numbers = live_numbers(campaign, timezone.now())
    assert (numbers.votes, numbers.items_complete) == (120, 30)
    assert_tallies_are_true(campaign)
