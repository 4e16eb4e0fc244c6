"""Coverage of our intervals and speed beside the peers: two tables, then one line of JSON.

    python -m tests.stats.bench [--votes N] [--simulations N] [--repeats N] [--rows NAME ...]

The JSON has `ratio_<row>` (the peer's time over ours), `seconds_<row>` (ours), `peak_<row>`
(votes and peak of memory beside them, over votes), `coverage` by design and interval with its
smallest figure `min_coverage`, and of `edges` the worst figures `max_fwer`, `early_false_claims`,
`rank_sets_coverage` and `difference_coverage`; of rankings and ratings `ranking_coverage` (four
images, twenty people) and the smallest figures `min_ranking_coverage`, `min_rating_coverage`, and
`one_against_rest_coverage`; of people + reward `ppi_coverage`, `ppi_coverage_edges` (furthest from
.95) and `ppi_votes_share` (votes with a good reward over votes alone, for one width).
"""

from __future__ import annotations

import os

ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
os.environ.update(dict.fromkeys(ONE, "1"))  # before numpy is loaded

import argparse  # noqa: E402
import json  # noqa: E402

from threadpoolctl import threadpool_limits  # noqa: E402

from . import aided, coverage, data, edges, one_against, rankings, speed  # noqa: E402
from .rows import ROWS  # noqa: E402


def main() -> None:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m tests.stats.bench", description=__doc__)
    parser.add_argument("--votes", type=int, default=2_175_000, help="for the speed table")
    parser.add_argument("--simulations", type=int, default=1000, help="a design; 0: no coverage")
    parser.add_argument("--repeats", type=int, default=7, help="of our runs, for medians")
    parser.add_argument("--rows", nargs="*", choices=names, metavar="ROW", help="; ".join(names))
    asked = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found: dict[str, object] = {}
    with threadpool_limits(limits=1):
        rows = [row for row in ROWS if asked.rows is None or row.name in asked.rows]
        if rows:
            found |= speed.run(rows, data.make(asked.votes), asked.repeats)
        if asked.simulations:
            found["coverage"] = by_design = coverage.run(asked.simulations)
            found["min_coverage"] = coverage.smallest(by_design)
            found |= edges.run(asked.simulations)
            found |= rankings.run(asked.simulations)
            found |= one_against.run(asked.simulations)
            found |= aided.run(asked.simulations)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
