"""How soon a trainer learns of a vote, and how soon people can judge what it asks.

The site and its worker run as `services start` runs them, on a database of their own; people are
HTTP clients that judge as the page does, one trainer asks batches and reads answers by waiting
requests. A vote's acknowledgement is the moment at which its HTTP answer was read; it is visible
when the trainer holds an answer with so many votes. Clocks are one: all clients are one process.

    python -m tests.flows.bench_flow [--batches 8] [--panels 4] [--people 8]

A table, then one JSON line: `visible_p50_s`, `visible_p95_s`, `ask_p95_s` (until `ask` returns),
`ask_to_open_s` (median) and `ask_to_open_p95_s` (until the flow's link leads somebody to it).
"""

import argparse
import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.annotation.bench import database, ours
from tests.annotation.bench.wire import Connection

VAR = Path("var/bench-flow")
RESULTS = Path("bench/results")
IMAGES = 4  # a panel
K = 3
SIZE = 256  # px
PAUSE = 0.05  # seconds a person looks at a panel
STANDARD = {"batches": 8, "panels": 4, "people": 8}


def main() -> None:
    options = _options()
    os.environ["EVALPLATFORM_VAR"] = str(VAR.resolve())
    VAR.mkdir(parents=True, exist_ok=True)
    folder = VAR.resolve() / "postgres"
    database.stop_embedded(folder)  # of a bench that was killed
    with (
        database.server(folder) as server,
        ours.running_site(server, VAR.resolve()) as site,
        _worker(),
    ):
        found = _measure(site.address, options)
    _publish(found, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-flow", description=__doc__)
    for name, usual in STANDARD.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    return parser.parse_args()


@contextmanager
def _worker() -> Iterator[None]:
    """The worker of `services start`, of which the default queue is one half."""
    from evalplatform.core import processes

    process = processes.worker()
    process.stop()  # of a bench that was killed
    process.start()
    try:
        yield
    finally:
        process.stop()


def _measure(address: str, options: argparse.Namespace) -> dict[str, Any]:
    trainer = _trainer(address)
    flow = trainer.flow("bench")
    link = trainer.get_flow("bench")["annotators_link"].removeprefix(address)
    acknowledged, stop = _Times(), threading.Event()
    people = [
        threading.Thread(target=_judge, args=(address, link, acknowledged, stop), daemon=True)
        for _ in range(options.people)
    ]
    _warm_up(flow, options.panels)
    for each in people:
        each.start()
    rounds = [
        _round(flow, number, options.panels, acknowledged) for number in range(options.batches)
    ]
    stop.set()
    for each in people:
        each.join(30)
    return {
        "asked": [each["asked"] for each in rounds],
        "opened": [each["opened"] for each in rounds],
        "visible": [gap for each in rounds for gap in each["visible"]],
        "votes": sum(len(each["visible"]) for each in rounds),
        "wanted": options.batches * options.panels * K,
        "faults": acknowledged.faults,
    }


class _Times:
    """When the votes of one batch after another were acknowledged."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: list[float] = []
        self._arrived: list[float] = []
        self.faults: list[str] = []

    def note(self) -> None:
        with self._lock:
            self._at.append(time.monotonic())

    def note_arrival(self) -> None:
        """Somebody was led to a batch."""
        with self._lock:
            self._arrived.append(time.monotonic())

    def begin(self) -> None:
        with self._lock:
            self._at, self._arrived = [], []

    def taken(self) -> tuple[list[float], float]:
        with self._lock:
            return sorted(self._at), min(self._arrived)


def _trainer(address: str) -> Any:
    """Return the API's client for an editor of a project, with a flow."""
    sys.path.insert(0, "clients/python")
    from django.utils import timezone
    from evalplatform_client import Client

    from evalplatform.accounts.members import create_project
    from evalplatform.accounts.models import User
    from evalplatform.accounts.tokens import Scope, create_api_token

    user = User.objects.create_user("trainer")
    create_project(name="bench", owner=user)
    _, secret = create_api_token(
        user=user, label="bench", scopes=[Scope.READ, Scope.CAMPAIGNS], now=timezone.now()
    )
    client = Client(address, secret)
    client.create_flow(
        {"name": "bench", "images_per_panel": IMAGES, "k": K, "deadline_seconds": 300}
    )
    return client


def _panels(number: int, count: int) -> list[tuple[str, list[bytes]]]:
    from tests import factories

    panels = []
    for place in range(count):
        files = []
        for image in range(IMAGES):
            file = io.BytesIO()
            seed = ((number + 1) * count + place) * IMAGES + image
            factories.make_image(seed, SIZE).save(file, "PNG")
            files.append(file.getvalue())
        panels.append((f"a thing of panel {place}", files))
    return panels


def _warm_up(flow: Any, panels: int) -> None:
    """One batch that nobody judges, so that every process has done everything once."""
    batch = flow.ask(_panels(-1, panels))
    while batch.results()["status"] in ("queued", "opening"):
        time.sleep(0.1)
    if batch.answer["status"] != "open":
        raise SystemExit(f"the first batch is {batch.answer['status']}: {batch.answer['reason']}")
    batch.close()


def _round(flow: Any, number: int, panels: int, acknowledged: _Times) -> dict[str, Any]:
    """Ask a batch and read until it is done; return the waiting times in seconds."""
    asked = _panels(number, panels)
    for _, images in asked:
        for image in images:
            flow.send(image)
    acknowledged.begin()
    begun = time.monotonic()
    batch = flow.ask(asked)
    returned = time.monotonic()
    held: list[float] = []  # when the trainer first held an answer with so many votes
    while not batch.answer["is_final"] and time.monotonic() < begun + 120:
        batch.news(wait=20)
        now = time.monotonic()
        held += [now] * (batch.answer["votes"] - len(held))
    while len(acknowledged.taken()[0]) < len(held) and time.monotonic() < begun + 125:
        time.sleep(0.01)  # the end was seen before the last acknowledgement was read
    at, arrived = acknowledged.taken()
    if len(at) != len(held):
        acknowledged.faults.append(f"{len(at)} votes acknowledged, {len(held)} seen")
    return {
        "asked": returned - begun,
        "opened": arrived - begun,
        # The n-th vote that was acknowledged is among the first n that an answer holds. An answer
        # may even come before its acknowledgement was read: then it waited for nothing.
        "visible": [max(0.0, seen - told) for told, seen in zip(at, held, strict=False)],
    }


def _judge(address: str, link: str, times: _Times, stop: threading.Event) -> None:
    """One person: agree, judge what there is, look again."""
    connection = Connection(address)
    try:
        connection.get(link)
        token = {"csrfmiddlewaretoken": connection.cookies.get("csrftoken", "")}
        connection.post_form(f"{link}begin/", token, f"Referer: {address}{link}\r\n")
        while not stop.is_set():
            answer = connection.get(link)
            if answer.status != 302:
                stop.wait(0.25)
                continue
            times.note_arrival()
            _judge_batch(address, connection, _location(answer.headers), times)
    except Exception as error:
        times.faults.append(f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def _judge_batch(address: str, connection: Connection, page: str, times: _Times) -> None:
    invitation = page.strip("/").rpartition("/")[2]
    person = ours.OurAnnotator(address, invitation, together=True, _connection=connection)
    connection.get(page)
    while True:
        shown = person.ask()
        if isinstance(shown, ours.Nothing):
            return
        time.sleep(PAUSE)
        if person.vote(shown) is not None:
            times.note()


def _location(headers: bytes) -> str:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"location":
            return value.strip().decode()
    raise ValueError("a redirect without a Location")


def _publish(found: dict[str, Any], options: argparse.Namespace) -> None:
    def at(name: str, percent: float) -> float:
        return round(float(np.percentile(found[name], percent)), 3)

    line = {
        "bench": "flow",
        "visible_p50_s": at("visible", 50),
        "visible_p95_s": at("visible", 95),
        "visible_max_s": at("visible", 100),
        "ask_p95_s": at("asked", 95),
        "ask_to_open_s": at("opened", 50),
        "ask_to_open_p95_s": at("opened", 95),
        "votes": found["votes"],
        "votes_wanted": found["wanted"],
        "faults": found["faults"],
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
    }
    print(f"{options.batches} batches of {options.panels} panels of {IMAGES} images, k = {K}, "
          f"{options.people} people, {os.cpu_count()} cores\n")  # fmt: skip
    print(f"{'from … to …':<52}{'p50 s':>8}{'p95 s':>8}")
    for label, name in [
        ("a vote's acknowledgement: in the trainer's answer", "visible"),
        ("asking: ask returns", "asked"),
        ("asking: the link leads somebody to the batch", "opened"),
    ]:
        print(f"{label:<52}{at(name, 50):>8.3f}{at(name, 95):>8.3f}")
    if all(getattr(options, name) == usual for name, usual in STANDARD.items()):
        kept = RESULTS / f"flow-{os.cpu_count()}core.json"
        kept.write_text(json.dumps(line, indent=1) + "\n", encoding="utf-8")
        print(f"Kept in {kept}.")
    print(json.dumps(line))
    if found["faults"] or found["votes"] != found["wanted"]:
        sys.exit("votes were lost or refused: see faults")


if __name__ == "__main__":
    main()
