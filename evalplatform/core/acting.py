"""Who is acting: told to the database before a statement that it writes down (accounts/sql/audit).

The trigger reads the setting `evalplatform.actor` of the connection. It is said only before
statements on the tables that are written down, so that an annotator's request costs nothing more.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from django.db import connection
from django.http import HttpRequest, HttpResponseBase
from psycopg.pq import TransactionStatus

from evalplatform.core.addresses import client_address
from evalplatform.core.sql_files import sql_files

Actor = dict[str, Any]
_SAY = "SELECT set_config('evalplatform.actor', %s, false)"
_WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"')
# Its people are judges, of whom nothing personal is written down.
_ANNOTATORS = "annotation"


@contextmanager
def acting(actor: Callable[[], Actor]) -> Iterator[None]:
    """Let what is changed meanwhile be written down as done by this actor.

    `actor` is asked at the first change: `who` (words), `user` (number), `via`, `address`.
    """
    said = False

    def tell(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        nonlocal said
        found = _WRITE.match(sql)
        if found and found[1] in audited_tables():
            words = json.dumps(actor())
            context["connection"].connection.execute(_SAY, [words])
            said = True
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(tell):
            yield
    finally:
        if said:
            _forget()


def _forget() -> None:
    """Leave the connection to whoever is next.

    One that broke meanwhile, as where a command stops the database in the end, is closed.
    """
    raw = connection.connection
    if raw is not None and raw.info.transaction_status in (
        TransactionStatus.IDLE,
        TransactionStatus.INTRANS,
    ):
        try:
            raw.execute(_SAY, [""])
        except psycopg.OperationalError:
            connection.close()


@cache
def audited_tables() -> frozenset[str]:
    """Return the tables whose changes triggers write down, as the files of SQL say."""
    pattern = r"\bON (\w+)\s+FOR EACH ROW EXECUTE FUNCTION audit_row"
    return frozenset(name for text in sql_files().values() for name in re.findall(pattern, text))


def actor_of_user(user: Any, *, via: str, address: str = "") -> Actor:
    """Return how a signed-in user is written down; nobody in particular where it is nobody."""
    if user is None or not user.is_authenticated:
        return {}
    return {"who": user.get_username(), "user": user.pk, "via": via, "address": address}


class ActingMiddleware:
    """Every change that a request makes is its user's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with acting(lambda: _actor_of_request(request)):
            return self.get_response(request)


def _actor_of_request(request: HttpRequest) -> Actor:
    here = request.resolver_match
    if here is None or here.app_name == _ANNOTATORS:
        return {}
    via = "API token" if getattr(request, "by_api_token", False) else "page"
    return actor_of_user(getattr(request, "user", None), via=via, address=client_address(request))
