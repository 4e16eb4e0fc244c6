"""Reading exports for their page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from evalplatform.campaigns.models import Campaign
from evalplatform.exports.kinds import KINDS, Format
from evalplatform.exports.models import Export
from evalplatform.exports.options import Options, options_from

_MOST = 50


@dataclass(frozen=True)
class ExportLine:
    """One export as the page shows it."""

    export: Export
    kind: Format
    options: Options
    command: str

    @property
    def field(self) -> str:
        """What the field with its checksum is called on the page."""
        return f"sha256-{self.export.public_id}"


def export_lines(campaign: Campaign) -> list[ExportLine]:
    """Return a campaign's last exports, newest first, without those removed."""
    exports = campaign.exports.exclude(state=Export.State.REMOVED).select_related("asked_by")
    return [_line(campaign, each) for each in exports[:_MOST]]


def _line(campaign: Campaign, export: Export) -> ExportLine:
    options = options_from(export.options)
    command = options.asked_on_the_command_line(campaign.slug)
    return ExportLine(export, KINDS[export.kind], options, command)


def kinds_offered() -> Iterable[Format]:
    """Return every format, in the order of the page."""
    return KINDS.values()
