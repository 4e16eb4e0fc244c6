"""What an export is of: every document beside its rows is written from this."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from evalplatform.campaigns.models import Campaign
from evalplatform.core.version import code_version
from evalplatform.exports.marks import Marks
from evalplatform.exports.options import Options
from evalplatform.exports.partitions import Partition, partitions_of
from evalplatform.exports.state import ExportState

FORMAT = "evalplatform-export/1"


@dataclass(frozen=True)
class Told:
    """One export: its campaign, what was asked for, and how far it has come."""

    campaign: Campaign
    options: Options
    folder: Path
    state: ExportState
    marks: Marks

    @cached_property
    def partitions(self) -> list[Partition]:
        """Every criterion and split that has files; none of a document."""
        if self.options.of.container is None:
            return []
        return partitions_of(self.options, [each.slug for each in self.campaign.criteria.all()])

    @property
    def has_configs(self) -> bool:
        """Whether each criterion has files of its own."""
        return any(each.config for each in self.partitions)

    @cached_property
    def people(self) -> dict[str, int]:
        """A number for each annotator of the campaign, from 1, by pseudonym."""
        enrolled = self.campaign.enrolments.order_by("annotator_id")
        names = enrolled.values_list("annotator__pseudonym", flat=True)
        return {name: number for number, name in enumerate(names, start=1)}

    @property
    def suffix(self) -> str:
        container = self.options.of.container
        return container.value if container else ""

    @property
    def rows(self) -> int:
        """How many rows are written."""
        return sum(self.state.rows.values())

    def file_of(self, partition: Partition, number: int) -> str:
        return partition.file_name(self.marks.in_file_names, number, self.suffix)

    def pattern_of(self, partition: Partition) -> str:
        return partition.pattern(self.marks.in_file_names, self.suffix)

    def files_of(self, partition: Partition) -> list[str]:
        """The files of a partition, in the order of their rows."""
        start = self.pattern_of(partition).partition("*")[0]
        return sorted(each for each in self.state.rows if each.startswith(start))

    def rows_of(self, partition: Partition) -> int:
        return sum(self.state.rows[each] for each in self.files_of(partition))

    def as_json(self) -> dict[str, Any]:
        """What the export says of itself."""
        return {
            "format": FORMAT,
            "campaign": self.campaign.slug,
            "status": self.campaign.status,
            "kind": self.options.kind,
            "options": self.options.as_json(),
            "simulated_note": self.marks.simulated,
            "imported_note": self.marks.imported,
            "rows": self.rows,
            "files": self.state.rows,
            "images_lost": self.state.lost,
            "protocol_sha256": self.campaign.protocol_sha256,
            "votes_as_of": self.state.made_at,
            "code_version": code_version(),
            "replayable": self.options.is_whole,
        }
