"""Reading a statement written by hand into models.

Django builds a query anew each time it runs, which costs ten times what its execution costs. The
few statements that every request of an annotator runs are therefore written by hand, and read here.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


class Columns(Generic[M]):
    """The primary key and some more columns of one model in a statement.

    `sql` stands between SELECT and FROM; columns that are not named are read when they are asked
    for, as after `QuerySet.only`.
    """

    def __init__(self, model: type[M], alias: str, *names: str) -> None:
        wanted = {model._meta.get_field(name) for name in names} | {model._meta.pk}
        self._model = model
        self._alias = alias
        self._fields: list[Any] = [f for f in model._meta.concrete_fields if f in wanted]
        self._converters = [getattr(field, "from_db_value", None) for field in self._fields]
        self._attributes = [field.attname for field in self._fields]
        assert self._fields[0].primary_key
        assert len(self._fields) == len(wanted)

    @property
    def sql(self) -> str:
        return ", ".join(f'{self._alias}."{field.column}"' for field in self._fields)

    def read(self, row: Sequence[Any], start: int) -> tuple[M | None, int]:
        """Return the model of the values from `start` on, and where the next one's begin.

        None where the primary key is null, as an outer join leaves it.
        """
        end = start + len(self._fields)
        values = row[start:end]
        if values[0] is None:
            return None, end
        return self._model.from_db(connection.alias, self._attributes, self._python(values)), end

    def _python(self, values: Sequence[Any]) -> list[Any]:
        """Convert what the driver leaves as the database sends it (JSON)."""
        return [
            convert(value, None, connection) if convert else value
            for convert, value in zip(self._converters, values, strict=True)
        ]


def ask_together(*statements: tuple[str, Sequence[Any]]) -> list[list[Any]]:
    """Run statements with their values and return the rows of each; one trip to the server for all.

    Where a transaction has just been opened, its BEGIN travels along. None of them may need what
    another returns. The first that fails raises; those behind it did not run.
    """
    connection.ensure_connection()
    cursors = []
    with connection.wrap_database_errors, connection.connection.pipeline():
        for statement, values in statements:
            cursors.append(connection.cursor())
            cursors[-1].execute(statement, values)
    rows = [cursor.fetchall() for cursor in cursors]
    for cursor in cursors:
        cursor.close()
    return rows
