"""Statements written by hand, read into models."""

import pytest
from django.db import connection

from evalplatform.campaigns.models import Campaign
from evalplatform.core.rows import Columns
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
