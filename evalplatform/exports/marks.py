"""What must stand on everything of an export: that votes are simulated, or were cast elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from evalplatform.annotation.models import Vote
from evalplatform.campaigns.models import Campaign
from evalplatform.reports.selectors import simulated_as


@dataclass(frozen=True)
class Marks:
    """The stamps of one campaign; a note is empty where it does not apply.

    Attributes:
        simulated: that votes are simulated.
        imported: that they were cast elsewhere.
        by_people: whether people cast any, or nobody has yet.
    """

    simulated: str
    imported: str
    by_people: bool = True

    @property
    def in_file_names(self) -> str:
        """Such as "simulated-": it begins the names of files of rows."""
        return ("simulated-" if self.simulated else "") + ("imported-" if self.imported else "")

    @property
    def notes(self) -> list[str]:
        return [each for each in (self.simulated, self.imported) if each]


def marks_of(campaign: Campaign) -> Marks:
    """Return what must be said of a campaign's votes, checks and excluded votes among them."""
    votes = Vote.objects.filter(assignment__campaign=campaign)
    note, by_people = "", True
    if votes.filter(is_simulated=True).exists():
        sayings = simulated_as([campaign])
        whose = f" ({'; '.join(sayings)})" if sayings else ""
        by_people = votes.filter(is_simulated=False).exists()
        who = "Some votes" if by_people else "All votes"
        note = f"SIMULATED: {who} were cast by simulated annotators, not by people{whose}."
    return Marks(note, campaign.imported_note, by_people)
