"""Where a vote's time on the processor goes: the site's layers one by one, and the database.

    python -m tests.annotation.bench.layers [--votes 400]

One annotator votes as our page does it (the answer brings the next set), in this process and
without a web server: milliseconds of processor time a vote, the median of single votes. What the
web server and its system calls take beside it is the bench's `server` less the sum. Processor time
says the same on a machine that others use, but for what they push out of its caches.
"""

import argparse
import json
import os
import pkgutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any
from unittest import mock

VAR = Path("var/bench-layers")
# A layer and what it is inside of: its own time is without the layers within.
LAYERS = {
    "handler and middleware": "django.core.handlers.base.BaseHandler.get_response",
    "session and user": "django.contrib.sessions.backends.db.SessionStore.load",
    "CSRF": "django.middleware.csrf.CsrfViewMiddleware.process_view",
    "view and services": "evalplatform.annotation.views._act",
    "page state and JSON": "evalplatform.annotation.views.page_state",
    "answer as JSON": "evalplatform.annotation.views.JsonResponse.__init__",
    "statements, this side": "psycopg.Cursor.execute",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=400)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "evalplatform.settings"
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    from tests.annotation.bench import database

    with database.server(VAR.resolve() / "postgres") as server, server.database("layers") as name:
        os.environ["DATABASE_URL"] = server.url(name)
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        with _timed() as own:  # before middleware is made, which keeps what it calls
            found = _measure(options.votes, own)
    for layer, cost in found.items():
        print(f"{layer:28}{cost:>8.2f} ms")
    print(json.dumps({layer: round(cost, 3) for layer, cost in found.items()}))


def _measure(votes: int, own: dict[str, float]) -> dict[str, float]:
    from django.db import connection
    from django.test import Client

    from evalplatform.annotation.services import open_campaign
    from tests import factories

    draft = factories.make_bulk_draft(prompts=votes + 50, k=1, criteria=["visual_appeal"])
    open_campaign(campaign=draft)
    client = Client(enforce_csrf_checks=True, SERVER_NAME="localhost")
    page = f"/annotate/{draft.invitation}/"
    client.get(page)
    client.post(f"{page}begin/", {"csrfmiddlewaretoken": client.cookies["csrftoken"].value})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    state = client.get(f"{page}next/?want=1", HTTP_ACCEPT="application/json").json()
    took: dict[str, list[float]] = defaultdict(list)
    server = 0.0
    for number in range(votes):
        if number == votes // 5:  # what was made once is made
            took.clear()
            server = _processor(backend)
        own.clear()
        state = _vote(client, page, state)
        for layer in LAYERS:
            took[layer].append(1000 * own[layer])
    used = _processor(backend) - server
    found = {layer: statistics.median(times) for layer, times in took.items()}
    return found | {"database": 1000 * used / len(took["CSRF"])}


def _vote(client: Any, page: str, state: dict[str, Any]) -> dict[str, Any]:
    shown = state["sets"][0]
    fields = {
        "assignment": shown["assignment"],
        "answer": shown["answers"][0],
        "idempotency_key": shown["idempotency_key"],
        "response_time_ms": 1500,
        "viewport_width": 1280,
        "viewport_height": 800,
        "pixel_ratio": 1,
        "zoomed": 0,
        "want": 1,
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
    }
    answer = client.post(f"{page}vote/", fields, HTTP_ACCEPT="application/json")
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told["next"]  # type: ignore[no-any-return]


@contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Add up each layer's own seconds on the processor, layers within it left out."""
    own: dict[str, float] = defaultdict(float)
    inside: list[float] = []  # seconds of layers within each layer that runs

    def run(layer: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        inside.append(0.0)
        start = time.process_time()
        try:
            return call(*args, **kwargs)
        finally:
            took = time.process_time() - start
            own[layer] += took - inside.pop()
            if inside:
                inside[-1] += took

    with ExitStack() as stack:
        for layer, target in LAYERS.items():
            original = pkgutil.resolve_name(target.rpartition(".")[0])
            name = target.rpartition(".")[2]
            called = getattr(original, name)
            timed = wraps(called)(partial(run, layer, called))
            stack.enter_context(mock.patch.object(original, name, _Bound(timed)))
        yield own


class _Bound:
    """A function that becomes a method of whatever it is looked up on."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __get__(self, instance: Any, owner: Any = None) -> Callable[..., Any]:
        return self._call if instance is None else partial(self._call, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)


def _processor(backend: int) -> float:
    """Return the seconds that a database session on this machine has used."""
    fields = Path(f"/proc/{backend}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
