"""Programs outside that may have a say: any OpenAI-compatible server that rewords or judges.

Both are asked for chosen prompts alone, a few thousand and not the log. Keys come from the
environment and are written down nowhere.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import requests

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building.lines import compared, not_to_be_kept
from evalplatform.promptsets.building.recipe import Recipe
from evalplatform.promptsets.building.workshop import Workshop

INSTRUCTION = (
    "Rewrite the user's text as one plain English description of a picture, the way an ordinary "
    "person would ask for it. Keep every thing, person, place, colour, count and style in it and "
    "add nothing. Leave out instructions to an image model. Answer with the description alone."
)
_TRIES = 5
_AT_ONCE = 4
_LONGEST_ANSWER = 4_000


class ServerAwayError(BadInputError):
    """A server refuses or stays away; `short` says so without what to do."""

    def __init__(self, short: str) -> None:
        super().__init__(
            f"{short}; check the address, the model and the key. What was answered before is kept.",
            by_command="Run the same command again to go on.",
        )
        self.short = short


@dataclass(frozen=True)
class Server:
    """An OpenAI-compatible server: its address up to /v1, a model, and a key where it wants one."""

    url: str
    model: str
    key: str = field(default="", repr=False)
    wait: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise BadInputError(
                f"{self.url!r} is no address of a server; give one such as http://127.0.0.1:8000/v1."
            )

    def ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post a request, again after a while where the server is busy or away.

        Raises `ServerAwayError` when it refuses, or stays away.
        """
        said = ""
        for tried in range(_TRIES):
            if tried:
                self.wait(min(60, 2**tried))
            try:
                answer = requests.post(
                    f"{self.url.rstrip('/')}/{path}",
                    json={"model": self.model, **body},
                    headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
                    timeout=120,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                said = type(error).__name__
                continue
            if answer.status_code == 200:
                return self._json(answer)
            said = f"status {answer.status_code}"
            if answer.status_code not in (408, 409, 425, 429) and answer.status_code < 500:
                break
        raise ServerAwayError(f"{self.url} did not answer {path} ({said})")

    def _json(self, answer: requests.Response) -> dict[str, Any]:
        try:
            value = answer.json()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise BadInputError(f"{self.url} answered something other than a JSON object.")
        return value

    def reword(self, text: str) -> str:
        """Return a text in an ordinary person's words."""
        messages = [
            {"role": "system", "content": INSTRUCTION},
            {"role": "user", "content": text},
        ]
        answer = self.ask("chat/completions", {"messages": messages, "temperature": 0, "seed": 0})
        try:
            said = answer["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            said = None
        if not isinstance(said, str):
            raise BadInputError(f"{self.url} answered without choices[0].message.content.")
        return " ".join(said[:_LONGEST_ANSWER].split()).strip('"“” ')

    def unsafe(self, texts: Sequence[str]) -> list[str | None]:
        """Return for each text the kind of unsafe content that the server sees in it, if any."""
        answer = self.ask("moderations", {"input": list(texts)})
        results = answer.get("results")
        if not isinstance(results, list) or len(results) != len(texts):
            raise BadInputError(f"{self.url} answered without one result for each text.")
        return [_flag(each) for each in results]


def _flag(result: Any) -> str | None:
    if not isinstance(result, dict) or not isinstance(result.get("flagged"), bool):
        raise BadInputError("the moderation server answered a result without flagged.")
    if not result["flagged"]:
        return None
    kinds = result.get("categories")
    found = sorted(k for k, v in kinds.items() if v is True) if isinstance(kinds, dict) else []
    return str(found[0])[:60] if found else "flagged"


def drop_flagged(shop: Workshop, server: Server, say: Callable[[str, float], None]) -> int:
    """Ask about chosen prompts not asked about yet; drop those flagged, and return how many."""
    waiting = iter(
        list(
            shop.rows(
                "SELECT number, text FROM line WHERE place IS NOT NULL AND NOT judged"
                " ORDER BY number"
            )
        )
    )
    flagged = 0
    while some := list(islice(waiting, 32)):
        say("asking the classifier", 0.0)
        for (number, _), kind in zip(some, server.unsafe([t for _, t in some]), strict=True):
            if kind is None:
                shop.database.execute("UPDATE line SET judged = 1 WHERE number = ?", [number])
            else:
                flagged += 1
                shop.drop(number, f"unsafe: classifier ({kind})", None)
                shop.database.execute("DELETE FROM line WHERE number = ?", [number])
        shop.keep()
    return flagged


def reword_chosen(
    shop: Workshop, recipe: Recipe, server: Server, say: Callable[[str, float], None]
) -> None:
    """Reword each chosen prompt that is not yet; answers are kept as they come."""
    waiting = list(
        shop.rows("SELECT number, text FROM line WHERE said IS NULL ORDER BY priority, number")
    )
    done = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for some in _parts(waiting, 4 * _AT_ONCE):
            answers = pool.map(server.reword, [text for _, text in some])
            for (number, text), said in zip(some, answers, strict=True):
                new = said if _may_stand(said, text, recipe) else ""
                shop.database.execute("UPDATE line SET said = ? WHERE number = ?", [new, number])
                done += 1
            shop.keep()
            say("rewording", done / len(waiting))
    shop.put("reworded", True)
    shop.keep()


def _may_stand(said: str, text: str, recipe: Recipe) -> bool:
    """An answer stands where it passes what lines pass; else the prompt keeps its own words."""
    words = len(said.split())
    return (
        0 < words <= recipe.choices.most_words
        and words >= recipe.choices.fewest_words
        and not_to_be_kept(said, recipe) is None
        and "\0" not in said
        and not any("\ud800" <= each <= "\udfff" for each in said)
        and compared(said) != compared(text)
    )


def _parts(rows: list[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    for at in range(0, len(rows), size):
        yield rows[at : at + size]
