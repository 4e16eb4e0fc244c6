"""Statements written by hand, read into models."""

import pytest
from django.db import DataError, connection, transaction
from psycopg.pq import PipelineStatus

from evalplatform.campaigns.models import Campaign
from evalplatform.core.rows import Columns, ask_together
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def read(columns, statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return columns.read(cursor.fetchone(), 0)


def test_columns_are_read_whatever_order_they_are_named_in():
    stored = factories.make_draft(rules={"annotation": {"session_cap": 7}})
    columns = Columns(Campaign, "c", "seed", "rules", "slug")
    campaign, end = read(
        columns, f"SELECT {columns.sql} FROM campaigns_campaign c WHERE c.id = %s", stored.pk
    )
    assert (campaign.pk, campaign.slug, campaign.seed) == (stored.pk, stored.slug, stored.seed)
    assert campaign.rules["annotation"]["session_cap"] == 7
    assert campaign.get_deferred_fields() >= {"status", "lease_seconds"}
    assert campaign.status == stored.status  # read when asked for
    assert end == 4


def test_missing_outer_join_reads_as_none():
    columns = Columns(Campaign, "c", "slug")
    found = read(
        columns,
        f"SELECT {columns.sql} FROM (VALUES (1)) one LEFT JOIN campaigns_campaign c ON c.id = -1",
    )
    assert found == (None, 2)


def test_statements_asked_together_answer_in_their_order():
    found = ask_together(("SELECT %s::int, 'a'", [1]), ("SELECT generate_series(1, 3)", []))
    assert found == [[(1, "a")], [(1,), (2,), (3,)]]


def test_statements_asked_together_are_sent_before_any_is_answered():
    sent = []

    def look(execute, *given):
        sent.append(connection.connection.info.pipeline_status)
        return execute(*given)

    with connection.execute_wrapper(look):
        ask_together(("SELECT 1", []), ("SELECT 2", []))
    assert sent == [PipelineStatus.ON, PipelineStatus.ON]


def test_statements_asked_together_are_of_the_transaction_around_them():
    with transaction.atomic():
        first, second = ask_together(
            ("SELECT pg_current_xact_id()::text", []), ("SELECT pg_current_xact_id()::text", [])
        )
        assert first == second
        factories.make_draft()
        transaction.set_rollback(True)
    assert not Campaign.objects.exists()


def test_first_statement_that_fails_keeps_the_later_ones_from_running():
    with pytest.raises(DataError, match="division by zero"), transaction.atomic():
        ask_together(
            ("SELECT 1 / %s::int", [0]), ("SELECT set_config('test.ran', 'yes', false)", [])
        )
    ((ran,),) = ask_together(("SELECT coalesce(current_setting('test.ran', true), '')", []))
    assert ran == ("",)  # and the connection goes on
