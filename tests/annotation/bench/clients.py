"""The clients: every annotator a thread with its own connection, spread over a few processes.

One harness measures both sites, so that a client's cost is the same on both sides. Times are
seconds of the monotonic clock, which all processes of a machine share.
"""

import multiprocessing
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any, Protocol

from tests.annotation.bench.quiet import Meter, Use
from tests.annotation.bench.wire import WireError

PROCESSES = 4
PATIENCE = 10.0  # seconds an annotator asks again while others may still hold the last sets
POLL = 0.25  # seconds between two such questions
DRAIN_LIMIT = 600.0  # seconds after which a drained run is called off
_STEPS = ("next", "image", "vote")


class ClientsError(Exception):
    """A client process could not begin, or ended without a report."""


class RefusedError(Exception):
    """The site answered with an error; the message is short enough to count by."""


@dataclass(frozen=True)
class Nothing:
    """No set now; `final` when the site says that none will come."""

    final: bool


class Annotator(Protocol):
    """One annotator at one site. Must be picklable before `begin`."""

    asked: bool  # whether the last `ask` took a request

    def begin(self) -> None:
        """Connect, and consent where the site asks for it; not measured."""

    def ask(self) -> Any:
        """Return a set to judge, or `Nothing`."""

    def look(self, pair: Any) -> int:
        """Fetch the set's images if this annotator does; return how many requests that took."""

    def vote(self, pair: Any) -> str | None:
        """Answer; return the stored vote's identifier, None where the site did not count it."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """`seconds` None: until no set is left (a drained run). `attempts`: see the bench's option."""

    warm_up: float
    seconds: float | None
    attempts: int = 1


@dataclass
class Record:
    """What some annotators saw. A step is counted when it ended inside the measured window."""

    took: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in _STEPS})
    acknowledged: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    ran_dry: int = 0
    last_vote: float = 0.0
    processor: float = 0.0  # seconds of processor time the clients used in the window

    def add(self, other: "Record") -> None:
        for step in _STEPS:
            self.took[step] += other.took[step]
        self.acknowledged += other.acknowledged
        self.errors += other.errors
        self.ran_dry += other.ran_dry
        self.last_vote = max(self.last_vote, other.last_vote)
        self.processor += other.processor


@dataclass
class Outcome:
    """A finished level: `seconds` is the measured window, or how long the drain took."""

    clients: int
    seconds: float
    record: Record
    use: Use | None = None


def run(annotators: Sequence[Annotator], plan: Plan, pids: Sequence[int] = ()) -> Outcome:
    """Let the annotators work at the same time and return what they saw.

    `pids`: the site's processes, whose use of the machine is measured in the window.
    """
    context = multiprocessing.get_context("spawn")
    count = min(PROCESSES, len(annotators))
    barrier = context.Barrier(count + 1)
    pipes, processes = [], []
    try:
        for index in range(count):
            ours, theirs = context.Pipe()
            mine = list(annotators[index::count])
            process = context.Process(target=_work, args=(mine, plan, barrier, theirs), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        barrier.wait(300)
        started = time.monotonic()
        use = _metered(pids, plan)
        total = Record()
        for pipe in pipes:
            total.add(pipe.recv())
        for process in processes:
            process.join(30)
    except (threading.BrokenBarrierError, EOFError) as error:
        raise ClientsError("the clients could not work; see above") from error
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
    seconds = total.last_vote - started if plan.seconds is None else plan.seconds
    return Outcome(len(annotators), seconds, total, use)


def _metered(pids: Sequence[int], plan: Plan) -> Use | None:
    if plan.seconds is None:
        return None
    meter = Meter(pids)
    time.sleep(plan.warm_up)
    meter.start()
    time.sleep(plan.seconds)
    return meter.stop()


def _work(annotators: list[Annotator], plan: Plan, barrier: Any, pipe: Pipe) -> None:
    """One process: begin with every annotator, wait for the other processes, then work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    try:
        for annotator in annotators:
            annotator.begin()
        barrier.wait(300)
    except BaseException:
        barrier.abort()
        raise
    opens = time.monotonic() + plan.warm_up
    closes = opens + (DRAIN_LIMIT if plan.seconds is None else plan.seconds)
    records = [Record() for _ in annotators]
    threads = [
        threading.Thread(target=_annotate, args=(annotator, record, opens, closes), daemon=True)
        for annotator, record in zip(annotators, records, strict=True)
    ]
    for thread in threads:
        thread.start()
    time.sleep(plan.warm_up)
    used = time.process_time()
    if plan.seconds is not None:
        time.sleep(max(0.0, closes - time.monotonic()))
        used = time.process_time() - used
    for thread in threads:
        thread.join()
    total = Record()
    for record in records:
        total.add(record)
    total.processor = used if plan.seconds is not None else time.process_time() - used
    pipe.send(total)
    pipe.close()


def _annotate(annotator: Annotator, record: Record, opens: float, closes: float) -> None:
    """Ask, look, vote, until the window closes or nothing is left."""
    waiting_since: float | None = None
    while (now := time.monotonic()) < closes:
        step = "next"
        try:
            pair = annotator.ask()
            if annotator.asked:
                _note(record, step, now, opens, closes)
            if isinstance(pair, Nothing):
                waiting_since = waiting_since or now
                if pair.final or now - waiting_since > PATIENCE:
                    record.ran_dry += 1
                    break
                time.sleep(POLL)
                continue
            waiting_since = None
            step, now = "image", time.monotonic()
            if annotator.look(pair):
                _note(record, step, now, opens, closes)
            step, now = "vote", time.monotonic()
            stored = annotator.vote(pair)
            _note(record, step, now, opens, closes)
            record.last_vote = time.monotonic()
            if stored is None:
                record.errors["vote not counted"] += 1
            else:
                record.acknowledged.append(stored)
        except (WireError, RefusedError) as error:
            record.errors[f"{step}: {error}"] += 1
            time.sleep(0.05)  # a refused annotator must not become a busy loop
    annotator.close()


def _note(record: Record, step: str, began: float, opens: float, closes: float) -> None:
    ended = time.monotonic()
    if opens <= ended < closes:
        record.took[step].append(ended - began)
