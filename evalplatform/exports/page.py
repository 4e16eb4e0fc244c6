"""What the Export tab shows."""

from __future__ import annotations

from typing import Any

from evalplatform.campaigns.models import Campaign
from evalplatform.exports.forms import ExportForm
from evalplatform.exports.replaying.example import PLAIN_PYTHON
from evalplatform.exports.selectors import export_lines, kinds_offered
from evalplatform.exports.services import KEEP

# As results.json and its like have always been given: made at once, for a quick look.
_AT_ONCE = (
    ("results.json", "every number with its method", False),
    ("votes.csv", "a vote", True),
    ("groups.csv", "an estimate", True),
    ("samples.csv", "an image that annotators were shown", True),
    ("checks.csv", "an answer to gold or to a repeat", True),
    ("withheld.csv", "an image that the safety filter kept back", True),
    ("dashboard.html", "the report as one file that opens offline", False),
)


def tab_context(campaign: Campaign, form: ExportForm, *, may_edit: bool) -> dict[str, Any]:
    """Return what `exports/tab.html` shows."""
    lines = export_lines(campaign)
    return {
        "campaign": campaign,
        "may_edit": may_edit,
        "form": form,
        "chosen": form["kind"].value(),
        "kinds": kinds_offered(),
        "lines": lines,
        "is_busy": any(each.export.is_being_made for each in lines),
        "days": KEEP.days,
        "files": _AT_ONCE,
        "plain_python": PLAIN_PYTHON,
    }
