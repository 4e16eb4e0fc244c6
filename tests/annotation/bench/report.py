"""Tables and the final JSON line of the annotation bench.

over    items with more counting votes than the five asked for
twice   an item and an annotator with more than one counting vote
lost    votes the site acknowledged that are not stored
server  processor time of site and database for a vote, ms: it hangs least on what else runs
others  share of the machine that other programs used meanwhile
"""

import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.annotation.bench.clients import Outcome

PERCENTILES = (50, 95, 99)
IMAGES = "both images fetched"
AS_PAGE = "as our page does it"  # the answer to a vote brings the next set
RANKING = "four ranked"
RANKING_AS_PAGE = "four ranked, as our page"
AS_SHIPPED = "as shipped"  # what the peer's own server command gives
FAULTS = ("over", "twice", "lost")


@dataclass(frozen=True)
class Level:
    """One row: a site under so many clients. Latencies are in milliseconds by percentile.

    `way`: empty for one request for the set and one for the vote, else how the clients differ.
    """

    site: str
    clients: int
    way: str
    seconds: float
    votes: int
    votes_per_s: float
    next_ms: dict[str, float | None]
    image_ms: dict[str, float | None]
    vote_ms: dict[str, float | None]
    errors: dict[str, int]
    ran_dry: int
    client_cores: float
    server_ms: float | None  # processor time of site and database for a vote, in ms
    others: float | None  # share of the machine that was neither theirs nor the clients'


@dataclass(frozen=True)
class Drain:
    """A small campaign worked until nothing is left; counts are of items."""

    site: str
    clients: int
    seconds: float
    acknowledged: int
    found: dict[str, int]
    errors: dict[str, int]


def level(site: str, outcome: Outcome, way: str = "") -> Level:
    took, use = outcome.record.took, outcome.use
    votes = len(took["vote"])
    others = (use.machine - use.site - outcome.record.processor) / use.there_was if use else None
    return Level(
        site=site,
        clients=outcome.clients,
        way=way,
        seconds=round(outcome.seconds, 1),
        votes=votes,
        votes_per_s=round(votes / outcome.seconds, 2),
        next_ms=percentiles(took["next"]),
        image_ms=percentiles(took["image"]),
        vote_ms=percentiles(took["vote"]),
        errors=dict(outcome.record.errors),
        ran_dry=outcome.record.ran_dry,
        client_cores=round(outcome.record.processor / outcome.seconds, 2),
        server_ms=round(use.site / votes * 1000, 1) if use and votes else None,
        others=None if others is None else round(max(0.0, others), 2),
    )


