"""The speed table: the same votes for us and each peer, in one process, on one core; medians.

Seconds are of processor time: on a quiet core the same as on the clock, and on a busy one not
the neighbours' work.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from .data import Data
from .peers import has_arena_rank
from .rows import Row


def seconds(work: Callable[[Any], Any], made: Any, repeats: int) -> tuple[float, Any]:
    """Median processor time of `repeats` runs, and the last result."""
    taken, result = [], None
    for _ in range(repeats):
        gc.collect()
        start = time.process_time()
        result = work(made)
        taken.append(time.process_time() - start)
    return median(taken), result


def peer_seconds(row: Row, made: Any) -> tuple[float, Any]:
    if row.peer_apart is not None:
        taken, result = row.peer_apart(made)
    else:
        assert row.peer is not None
        taken, result = seconds(row.peer, made, row.peer_repeats)
    return taken * row.scale, result


def peak_multiple(row: Row, made: Any, size: int) -> float:
    """(votes + the most that is allocated beside them) / votes; not timed, as tracing is slow."""
    gc.collect()
    tracemalloc.start()
    row.ours(made)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (size + peak) / size


def run(rows: Iterable[Row], data: Data, repeats: int) -> dict[str, float]:
    """Print the table; return ratios, our seconds and peaks by row."""
    found: dict[str, float] = {}
    head = f"{'row':26}{'ours s':>9}{'peer s':>10}{'ratio':>9}{'peak':>7}  what, and against whom"
    print(
        f"\nSpeed, {len(data):,} votes, one core, medians; peak memory as a multiple of the votes"
    )
    print(head)
    for row in rows:
        made = row.prepare(data)
        ours, result = seconds(row.ours, made, repeats)
        found[f"seconds_{row.name}"] = round(ours, 4)
        theirs, ratio, note, peak = "", "", "", ""
        if row.size is not None:
            found[f"peak_{row.name}"] = round(peak_multiple(row, made, row.size(made)), 2)
            peak = f"{found[f'peak_{row.name}']:.1f}x"
        if row.peer is not None or row.peer_apart is not None:
            taken, other = peer_seconds(row, made)
            found[f"ratio_{row.name}"] = round(taken / ours, 2)
            theirs, ratio = f"{taken:.3f}", f"{taken / ours:.1f}x"
            note = f" against {row.peer_does}"
            if row.apart is not None:
                apart = row.apart(result, other)
                note += f"; results differ by {apart:.0e}"
                if not apart <= row.allowed:
                    raise SystemExit(f"{row.name}: the two results differ by {apart}.")
        print(
            f"{row.name:26}{ours:9.3f}{theirs:>10}{ratio:>9}{peak:>7}  {row.does}{note}",
            flush=True,
        )
    if not has_arena_rank():  # choix has no row: it takes neither ties nor counts
        print("arena-rank is not installed, so its rows are left out; `make arena-rank` does it.")
    return found
