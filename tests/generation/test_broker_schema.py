"""The queue in PostgreSQL is made by migrating, on any server, without an extension."""

import pytest
from django.core.management import CommandError
from django.db import connection

from evalplatform.generation.apps import install_embedded_broker

pytestmark = pytest.mark.django_db


@pytest.fixture
def plain_role(settings):
    """The connection acts as a role that owns nothing, in a database without the queue."""
    settings.CELERY_BROKER_URL = "pgmq://embedded"
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS pgmq CASCADE")
        cursor.execute("CREATE ROLE plain_role_of_tests")
        cursor.execute("SET LOCAL ROLE plain_role_of_tests")


def allow(cursor):
    cursor.execute("RESET ROLE")
    name = connection.settings_dict["NAME"]
    cursor.execute(f'GRANT CREATE ON DATABASE "{name}" TO plain_role_of_tests')
    cursor.execute("SET LOCAL ROLE plain_role_of_tests")


def test_role_that_may_not_make_the_queue_is_told_what_to_ask_for(plain_role):
    with pytest.raises(CommandError, match="GRANT CREATE ON DATABASE") as raised:
        install_embedded_broker(using="default")
    assert "BROKER_URL" in str(raised.value)
    assert raised.value.returncode == 2


def test_role_that_may_create_a_schema_is_enough(plain_role):
    with connection.cursor() as cursor:
        allow(cursor)
        install_embedded_broker(using="default")
        cursor.execute("SELECT pgmq.create('a_queue')")
        cursor.execute("SELECT pgmq.send('a_queue', '{}'::jsonb)")
        assert cursor.fetchone() == (1,)
        install_embedded_broker(using="default")  # what is there stays
        cursor.execute("SELECT count(*) FROM pgmq.read('a_queue', 30, 10)")
        assert cursor.fetchone() == (1,)
