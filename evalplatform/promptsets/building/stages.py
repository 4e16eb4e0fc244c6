"""The stages of a build, one after another; each takes up where it was stopped."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evalplatform.core.errors import BadInputError
from evalplatform.promptsets.building.categories import quotas
from evalplatform.promptsets.building.keys import of_file, with_the_first
from evalplatform.promptsets.building.lines import Dropped, compared, judge_line
from evalplatform.promptsets.building.log import Log
from evalplatform.promptsets.building.near import BandFiles, resemblance
from evalplatform.promptsets.building.recipe import Recipe
from evalplatform.promptsets.building.workshop import Workshop

LEAST_ROOM = 2**30
"""Bytes of the disk that a build leaves free."""
_AT_A_TIME = 5_000
_STAYS = "number NOT IN (SELECT number FROM repeat)"
Row = tuple[Any, ...]
Say = Callable[[str, float], None]
"""Called with what is being done, and how far it is, 0 to 1."""


def read_log(shop: Workshop, log: Log, recipe: Recipe, say: Say) -> None:
    """Judge each line by itself, and write down those that pass."""
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
            _check_room(shop, f"after line {number:,} of the log", goes_on="there")
    shop.put("lines", number)
    shop.put("read", shop.rows_of("passed"))
    shop.keep()


def _check_room(shop: Workshop, where: str, goes_on: str = "the beginning of this stage") -> None:
    """Stop before the disk is full: databases live on it too, and a small file may unpack to
    lines without end."""
    free = shutil.disk_usage(shop.folder).free
    if free < LEAST_ROOM:
        raise BadInputError(
            f"the disk has {free // 2**20:,} MiB left {where}; at least "
            f"{LEAST_ROOM // 2**20:,} MiB are left free: make room and build again (the command "
            f"goes on from {goes_on}), or give a shorter log."
        )


def _tell(shop: Workshop, say: Say, what: str, share: float) -> None:
    """Say how far a stage is; stop it before the disk is full."""
    say(what, share)
    _check_room(shop, f"at stage “{what}”")


def _with_room(shop: Workshop, rows: Iterable[Row], what: str) -> Iterator[Row]:
    """Yield the rows of a stage; stop it before the disk is full."""
    for done, row in enumerate(rows):
        if done % _AT_A_TIME == 0:
            _check_room(shop, f"at stage “{what}”")
        yield row


def _take(shop: Workshop, number: int, text: str, original: str, given: str, seed: int) -> None:
    same = hashlib.blake2b(compared(text).encode(), digest_size=16).digest()
    shop.database.execute(
        "INSERT INTO passed VALUES (?, ?, ?, ?, ?, ?)",
        [number, same, text, None if original == text else original, given, _priority(same, seed)],
    )


def _priority(same: bytes, seed: int) -> int:
    """A number by chance that text and seed alone decide: the lower, the sooner it is taken."""
    mixed = hashlib.blake2b(same, digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(mixed, "big") >> 1


def drop_same(shop: Workshop, say: Say) -> None:
    """Drop each text that is an earlier one but for capitals, accents and punctuation."""
    if shop.get("once") is not None:
        return
    keys, numbers = shop.folder / "same.u64", shop.folder / "same.i64"
    _write_keys(shop, keys, numbers, say)
    number = of_file(numbers, np.int64)
    for first, others in with_the_first(of_file(keys, np.uint64)):
        _check_room(shop, "at stage “duplicates”")
        _note_pairs(shop, number[first], number[others])
    keys.unlink()
    numbers.unlink()
    pairs = shop.rows(
        "SELECT later, earlier, l.text FROM pair JOIN passed l ON l.number = later"
        " JOIN passed e ON e.number = earlier WHERE l.same = e.same ORDER BY later"
    )
    for later, earlier, text in _with_room(shop, pairs, "duplicates: their texts"):
        shop.drop(later, "duplicate: the same text", text, of=earlier)
        _mark(shop, later)
    shop.database.execute("DELETE FROM pair")
    shop.put("once", True)
    shop.keep()


def _write_keys(shop: Workshop, keys: Path, numbers: Path, say: Say) -> None:
    """Write half of each text's hash and its number, in the order of the numbers."""
    whole, done = max(1, shop.get("read")), 0
    rows = shop.rows("SELECT same, number FROM passed ORDER BY number")
    with keys.open("wb") as key_file, numbers.open("wb") as number_file:
        while some := list(islice(rows, _AT_A_TIME)):
            _tell(shop, say, "duplicates", done / whole)
            done += len(some)
            key_file.write(b"".join(same[:8] for same, _ in some))
            number_file.write(np.array([number for _, number in some], np.int64).tobytes())


