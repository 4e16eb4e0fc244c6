"""What other apps show beside a campaign's results, and give beside its files.

Apps above this one put themselves here as they are made ready; results know nothing of them. What
stands beside is never part of a result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from evalplatform.campaigns.models import Campaign


@dataclass(frozen=True)
class Beside:
    """Something beside results.

    `section` gives what the template shows on the Results tab (`may_edit`: of whoever looks),
    None: nothing; `text` what the file holds, None: there is no file for this campaign.
    """

    template: str
    section: Callable[[Campaign, bool], dict[str, Any] | None]
    file_name: str
    text: Callable[[Campaign], str | None]


_KNOWN: dict[str, Beside] = {}


def put_beside(found: Beside) -> None:
    """Show something beside results; once for each file's name."""
    _KNOWN[found.file_name] = found


def sections_beside(campaign: Campaign, may_edit: bool) -> list[dict[str, Any]]:
    """Return what stands on the Results tab below the results, each with its template."""
    made = [(each.template, each.section(campaign, may_edit)) for each in _KNOWN.values()]
    return [{"template": template} | context for template, context in made if context]


def files_beside(campaign: Campaign) -> dict[str, str]:
    """Return the text of each file that this campaign has beside its own."""
    made = {name: each.text(campaign) for name, each in _KNOWN.items()}
    return {name: text for name, text in made.items() if text is not None}
