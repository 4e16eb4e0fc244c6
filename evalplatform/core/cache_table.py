"""The table of Django's cache, from which Django itself removes nothing before it is full."""

from django.db import connection


def delete_ended_cache_entries() -> int:
    """Delete entries whose time is over, some of which name addresses; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cache_entry WHERE expires < now()")
        return cursor.rowcount
