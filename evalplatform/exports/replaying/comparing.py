"""Computing an export's results again, and where they differ from what was printed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.exports.parts import sha256_of
from evalplatform.exports.replaying.files import Files
from evalplatform.exports.replaying.reading import campaign_of, facts_of
from evalplatform.reports.exports import FORMAT, results_json
from evalplatform.reports.results import campaign_results

# When and by which code it was printed: no number of the results.
_NOT_COMPUTED = ("made_at", "code_version")


@dataclass(frozen=True)
class Replayed:
    """What came of computing again: `difference` is empty where every number is as printed."""

    campaign: str
    numbers: int
    votes: int
    difference: str


def replay(folder: Path) -> Replayed:
    """Compute every number of an export's results.json from its files alone; no database is read.

    Raises `BadInputError` for what is no whole export, and for files that were changed.
    """
    files = Files(folder)
    printed = files.whole("results.json")
    if printed.get("format") != FORMAT:
        raise BadInputError(
            f"{folder}/results.json is {printed.get('format')!r}; this code computes {FORMAT!r}. "
            f"Use the version that made it ({printed.get('code_version')})."
        )
    check_sums(files)
    _check_protocol(files, printed)
    campaign = campaign_of(files)
    results = campaign_results(campaign, facts_of(files, campaign))
    computed = json.loads(json.dumps(results_json(results)))
    for name in _NOT_COMPUTED:
        computed[name] = printed[name]
    return Replayed(
        campaign=campaign.slug,
        numbers=_numbers(printed),
        votes=len(files.votes),
        difference=first_difference(printed, computed),
    )


def check_sums(files: Files) -> None:
    """Raise `BadInputError` naming the first file that SHA256SUMS does not fit."""
    for digest, name in files.sums:
        path = files.folder / name
        if not path.is_file():
            raise BadInputError(f"{path} is missing; copy the whole export.")
        if sha256_of(path) != digest:
            raise BadInputError(f"{path} was changed since it was exported.")


def _check_protocol(files: Files, printed: dict[str, Any]) -> None:
    content = (files.folder / "protocol.json").read_bytes()
    if hashlib.sha256(content).hexdigest() != printed["protocol_sha256"]:
        raise BadInputError(f"{files.folder}/protocol.json is not the protocol of these results.")


def first_difference(printed: Any, computed: Any, where: str = "") -> str:
    """Return the first place at which two JSON values differ, and how; empty where none does.

    Numbers are compared to the last digit.
    """
    if isinstance(printed, dict) and isinstance(computed, dict):
        for name in [*printed, *(each for each in computed if each not in printed)]:
            if name not in printed or name not in computed:
                which = "printed" if name in printed else "computed"
                return f"{where}.{name} is only {which}".lstrip(".")
            found = first_difference(printed[name], computed[name], f"{where}.{name}")
            if found:
                return found
        return ""
    if isinstance(printed, list) and isinstance(computed, list):
        if len(printed) != len(computed):
            return f"{where} has {len(printed)} printed and {len(computed)} computed".lstrip(".")
        for at, (one, other) in enumerate(zip(printed, computed, strict=True)):
            found = first_difference(one, other, f"{where}[{at}]")
            if found:
                return found
        return ""
    if type(printed) is type(computed) and printed == computed:
        return ""
    return f"{where}: printed {printed!r}, computed {computed!r}".lstrip(".")


def _numbers(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_numbers, value.values()))
    if isinstance(value, list):
        return sum(map(_numbers, value))
    return isinstance(value, int | float) and not isinstance(value, bool)
