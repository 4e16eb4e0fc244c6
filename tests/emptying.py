"""Emptying the test database after a test that commits, in milliseconds.

Django's way truncates every table and then makes permissions and content types anew: most of a
second with as many tables and indexes as ours, after each of a thousand tests. Here rows are
deleted from the few tables that have any, and what Django itself keeps stays.
"""

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

_KEPT = {"django_migrations", "django_content_type", "auth_permission"}
# Above it a table is vacuumed, so that later tests do not read over the rows of earlier ones.
_LARGE_BYTES = 2**20
# Triggers sleep meanwhile: votes are append-only, and counters need not follow.
_EMPTY = """
DO $$
DECLARE name text; found boolean;
BEGIN
  PERFORM set_config('session_replication_role', 'replica', true);
  FOREACH name IN ARRAY string_to_array('{names}', ',') LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO found;
    IF found THEN EXECUTE format('DELETE FROM %I', name); END IF;
  END LOOP;
END $$
"""


def empty_databases() -> None:
    """Delete every row that tests have written, in each database."""
    for connection in connections.all(initialized_only=True):
        _empty(connection)


def _empty(connection: BaseDatabaseWrapper) -> None:
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    names = sorted(set(tables) - _KEPT)
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY.format(names=",".join(names)))
        cursor.execute(
            "SELECT oid::regclass::text FROM pg_class"
            " WHERE relname = ANY(%s) AND pg_relation_size(oid) > %s",
            [names, _LARGE_BYTES],
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"VACUUM {name}")
