"""A simulated annotator as an HTTP client: it knows the site only as a browser does."""

import re
import time
from collections.abc import Collection, Sequence
from typing import Any, Protocol
from urllib.parse import urljoin

import requests

from evalplatform.core.errors import EvalPlatformError

_ATTEMPTS = 6


class SiteError(EvalPlatformError):
    """The site answered in a way an annotator's browser could not go on from."""


class Eyes(Protocol):
    """Who answers: `behaviour.Judge` by a taste, `reviewers.Reviewer` by known quality."""

    def answer(self, form: str, images: Sequence[bytes], prompt: str | None) -> str:
        """Return the answer to encoded images shown in this order."""
        ...

    def marks(self, form: str, images: Sequence[bytes], heads: Collection[str]) -> list[str]:
        """Return the heads marked beside the answer."""
        ...


class SimulatedAnnotator:
    """Opens its personal link, agrees, and judges items until none is left."""

    def __init__(self, *, link: str, judge: Eyes) -> None:
        self._link = link
        self._eyes = judge
        self._session = requests.Session()

    def judge_all(self) -> int:
        """Judge every item that the site offers; return how many."""
        page = self._begin()
        if page is None:
            return 0
        state = self._request("GET", urljoin(page, "next/")).json()
        count = 0
        while state["state"] == "judge":
            state = self._judge(page, state["sets"][0])
            count += 1
        return count

    def _begin(self) -> str | None:
        """Sign in by the personal link and agree to take part; return the page's address.

        None where the site says that there is nothing to begin just now.
        """
        response = self._request("GET", self._link)
        page = response.url
        if re.search(r'action="[^"]*/begin/"', response.text):
            response = self._request("POST", urljoin(page, "begin/"), data=self._csrf())
        return None if "data-not-now" in response.text else page

    def _judge(self, page: str, shown: dict[str, Any]) -> dict[str, Any]:
        images = [self._request("GET", urljoin(page, url)).content for url in shown["images"]]
        shown_at = time.monotonic()
        said = self._eyes.answer(shown["form"], images, shown.get("prompt"))
        heads = [head["name"] for head in shown.get("heads", ())]
        answer: dict[str, Any] = {
            "assignment": shown["assignment"],
            "idempotency_key": shown["idempotency_key"],
            "answer": said,
            "marks": self._eyes.marks(shown["form"], images, heads),
            "response_time_ms": round((time.monotonic() - shown_at) * 1000),
        }
        response = self._request("POST", urljoin(page, "vote/"), data=answer | self._csrf())
        state: dict[str, Any] = response.json()["next"]
        return state

    def _csrf(self) -> dict[str, str]:
        return {"csrfmiddlewaretoken": self._session.cookies.get("csrftoken") or ""}

    def _request(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """Send a request, again while the connection fails: votes carry an idempotency key."""
        headers = {"Referer": url}
        if url.endswith(("/next/", "/vote/")):
            headers["Accept"] = "application/json"
        for attempt in range(_ATTEMPTS):
            try:
                response = self._session.request(
                    method, url, headers=headers, timeout=60, **arguments
                )
                if response.status_code < 500:
                    break
            except requests.RequestException as error:
                if attempt == _ATTEMPTS - 1:
                    raise SiteError(
                        f"{url} does not answer ({type(error).__name__}); is the site running? "
                        "Start it with `manage.py services start`; votes so far are kept."
                    ) from error
            time.sleep(0.2 * 2**attempt)
        if not response.ok:
            raise SiteError(f"{method} {url} answered {response.status_code}; see var/log/web.log.")
        return response
