"""An answer and the next set in one request: one transaction, but no vote hangs on the lease."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evalplatform.annotation import statements
from evalplatform.annotation.models import Assignment, Enrolment, Exclusion, Vote
from evalplatform.annotation.services import open_campaign
from evalplatform.campaigns.models import ImageSet
from evalplatform.quality.services import make_gold
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"headers": {"accept": "application/json"}}


def address(campaign, name):
    return reverse(f"annotation:{name}", args=[campaign.invitation])


def begin(client, campaign):
    client.post(address(campaign, "begin"))
    return client.get(address(campaign, "next"), **JSON).json()


def answer(client, campaign, state, **fields):
    shown = state["sets"][0]
    body = {
        "assignment": shown["assignment"],
        "idempotency_key": shown["idempotency_key"],
        "answer": "left",
        "response_time_ms": "900",
    } | fields
    return client.post(address(campaign, "vote"), body, **JSON)


def test_answer_and_next_set_take_one_transaction(client, campaign):
    state = begin(client, campaign)
    with CaptureQueriesContext(connection) as asked:
        said = answer(client, campaign, state).json()
    assert said["receipt"] == "recorded"
    assert said["next"]["sets"][0]["assignment"] != state["sets"][0]["assignment"]
    assert said["next"]["progress"]["done"] == 1
    begun = [each["sql"] for each in asked if each["sql"] == "BEGIN"]
    assert len(begun) == 1
    # The two locks, the vote, what is held, the lease, what is shown; BEGIN and COMMIT.
    assert len(asked) <= 9


def test_next_set_is_as_if_it_were_asked_for_after_the_vote(client, campaign):
    state = begin(client, campaign)
    together = answer(client, campaign, state, want=3).json()["next"]
    asked = client.get(address(campaign, "next"), {"want": 3}, **JSON).json()
    for each in (together, asked):
        each["undo"].pop("seconds_left")
        for shown in each["sets"]:
            del shown["idempotency_key"]  # made anew each time
    assert together == asked
    assert len(asked["sets"]) == 3


def test_vote_while_the_database_takes_no_changes_may_be_sent_again(campaign, caplog):
    client = Client(raise_request_exception=False)
    state = begin(client, campaign)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        said = answer(client, campaign, state)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
    assert (said.status_code, said.headers["Retry-After"]) == (503, "5")
    [told] = [each for each in caplog.records if "takes no changes" in each.getMessage()]
    assert (told.levelname, told.exc_info) == ("WARNING", None)
    assert not any(each.exc_info for each in caplog.records)
    assert answer(client, campaign, state).json()["receipt"] == "recorded"


@pytest.mark.parametrize(
    "fault", ["SELECT 1 / 0", "SELECT pg_terminate_backend(pg_backend_pid())", "a mistake of ours"]
)
def test_vote_stands_where_the_next_set_cannot_be_leased(campaign, monkeypatch, fault):
    client = Client(raise_request_exception=False)
    state = begin(client, campaign)

    def fails(enrolment, now):
        if not fault.startswith("SELECT"):
            raise KeyError(fault)
        with connection.cursor() as cursor:
            cursor.execute(fault)

    with monkeypatch.context() as patch:
        patch.setattr(statements, "held_leases", fails)
        assert answer(client, campaign, state).status_code >= 400
    (vote,) = Vote.objects.all()
    assert str(vote.assignment.public_id) == state["sets"][0]["assignment"]
    assert Enrolment.objects.get().judged == 1
    said = answer(client, campaign, state).json()
    assert said["receipt"] == "repeated"
    assert said["next"]["state"] == "judge"
    assert Vote.objects.count() == 1


def test_answer_on_a_slot_that_somebody_else_has_is_kept_before_anything_is_leased(
    client, campaign, ben
):
    """Two who answer late what the other holds now would otherwise wait for each other."""
    state = begin(client, campaign)
    slot = Assignment.objects.get(public_id=state["sets"][0]["assignment"])
    Assignment.objects.filter(pk=slot.pk).update(annotator=ben)
    with CaptureQueriesContext(connection) as asked:
        said = answer(client, campaign, state).json()
    assert said["receipt"] == "surplus"
    assert said["next"]["state"] == "judge"
    done = [each["sql"] for each in asked]
    assert done.index("COMMIT") < next(i for i, sql in enumerate(done) if "annotation_lease" in sql)


def test_who_is_excluded_for_an_answer_is_told_so_at_once_and_holds_nothing(client, steady_turns):
    rules = {"gold_rate": 0.5, "exclude_gold_below": 1, "exclude_gold_after": 1}
    campaign = factories.make_draft(
        prompts=30, criteria=["visual_appeal"], rules={"quality": rules}
    )
    make_gold(campaign=campaign, counts={ImageSet.Purpose.CHECK: 8})
    open_campaign(campaign=campaign)
    state = begin(client, campaign)
    while state["state"] == "judge":
        assert not Exclusion.objects.exists()
        # No gold is a tie.
        state = answer(client, campaign, state, answer="tie").json()["next"]
    assert state["state"] == "disqualified"
    assert state["sets"] == []
    assert Exclusion.objects.get().rule == "gold"
    assert not Assignment.objects.filter(annotator__isnull=False, completed_at=None).exists()


def test_enrolment_of_a_request_has_no_value_that_was_never_read():
    """Not even a default, which would look like what is stored."""
    unread = statements.unread_enrolment(7, "door")
    assert (unread.pk, unread.annotator_id, unread.campaign.invitation) == (None, 7, "door")
    own = {"id", "annotator_id", "campaign_id"}
    assert (
        unread.get_deferred_fields()
        == {each.attname for each in Enrolment._meta.concrete_fields} - own
    )
