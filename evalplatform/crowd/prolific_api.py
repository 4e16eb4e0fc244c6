"""Prolific's API: what is asked of it, and what its failures mean."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings

from evalplatform.core.errors import BadInputError, EvalPlatformError
from evalplatform.crowd.statuses import status_of

PAGE_SIZE = 100
_WAIT_SECONDS = 20
_TRIES = 5
_LONGEST_PAUSE = 120.0  # seconds
_SUBMISSIONS = "/api/v1/submissions/"


class ProlificError(EvalPlatformError):
    """Prolific did not do what it was asked for."""


class RefusedError(ProlificError):
    """Prolific does not know what was named, or does not accept what was asked of it."""


class UncertainError(ProlificError):
    """It is not known whether Prolific did it."""


@dataclass(frozen=True)
class Submission:
    """One person's submission to a study."""

    id: str
    participant: str
    status: str


class ProlificApi:
    """A connection to Prolific with a researcher's token.

    What can be repeated without harm is repeated when Prolific is busy (429, after its
    Retry-After), fails (5xx) or does not answer. Raises `ProlificError` in one line otherwise.
    """

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises `BadInputError` without PROLIFIC_TOKEN."""
        if not settings.PROLIFIC_TOKEN:
            raise BadInputError(
                "PROLIFIC_TOKEN is not set; make a token in Prolific's settings and give it as an "
                "environment variable, or its file as PROLIFIC_TOKEN_FILE."
            )
        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Token {settings.PROLIFIC_TOKEN}"

    def submissions(self, study: str) -> Iterator[Submission]:
        """Yield every submission to a study, each once: until a page has nothing new."""
        seen: set[str] = set()
        page = 1
        while True:
            given = {"study": study, "page": str(page), "page_size": str(PAGE_SIZE)}
            rows = _rows(self._ask("GET", _SUBMISSIONS, f"study {study}", params=given))
            new = [row for row in rows if str(row.get("id")) not in seen]
            if not new:
                return
            for row in new:
                seen.add(str(row["id"]))
                yield Submission(
                    id=str(row["id"]),
                    participant=str(row.get("participant_id") or row.get("participant") or ""),
                    status=status_of(row.get("status", "")),
                )
            page += 1

    def approve(self, submission: str, *, who: str) -> None:
        """Approve a submission, which pays its person; twice does no harm."""
        self._ask(
            "POST", f"{_SUBMISSIONS}{submission}/transition/", f"the submission of {who}",
            json={"action": "APPROVE"},
        )  # fmt: skip

    def plan_bonuses(self, study: str, amounts: dict[str, str]) -> str:
        """Tell Prolific the bonuses (amounts by submission); return the id to pay them by."""
        lines = "\n".join(f"{submission},{amount}" for submission, amount in amounts.items())
        made = self._ask(
            "POST", f"{_SUBMISSIONS}bonus-payments/", f"the bonuses of study {study}",
            json={"study_id": study, "csv_bonuses": lines},
        )  # fmt: skip
        identifier = made.get("id") if isinstance(made, dict) else None
        if not identifier:
            raise ProlificError("Prolific gave no id for the bonuses; none was paid.")
        return str(identifier)

    def pay_bonuses(self, payment: str) -> None:
        """Pay what `plan_bonuses` told. Asked twice, Prolific pays twice.

        So it is not repeated. Raises `UncertainError` where it may have been paid.
        """
        address = f"/api/v1/bulk-bonus-payments/{payment}/pay/"
        self._ask("POST", address, f"bonus payment {payment}", once=True)

    def _ask(
        self, method: str, address: str, what: str, *, once: bool = False, **given: Any
    ) -> Any:
        for attempt in range(1, _TRIES + 1):
            pause = 2.0 ** (attempt - 1)
            try:
                answer = self._session.request(
                    method, settings.PROLIFIC_API_URL + address, timeout=_WAIT_SECONDS, **given
                )
            except requests.RequestException as error:
                problem = f"Prolific does not answer ({type(error).__name__})"
                if once:
                    raise UncertainError(f"{problem}: {what} may have been paid.") from error
            else:
                if answer.ok:
                    return None if once else _body(answer, what)
                problem = _problem(answer, what)
                if once and (answer.status_code == 408 or answer.status_code >= 500):
                    raise UncertainError(f"{problem} {what} may have been paid.")
                if answer.status_code == 429:
                    pause = _retry_after(answer, pause)
                elif answer.status_code in (401, 403):
                    raise ProlificError(problem)
                elif answer.status_code < 500:
                    raise RefusedError(problem)
            if attempt < _TRIES:
                self._sleep(min(pause, _LONGEST_PAUSE))
        raise ProlificError(f"{problem.rstrip('.')}, {_TRIES} times; try again later.")


def _rows(body: Any) -> list[dict[str, Any]]:
    rows = body.get("results") if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
        raise ProlificError("Prolific's list of submissions is not in the form that is known.")
    return rows


def _body(answer: requests.Response, what: str) -> Any:
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        raise ProlificError(f"Prolific's answer for {what} is not JSON.") from error


def _problem(answer: requests.Response, what: str) -> str:
    code = answer.status_code
    if code in (401, 403):
        return f"Prolific refuses the token ({code}); check PROLIFIC_TOKEN and its workspace."
    if code == 404:
        return f"Prolific does not know {what} (404); check it, and that the token may see it."
    if code == 429:
        return "Prolific is asked too often (429)."
    if code >= 500:
        return f"Prolific has a fault of its own ({code})."
    return f"Prolific refuses {what} ({code}): {' '.join(answer.text[:300].split())}"


def _retry_after(answer: requests.Response, otherwise: float) -> float:
    given = answer.headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() else otherwise
