"""What is written into logs, without what tells who somebody is.

Ids of crowd platforms, personal keys and mail addresses stand in the queries of addresses, in what
visitors type, and in the details of database errors; none of it is needed to find a fault.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponseBase

_LEFT_OUT = "…"
_PATTERNS = (
    # The query of an address, also where a part of it is not what an address may hold.
    (re.compile(r"(?<=[\w/.])\?[^\s'\"<>]+"), f"?{_LEFT_OUT}"),
    # A link that sets a password, in the path of an address.
    (re.compile(r"(/password/new/)[^\s/'\"]+"), rf"\1{_LEFT_OUT}"),
    (re.compile(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+"), f"{_LEFT_OUT}@{_LEFT_OUT}"),
    # PostgreSQL's quotations of rows and statements.
    (re.compile(r"^(\s*(?:DETAIL|CONTEXT|LINE \d+): ).*$", re.MULTILINE), rf"\1{_LEFT_OUT}"),
    # A visitor's address; this machine's own says nothing.
    (re.compile(r"\b(?!127\.|0\.0\.0\.0)\d{1,3}(?:\.\d{1,3}){3}\b"), _LEFT_OUT),
)
_SHORTEST = 4  # a value of fewer characters would take out parts of ordinary words
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def remember_request(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: let what is logged meanwhile leave out what this request's visitor sent."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return get_response(request)
        finally:
            _request.reset(token)

    return middleware


class PrivateFormatter(logging.Formatter):
    """Formats a record, its traceback too, and takes out what tells who somebody is."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for request in {getattr(record, "request", None), _request.get()}:
            for value in sorted(_sent_with(request), key=len, reverse=True):
                text = text.replace(value, _LEFT_OUT)
        return without_personal_data(text)


def without_personal_data(text: str) -> str:
    """Return the text without queries, mail addresses, visitors' addresses and stored rows."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _sent_with(request: Any) -> Iterator[str]:
    """Yield what a visitor's query and form held, as far as it was read already."""
    if not isinstance(request, HttpRequest):
        return
    with suppress(Exception):  # a line without its values beats no line
        forms = [request.GET, getattr(request, "_post", {})]
        for form in forms:
            for values in dict(form).values():
                yield from (value for value in values if len(value) >= _SHORTEST)
