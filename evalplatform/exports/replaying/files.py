"""The files of an export, read once each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evalplatform.core.errors import BadInputError
from evalplatform.exports.replaying.votes import Record, json_lines, vote_records

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Files:
    """What lies in an export's folder."""

    folder: Path

    def whole(self, name: str) -> Any:
        """Return the JSON of one file."""
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BadInputError(
                f"{path} is not there; replay needs a whole export, made as parquet, csv or jsonl "
                "and without filters."
            ) from error
        except ValueError as error:
            raise BadInputError(f"{path} is no JSON; it was changed.") from error

    @cached_property
    def sums(self) -> list[tuple[str, str]]:
        """Each file's SHA-256 and name, as `SHA256SUMS` tells them."""
        path = self.folder / SUMS
        if not path.exists():
            raise BadInputError(f"{path} is not there: the export was not finished, or not copied.")
        lines = path.read_text(encoding="utf-8").splitlines()
        return [(digest, name) for digest, _, name in (each.partition("  ") for each in lines)]

    def lines(self, name: str) -> list[Record]:
        return list(json_lines(self.folder / "replay" / f"{name}.jsonl"))

    @cached_property
    def campaign(self) -> Record:
        found: Record = self.whole("replay/campaign.json")
        return found

    @cached_property
    def votes(self) -> list[Record]:
        names = [name for _, name in self.sums]
        return sorted(vote_records(self.folder, names), key=lambda each: each["vote_id"])

    @cached_property
    def checks(self) -> list[Record]:
        return self.lines("checks")

    @cached_property
    def items(self) -> list[Record]:
        return self.lines("items")

    @cached_property
    def events(self) -> list[Record]:
        return self.lines("events")

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each annotator by pseudonym."""
        return {each["pseudonym"]: each["annotator"] for each in self.campaign["people"]}