def drain(site: str, outcome: Outcome, found: dict[str, int]) -> Drain:
    return Drain(
        site=site,
        clients=outcome.clients,
        seconds=round(outcome.seconds, 1),
        acknowledged=len(outcome.record.acknowledged),
        found=found,
        errors=dict(outcome.record.errors),
    )


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Return nearest-rank percentiles in ms, None where nothing was measured."""
    ordered = sorted(seconds)
    return {
        f"p{p}": round(ordered[math.ceil(len(ordered) * p / 100) - 1] * 1000, 1)
        if ordered
        else None
        for p in PERCENTILES
    }


def levels_table(levels: Sequence[Level]) -> str:
    """Return throughput and latency as text."""
    head = f"{'site':40}{'clients':>8}{'votes/s':>9}  {'next ms, p50 / p95 / p99':>28}"
    head += f"  {'vote ms, p50 / p95 / p99':>28}{'window':>8}{'errors':>8}"
    lines = [f"{head}{'server':>10}{'others':>8}"]
    for row in levels:
        site = f"{row.site}, {row.way}" if row.way else row.site
        lines.append(
            f"{site:40}{row.clients:>8}{row.votes_per_s:>9.1f}  {_cell(row.next_ms):>28}"
            f"  {_cell(row.vote_ms):>28}{row.seconds:>6.0f} s{sum(row.errors.values()):>8}"
            f"{_or_dash(row.server_ms, '.1f'):>10}{_or_dash(row.others, '.0%'):>8}"
        )
        if row.way == IMAGES:
            lines.append(f"    both images, ms: {_cell(row.image_ms)}")
        if row.errors:
            lines.append(f"    errors: {_counts(row.errors)}")
        if row.ran_dry:
            lines.append(f"    {row.ran_dry} annotators ran out of sets")
    return "\n".join(lines)


def drains_table(drains: Sequence[Drain], sets: int) -> str:
    """Return how a small campaign ended, as text."""
    lines = [
        f"{f'{sets} sets x 5, drained':40}{'clients':>8}{'exact':>7}{'over':>6}"
        f"{'under':>7}{'twice':>7}{'lost':>6}{'votes':>7}{'seconds':>9}{'errors':>8}"
    ]
    for row in drains:
        found = row.found
        lines.append(
            f"{row.site:40}{row.clients:>8}{found['exact']:>7}{found['over']:>6}{found['under']:>7}"
            f"{found['twice']:>7}{found['lost']:>6}{row.acknowledged:>7}{row.seconds:>9.1f}"
            f"{sum(row.errors.values()):>8}"
        )
        if row.errors:
            lines.append(f"    errors: {_counts(row.errors)}")
    return "\n".join(lines)


def faults_table(checks: dict[str, dict[str, int]]) -> str:
    """Return what the databases held after the timed levels, as text."""
    lines = [f"{'after the timed levels':40}" + "".join(f"{name:>8}" for name in FAULTS)]
    for site, found in checks.items():
        lines.append(f"{site:40}" + "".join(f"{found[name]:>8}" for name in FAULTS))
    return "\n".join(lines)


def summary(
    ours: Level,
    as_page: Level,
    peers: Sequence[Level],
    checks: dict[str, dict[str, int]],
    drains: Sequence[Drain],
) -> dict[str, Any]:
    """Return the last line: our figures, and against the peer's best configuration and as shipped.

    `ours` makes the peer's two requests for a vote, `as_page` one, as our page does. Every ratio is
    above 1 where we are better: votes/s is ours over the peer's, a latency the peer's over ours.
    The peer's best is taken for each ratio by itself.
    """
    found = [counts for site, counts in checks.items() if site.startswith(ours.site)]
    found += [row.found for row in drains if row.site == ours.site]
    line: dict[str, Any] = {
        "votes_per_s": ours.votes_per_s,
        "p95_next_ms": ours.next_ms["p95"],
        "p95_vote_ms": ours.vote_ms["p95"],
    }
    line["votes_per_s_as_page"] = as_page.votes_per_s
    line["p95_vote_ms_as_page"] = as_page.vote_ms["p95"]
    line |= {name: sum(counts[name] for counts in found) for name in FAULTS}
    same = [row for row in peers if row.clients == ours.clients]
    shipped = [row for row in same if row.site.endswith(AS_SHIPPED)]
    for each, how in ((ours, ""), (as_page, "_as_page")):
        line |= _ratios(each, same, how) | _ratios(each, shipped, f"{how}_as_shipped")
    return line


def beside(ours: Level, as_page: Level, levels: Sequence[Level], limit: str) -> dict[str, Any]:
    """Return what share of the limit's votes/s is ours, and how rankings compare with pairs.

    `share_of_bare` is below 1. `ratio_ranking_*` is a ranking's p95 over a pair's, as our page asks
    (one request a vote); and of both requests where each is one. Where rankings were measured.
    """
    line: dict[str, Any] = {}
    bare = next((row for row in levels if row.site == limit), None)
    if bare and bare.votes_per_s:
        line["votes_per_s_bare"] = bare.votes_per_s
        line["share_of_bare"] = round(ours.votes_per_s / bare.votes_per_s, 3)
        line["share_of_bare_as_page"] = round(as_page.votes_per_s / bare.votes_per_s, 3)
    ranked = {row.way: row for row in levels if row.way in (RANKING, RANKING_AS_PAGE)}
    for name, way, step, pairs in (
        ("ratio_ranking_p95", RANKING_AS_PAGE, "vote", as_page),
        ("ratio_ranking_p95_next", RANKING, "next", ours),
        ("ratio_ranking_p95_vote", RANKING, "vote", ours),
    ):
        if way in ranked:
            took = getattr(ranked[way], f"{step}_ms")["p95"]
            usual = getattr(pairs, f"{step}_ms")["p95"]
            line[name] = round(took / usual, 2) if took and usual else None
    return line


def second_peer(ours: Level, as_page: Level, rows: Sequence[Level], name: str) -> dict[str, float]:
    """Return our votes/s over a peer's under as many clients: two requests a vote, and our page's.

    Empty where it was not measured so, or stored nothing.
    """
    theirs = next((row for row in rows if row.clients == ours.clients), None)
    if theirs is None or not theirs.votes_per_s:
        return {}
    return {
        f"votes_per_s_{name}": theirs.votes_per_s,
        f"ratio_votes_per_s_{name}": round(ours.votes_per_s / theirs.votes_per_s, 1),
        f"ratio_votes_per_s_{name}_as_page": round(as_page.votes_per_s / theirs.votes_per_s, 1),
    }


def _ratios(ours: Level, peers: Sequence[Level], suffix: str) -> dict[str, float]:
    found = {}
    best = max((row.votes_per_s for row in peers), default=0)
    if best:
        found[f"ratio_votes_per_s{suffix}"] = round(ours.votes_per_s / best, 1)
    for step in ("next", "vote"):
        mine = getattr(ours, f"{step}_ms")["p95"]
        theirs = [getattr(row, f"{step}_ms")["p95"] for row in peers]
        known = [value for value in theirs if value is not None]
        if known and mine:
            found[f"ratio_p95_{step}{suffix}"] = round(min(known) / mine, 1)
    return found


def machine(postgres: str, peer_postgres: str | None) -> dict[str, Any]:
    """Describe the machine without naming it."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
            names = [line.split(":", 1)[1] for line in cpuinfo if line.startswith("model name")]
        model = names[0].strip() if names else model
    except OSError:
        pass
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": model,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "python": platform.python_version(),
        "postgres": postgres,
        "peer_postgres": peer_postgres,
    }


def as_rows(rows: Sequence[Level] | Sequence[Drain]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def _or_dash(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _cell(values: dict[str, float | None]) -> str:
    return " / ".join("-" if value is None else f"{value:,.1f}" for value in values.values())


def _counts(errors: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(errors.items()))
