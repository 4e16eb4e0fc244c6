"""Every exception that a route may raise, as a problem."""

import json
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.parser import Parser

from evalplatform.accounts.tokens import TokenRefusedError
from evalplatform.api.callers import CsrfError, ScopeMissingError, TooManyRequestsError
from evalplatform.core.database_faults import is_of_a_value
from evalplatform.core.errors import (
    BadInputError,
    ChangedMeanwhileError,
    EvalPlatformError,
    NotAllowedError,
)
from evalplatform.core.problems import problem, problem_of_status

_CODES: list[tuple[type[Exception], str]] = [
    (TokenRefusedError, "token-refused"),
    (ScopeMissingError, "scope-missing"),
    (CsrfError, "csrf"),
    (NotAllowedError, "not-allowed"),
    (ChangedMeanwhileError, "changed-meanwhile"),
    (BadInputError, "refused"),
    (EvalPlatformError, "conflict"),
]
_FIELDS_SHOWN = 20
_GIVEN_SHOWN = 80
_ALTERNATIVE = "constrained-str"  # what the schema calls one of several forms of a field
_NAMES = ("[A-Za-z0-9_-]", "[-a-zA-Z0-9_]")  # as patterns of the schemas begin
_PLACES = {"body", "query", "path", "form", "file", "header"}


class StrictParser(Parser):
    """JSON that a database can hold: no NUL, no halves of characters, no NaN."""

    def parse_body(self, request: HttpRequest) -> Any:
        try:
            found = json.loads(request.body or b"null", parse_constant=_refuse_constant)
            _look(json.dumps(found, ensure_ascii=False))
        except RequestDataTooBig:
            raise HttpError(413, "the body is larger than the site reads; send less.") from None
        except RecursionError:
            raise HttpError(400, "the body is nested too deeply.") from None
        except UnicodeError:
            raise HttpError(400, "the body is not UTF-8, or holds half a character.") from None
        except ValueError as error:
            raise HttpError(400, f"the body is no JSON ({str(error)[:120]}).") from None
        return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _look(text: str) -> None:
    text.encode()
    if "\\u0000" in text:
        raise ValueError("it holds a NUL character")


def add_refusals(api: NinjaAPI) -> None:
    """Let an API answer problems."""

    def say(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
        assert isinstance(error, Exception)
        return answer_to(error)

    for kind, _ in _CODES:
        api.add_exception_handler(kind, say)
    for other in (
        AuthenticationError, Http404, HttpError, ValidationError, TooManyRequestsError, DataError,
    ):  # fmt: skip
        api.add_exception_handler(other, say)


def answer_to(error: Exception) -> HttpResponse:
    """Return the problem of an exception; raises it again where it is a fault of ours."""
    if isinstance(error, TooManyRequestsError):
        wait = {"Retry-After": str(error.wait)}
        return problem("too-many-requests", str(error), headers=wait)
    if isinstance(error, ValidationError):
        return _invalid(error)
    if isinstance(error, AuthenticationError):
        said = "nobody is signed in; send Authorization: Bearer TOKEN."
        return problem("unauthenticated", said, headers={"WWW-Authenticate": "Bearer"})
    if isinstance(error, HttpError):
        return problem_of_status(error.status_code, str(error))
    if isinstance(error, Http404):
        return problem("not-found", "there is nothing of this name, or it is not for you to see.")
    if isinstance(error, DataError):
        if not is_of_a_value(error):
            raise error
        return problem("unreadable", "a value is one that no column can hold, such as a NUL.")
    code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    if code is None:
        raise error
    headers = {"WWW-Authenticate": "Bearer"} if code == "token-refused" else None
    return problem(code, str(error), headers=headers)


def _invalid(error: ValidationError) -> HttpResponse:
    fields = [{"name": _name(each["loc"]), "detail": _detail(each)[:300]} for each in error.errors][
        :_FIELDS_SHOWN
    ]
    first = f": {fields[0]['name']}: {fields[0]['detail']}" if fields else ""
    return problem("invalid", f"what was given does not fit{first}", fields=fields)


def _detail(error: dict[str, Any]) -> str:
    """Return what is wrong with a field; of a name with what was given and what is accepted."""
    pattern, given = error.get("ctx", {}).get("pattern"), error.get("given")
    if pattern is None or not isinstance(given, str):
        return str(error["msg"])
    accepted = f"what matches {pattern}"
    if pattern.removeprefix("^").startswith(_NAMES):
        accepted = "letters, digits, hyphens and underscores"
    return f"{given[:_GIVEN_SHOWN]!r} is not accepted; give {accepted}."


def _name(place: tuple[Any, ...]) -> str:
    """Return "criteria.0.k" of what ninja says: the body's own name is left out."""
    parts = [str(each) for each in place if each != _ALTERNATIVE]
    if parts and parts[0] in _PLACES:
        parts = parts[2:] if parts[0] == "body" and len(parts) > 2 else parts[1:]
    return ".".join(parts)[:200] or "body"