def _note_pairs(shop: Workshop, earlier: NDArray[np.int64], later: NDArray[np.int64]) -> None:
    order = np.argsort(later)  # rows beside each other in the table go to it one after another
    shop.database.executemany(
        "INSERT OR IGNORE INTO pair VALUES (?, ?)",
        zip(later[order].tolist(), earlier[order].tolist(), strict=True),
    )


def _mark(shop: Workshop, number: int) -> None:
    shop.database.execute("INSERT INTO repeat VALUES (?)", [number])


def drop_near(shop: Workshop, recipe: Recipe, say: Say) -> None:
    """Drop each text that is like an earlier one that stays."""
    near = recipe.choices.near
    if shop.get("near") is not None:
        return
    if near < 1:
        _find_pairs(shop, near, say)
        whole = max(1, shop.rows_of("pair"))
        pairs = shop.rows(
            "SELECT later, earlier, l.text, e.text FROM pair JOIN passed l ON l.number = later"
            " JOIN passed e ON e.number = earlier ORDER BY later, earlier"
        )
        for done, (later, earlier, text, other) in enumerate(pairs):
            if done % _AT_A_TIME == 0:
                _tell(shop, say, "near duplicates: their texts", done / whole)
            if _is_out(shop, later, earlier):
                continue
            if resemblance(compared(text), compared(other)) >= near:
                shop.drop(later, "duplicate: a similar text", text, of=earlier)
                _mark(shop, later)
        shop.database.execute("DELETE FROM pair")
    shop.put("near", True)
    shop.keep()


def _is_out(shop: Workshop, *numbers: int) -> bool:
    found = shop.database.execute("SELECT 1 FROM repeat WHERE number IN (?, ?)", numbers)
    return found.fetchone() is not None


def _find_pairs(shop: Workshop, near: float, say: Say) -> None:
    whole = max(1, shop.get("read"))
    bands = BandFiles(shop.folder / "bands", near)

    def batches() -> Iterator[Sequence[tuple[int, str]]]:
        rows = shop.rows(f"SELECT number, text FROM passed WHERE {_STAYS} ORDER BY number")
        texts = ((number, compared(text)) for number, text in rows)
        done = 0
        while some := list(islice(texts, 500)):
            _tell(shop, say, "near duplicates: signatures", done / whole)
            done += len(some)
            yield some

    bands.add(batches())
    for earlier, later in bands.pairs(lambda share: say("near duplicates: bands", share)):
        _check_room(shop, "at stage “near duplicates: bands”")
        _note_pairs(shop, earlier, later)
    bands.remove()
    (shop.folder / "bands").rmdir()


def draw_pool(shop: Workshop, recipe: Recipe, say: Say) -> None:
    """Take those that get categories: all that are left, or so many drawn from them."""
    if shop.get("pool") is not None:
        return
    _tell(shop, say, "drawing", 0.0)
    columns = "number, text, original, given, priority"
    shop.database.execute(
        f"INSERT INTO line ({columns}) SELECT {columns} FROM passed WHERE {_STAYS}"
        " ORDER BY priority, number LIMIT ?",
        [recipe.choices.pool],
    )
    whole = max(1, shop.get("read"))
    left = shop.rows(
        f"SELECT number, text FROM passed WHERE {_STAYS}"
        " AND number NOT IN (SELECT number FROM line) ORDER BY number"
    )
    for done, (number, text) in enumerate(left):
        if done % _AT_A_TIME == 0:
            _tell(shop, say, "drawing", done / whole)
        shop.drop(number, "not drawn: beyond the pool", text)
    shop.put("pool", True)
    shop.keep()


def assign_categories(shop: Workshop, recipe: Recipe) -> None:
    """Give each text its category; drop those of none."""
    if shop.get("categories") is not None:
        return
    rows = list(shop.rows("SELECT number, text, given FROM line ORDER BY number"))
    for number, text, given in _with_room(shop, rows, "categories"):
        category = recipe.category_list.of(text, given)
        if category is None:
            shop.drop(number, "category: none fits", text)
            shop.database.execute("DELETE FROM line WHERE number = ?", [number])
        else:
            shop.database.execute(
                "UPDATE line SET category = ? WHERE number = ?", [category, number]
            )
    shop.put("categories", True)
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
    for number, text, category in _with_room(shop, left, "balance"):
        shop.drop(number, f"balance: enough of {category}", text)
    shop.database.execute("DELETE FROM line WHERE place IS NULL")
    shop.put("chosen", True)
    shop.keep()
