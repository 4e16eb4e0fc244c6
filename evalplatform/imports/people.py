"""Annotators of votes cast elsewhere: pseudonyms of their own, never those of anybody here."""

import hashlib
from array import array
from collections.abc import Sequence
from datetime import datetime
from itertools import count

from evalplatform.accounts.models import Annotator, new_access_key
from evalplatform.core.copy_in import copy_in, reserve_ids

_LONGEST = 40
_LOOKED_UP = 5000


def pseudonyms(campaign: str, given: Sequence[str]) -> list[str]:
    """Return `CAMPAIGN-ID` for each id that a file gives.

    By a hash of the id where that is too long or taken, and where the id is an e-mail address:
    a pseudonym says nothing about the person.
    """
    taken: set[str] = set()
    named = []
    wished = [_wished(campaign, each) for each in given]
    there = set(_taken(wished))
    for who, name in zip(given, wished, strict=True):
        if name in taken or name in there:
            name = _free(campaign, who, taken)
        taken.add(name)
        named.append(name)
    return named


def _wished(campaign: str, given: str) -> str:
    name = f"{campaign}-{given}"
    return name if len(name) <= _LONGEST and "@" not in given else _hashed(campaign, given, 0)


def _hashed(campaign: str, given: str, turn: int) -> str:
    digest = hashlib.sha256(f"{campaign}\n{given}\n{turn}".encode()).hexdigest()[:12]
    return f"{campaign[: _LONGEST - 13]}-{digest}"


def _free(campaign: str, given: str, taken: set[str]) -> str:
    names = (_hashed(campaign, given, turn) for turn in count(1))
    return next(name for name in names if name not in taken and not _taken([name]))


def _taken(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for start in range(0, len(names), _LOOKED_UP):
        part = names[start : start + _LOOKED_UP]
        there = Annotator.objects.filter(pseudonym__in=part)
        found += there.values_list("pseudonym", flat=True)
    return found


def store_annotators(
    *, campaign: str, given: Sequence[str], simulated: set[int], now: datetime
) -> "array[int]":
    """Store an annotator for each id of the file; return their primary keys."""
    keys = reserve_ids(Annotator, len(given))
    names = pseudonyms(campaign, given)
    copy_in(
        Annotator,
        ("id", "pseudonym", "access_key", "is_simulated", "created_at"),
        (
            (key, name, new_access_key(), at in simulated, now)
            for at, (key, name) in enumerate(zip(keys, names, strict=True))
        ),
    )
    return keys
