"""Samples by their primary keys: what is held of a hundred thousand of them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from evalplatform.generation.models import Sample


class SampleKeys(Sequence[int]):
    """Primary keys, eight bytes each, in the order given."""

    def __init__(self, keys: Iterable[int]) -> None:
        self._keys = array("q", keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        return self._keys[at]


Asked = Sequence[Sample] | SampleKeys
"""Samples that somebody asked for, as rows or by their keys."""


def rows_of(samples: Asked) -> QuerySet[Sample]:
    """Return these rows, asked for in one parameter: a list of as many takes seconds to plan."""
    keys = [each if isinstance(each, int) else each.pk for each in samples]
    return Sample.objects.filter(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [keys]))
