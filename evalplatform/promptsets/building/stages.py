"""The stages of a build, one after another; each takes up where it was stopped."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from evalplatform.promptsets.building.categories import quotas
from evalplatform.promptsets.building.lines import Dropped, compared, judge_line
from evalplatform.promptsets.building.log import Log
from evalplatform.promptsets.building.near import BandFiles, resemblance
from evalplatform.promptsets.building.recipe import Recipe
from evalplatform.promptsets.building.workshop import Workshop

_AT_A_TIME = 5_000
Say = Callable[[str, float], None]
"""Called with what is being done, and how far it is, 0 to 1."""


def read_log(shop: Workshop, log: Log, recipe: Recipe, say: Say) -> None:
    """Judge each line by itself, and take each text once: the first line that has it."""
    if shop.get("read") is not None:
        return
    begun = int(shop.get("lines") or 0)
    number = begun
    for line in log.lines(lambda share: say("reading", share)):
        if line.number <= begun:
            continue
        number = line.number
        found = judge_line(line, recipe)
        if isinstance(found, Dropped):
            shop.drop(number, found.reason, found.text)
        else:
            _take(shop, number, found.text, found.original, line.category, recipe.choices.seed)
        if number % _AT_A_TIME == 0:
            shop.put("lines", number)
            shop.keep()
    shop.put("lines", number)
    shop.put("read", shop.count())
    shop.keep()


def _take(shop: Workshop, number: int, text: str, original: str, given: str, seed: int) -> None:
    same = hashlib.blake2b(compared(text).encode(), digest_size=16).digest()
    added = shop.database.execute(
        "INSERT OR IGNORE INTO line (number, same, text, original, given, priority)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [number, same, text, None if original == text else original, given, _priority(same, seed)],
    )
    if not added.rowcount:
        find = "SELECT number FROM line WHERE same = ?"
        first = shop.database.execute(find, [same]).fetchone()[0]
        shop.drop(number, "duplicate: the same text", text, of=first)


def _priority(same: bytes, seed: int) -> int:
    """A number by chance that text and seed alone decide: the lower, the sooner it is taken."""
    mixed = hashlib.blake2b(same, digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(mixed, "big") >> 1


def drop_near(shop: Workshop, recipe: Recipe, say: Say) -> None:
    """Drop each text that is like an earlier one that stays."""
    near = recipe.choices.near
    if shop.get("near") is not None:
        return
    if near < 1:
        _find_pairs(shop, near, say)
        out = bytearray(int(shop.get("lines")) + 1)  # a byte a line, however many go
        pairs = shop.rows(
            "SELECT later, earlier, l.text, e.text FROM pair JOIN line l ON l.number = later"
            " JOIN line e ON e.number = earlier ORDER BY later, earlier"
        )
        for later, earlier, text, other in pairs:
            if out[later] or out[earlier]:
                continue
            if resemblance(compared(text), compared(other)) >= near:
                out[later] = True
                shop.drop(later, "duplicate: a similar text", text, of=earlier)
        _remove(shop, (number for number, gone in enumerate(out) if gone))
        shop.database.execute("DELETE FROM pair")
    shop.put("near", shop.count())
    shop.keep()


def _find_pairs(shop: Workshop, near: float, say: Say) -> None:
    whole = max(1, shop.count())
    bands = BandFiles(shop.folder / "bands", near)

    def batches() -> Iterator[Sequence[tuple[int, str]]]:
        rows = shop.rows("SELECT number, text FROM line ORDER BY number")
        texts = ((number, compared(text)) for number, text in rows)
        done = 0
        while some := list(islice(texts, 500)):
            say("near duplicates", done / whole)
            done += len(some)
            yield some

    bands.add(batches())
    for earlier, later in bands.pairs():
        shop.database.executemany(
            "INSERT OR IGNORE INTO pair VALUES (?, ?)",
            zip(later.tolist(), earlier.tolist(), strict=True),
        )
    bands.remove()
    (shop.folder / "bands").rmdir()


def _remove(shop: Workshop, numbers: Iterable[int]) -> None:
    shop.database.executemany("DELETE FROM line WHERE number = ?", ([each] for each in numbers))


def draw_pool(shop: Workshop, recipe: Recipe) -> None:
    """Where more are left than get categories, draw so many."""
    if shop.get("pool") is not None:
        return
    pool = recipe.choices.pool
    order = "FROM line ORDER BY priority, number LIMIT"
    for number, text in shop.rows(f"SELECT number, text {order} -1 OFFSET ?", [pool]):
        shop.drop(number, "not drawn: beyond the pool", text)
    drawn = f"SELECT number {order} ?"
    shop.database.execute(f"DELETE FROM line WHERE number NOT IN ({drawn})", [pool])
    shop.put("pool", shop.count())
    shop.keep()


def assign_categories(shop: Workshop, recipe: Recipe) -> None:
    """Give each text its category; drop those of none."""
    if shop.get("categories") is not None:
        return
    rows = list(shop.rows("SELECT number, text, given FROM line ORDER BY number"))
    for number, text, given in rows:
        category = recipe.category_list.of(text, given)
        if category is None:
            shop.drop(number, "category: none fits", text)
            _remove(shop, [number])
        else:
            shop.database.execute(
                "UPDATE line SET category = ? WHERE number = ?", [category, number]
            )
    shop.put("categories", shop.count())
    shop.keep()


class Balance(NamedTuple):
    """How a category came out: prompts there were, wanted by its share, and taken."""

    there: int
    wanted: int
    taken: int


def balanced(shop: Workshop, recipe: Recipe) -> dict[str, Balance]:
    """Choose the set's prompts: `place` says which and in what order. Nothing is dropped yet."""
    shares = recipe.category_list.shares
    there = {
        str(name): int(count)
        for name, count in shop.rows("SELECT category, count(*) FROM line GROUP BY category")
    }
    size = recipe.choices.size
    taken = quotas(size, shares, there)
    wanted = quotas(size, shares, dict.fromkeys(shares, size))
    shop.database.execute("UPDATE line SET place = NULL")
    for name, most in taken.items():
        shop.database.execute(
            "UPDATE line SET place = 0 WHERE number IN (SELECT number FROM line"
            " WHERE category = ? ORDER BY priority, number LIMIT ?)",
            [name, most],
        )
    return {name: Balance(there.get(name, 0), wanted[name], taken[name]) for name in shares}


def drop_unchosen(shop: Workshop) -> None:
    """Write down those that the balance leaves out."""
    left = shop.rows("SELECT number, text, category FROM line WHERE place IS NULL ORDER BY number")
    for number, text, category in left:
        shop.drop(number, f"balance: enough of {category}", text)
    shop.database.execute("DELETE FROM line WHERE place IS NULL")
    shop.put("chosen", shop.count())
    shop.keep()
