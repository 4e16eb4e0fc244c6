""".zenodo.json: what a deposit there needs to know; who the authors are, people fill in."""

from __future__ import annotations

import html
from typing import Any

from evalplatform.exports.documents.statements import choices, summary, title
from evalplatform.exports.told import Told


def zenodo(told: Told) -> dict[str, Any]:
    """Return the metadata of a deposit."""
    said = [summary(told), *choices(told)]
    facts: dict[str, Any] = {
        "title": title(told) + (" (simulated votes)" if told.marks.simulated else ""),
        "description": "".join(f"<p>{html.escape(each)}</p>" for each in said),
        "upload_type": "dataset",
        # An open deposit without a licence is given away by Zenodo, as CC0.
        "access_right": "open" if told.options.licence else "closed",
        "creators": [{"name": told.campaign.project.name}],
        "keywords": ["human preferences", "text-to-image", "human evaluation"],
        "publication_date": told.state.made_at[:10],
        "notes": " ".join(told.marks.notes),
        "related_identifiers": [],
    }
    if told.options.licence:
        facts["license"] = told.options.licence
    return facts
