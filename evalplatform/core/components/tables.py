"""Tables that the server sorts, searches and pages: their whole state stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import QueryDict

PER_PAGE = 50
_LONGEST_SEARCH = 200  # characters


@dataclass(frozen=True)
class TableColumn:
    """One column: what it is called, how it sorts, how it looks.

    `sort` is a field of the query set or, for lists, a function of a row; None does not sort.
    """

    key: str
    label: str
    sort: str | Callable[[Any], Any] | None = None
    is_number: bool = False
    help: str = ""
    descends: bool = False  # the first click sorts from large to small


@dataclass(frozen=True)
class Line:
    """A row for tables without a template of their own: cells in the columns' order."""

    cells: Sequence[Any]
    href: str = ""  # of the first cell


@dataclass(frozen=True)
class Head:
    """A column's head: where a click leads and how the table is sorted by it now."""

    column: TableColumn
    href: str
    direction: str  # ascending, descending or nothing, as aria-sort says it


class DataTable:
    """Rows of one page, sorted and searched by `?sort=`, `?q=` and `?page=`.

    Parameters of others in the address (a filter) are kept. What names no column, page or row is
    ignored: an old link still leads to the table. `name` tells two tables of one page apart;
    `shown_as` turns the rows of the page shown into what their template reads.
    """

    def __init__(
        self,
        columns: Sequence[TableColumn],
        rows: QuerySet[Any] | Iterable[Any],
        params: QueryDict,
        *,
        search: Sequence[str] | Callable[[Any], str] = (),
        default: str = "",
        per_page: int = PER_PAGE,
        name: str = "",
        shown_as: Callable[[list[Any]], list[Any]] | None = None,
    ) -> None:
        self.columns, self.name = list(columns), name
        self._params = params
        self.can_search = bool(search)
        self.query = params.get(self.param("q"), "")[:_LONGEST_SEARCH].replace("\0", "").strip()
        self.sort = self._known_sort(params.get(self.param("sort"), ""), default)
        found = rows if isinstance(rows, QuerySet) else list(rows)
        found = self._sorted(self._searched(found, search))
        self.page: Page[Any] = Paginator(found, per_page).get_page(params.get(self.param("page")))
        self.total = self.page.paginator.count
        self.rows = shown_as(list(self.page)) if shown_as else list(self.page)

    def param(self, key: str) -> str:
        return f"{self.name}-{key}" if self.name else key

    @property
    def lines(self) -> list[tuple[Any, list[tuple[TableColumn, Any]]]]:
        """Each row with its cells beside their columns; rows of other kinds have no cells."""
        return [
            (row, list(zip(self.columns, row.cells, strict=True)) if isinstance(row, Line) else [])
            for row in self.rows
        ]

    @property
    def heads(self) -> list[Head]:
        return [self._head(each) for each in self.columns]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What of the address a search keeps."""
        own = {self.param("q"), self.param("page")}
        return [(key, value) for key, values in self._params.lists() if key not in own
                for value in values]  # fmt: skip

    @property
    def previous(self) -> str:
        return self._page_link(self.page.previous_page_number()) if self.page.has_previous() else ""

    @property
    def next(self) -> str:
        return self._page_link(self.page.next_page_number()) if self.page.has_next() else ""

    def _known_sort(self, asked: str, default: str) -> str:
        sortable = {each.key for each in self.columns if each.sort is not None}
        return asked if asked.removeprefix("-") in sortable else default

    def _head(self, column: TableColumn) -> Head:
        if column.sort is None:
            return Head(column, "", "")
        now = self.sort.removeprefix("-") == column.key
        is_down = self.sort.startswith("-")
        goes_down = not is_down if now else column.descends
        wanted = f"-{column.key}" if goes_down else column.key
        direction = ("descending" if is_down else "ascending") if now else ""
        return Head(column, self._link({"sort": wanted, "page": None}), direction)

    def _page_link(self, number: int) -> str:
        return self._link({"page": str(number)})

    def _link(self, changes: dict[str, str | None]) -> str:
        own = {self.param(key): value for key, value in changes.items()}
        kept = [(key, value) for key, values in self._params.lists() if key not in own
                for value in values]  # fmt: skip
        return "?" + urlencode(kept + [(key, value) for key, value in own.items() if value])

    def _searched(self, rows: Any, search: Sequence[str] | Callable[[Any], str]) -> Any:
        if not self.query or not search:
            return rows
        if isinstance(rows, QuerySet):
            assert not callable(search)
            wanted = Q()
            for name in search:
                wanted |= Q(**{f"{name}__icontains": self.query})
            return rows.filter(wanted).distinct()
        read = search if callable(search) else _read(search)
        return [row for row in rows if self.query.lower() in read(row).lower()]

    def _sorted(self, rows: Any) -> Any:
        key = self.sort.removeprefix("-")
        column = next((each for each in self.columns if each.key == key), None)
        if column is None or column.sort is None:
            return rows
        is_down = self.sort.startswith("-")
        if isinstance(rows, QuerySet):
            return rows.order_by(f"-{column.sort}" if is_down else str(column.sort), "pk")
        value = column.sort if callable(column.sort) else _value(column.sort)
        # What is not known comes last, whichever way the rest is sorted.
        known = [row for row in rows if value(row) is not None]
        unknown = [row for row in rows if value(row) is None]
        return sorted(known, key=value, reverse=is_down) + unknown


def _value(name: str) -> Callable[[Any], Any]:
    return lambda row: row.get(name) if isinstance(row, dict) else getattr(row, name)


def _read(names: Sequence[str]) -> Callable[[Any], str]:
    values = [_value(name) for name in names]
    return lambda row: " ".join(str(value(row)) for value in values)
