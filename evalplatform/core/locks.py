"""Taking turns at what no row stands for yet: a name that is new, room that is promised."""

from django.db import connection


def take_turn(what: str) -> None:
    """Wait for all others at the same `what`; the turn is over when the transaction is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [what])
