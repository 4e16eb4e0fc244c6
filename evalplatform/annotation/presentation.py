"""What an annotator's browser is told: the blind view of an assignment."""

import uuid
from typing import Any

from django.urls import reverse

from evalplatform.annotation.models import Assignment, Enrolment
from evalplatform.annotation.selectors import annotator_progress
from evalplatform.campaigns.criteria import CRITERIA
from evalplatform.campaigns.models import Campaign


def page_state(enrolment: Enrolment, assignment: Assignment | None) -> dict[str, Any]:
    """Return all the page may know: the leased pair, or why there is none.

    `state` is `pair`, `done` (nothing left for this annotator) or `closed`.
    """
    progress = annotator_progress(annotator=enrolment.annotator, campaign=enrolment.campaign)
    state: dict[str, Any] = {"progress": {"done": progress.done, "total": progress.total}}
    if assignment is None:
        campaign = Campaign.objects.get(pk=enrolment.campaign_id)
        is_open = campaign.status == Campaign.Status.OPEN
        return state | {"state": "done" if is_open else "closed"}
    return state | {"state": "pair", "pair": _pair(assignment)}


def _pair(assignment: Assignment) -> dict[str, Any]:
    criterion = assignment.comparison.criterion
    pair: dict[str, Any] = {
        "assignment": str(assignment.public_id),
        "criterion": criterion.kind,
        "question": criterion.question,
        "instructions": CRITERIA[criterion.kind].instructions,
        "left": _image_url(assignment, "left"),
        "right": _image_url(assignment, "right"),
        # Made here because browsers offer crypto.randomUUID on secure origins only.
        "idempotency_key": str(uuid.uuid4()),
    }
    if criterion.shows_prompt:
        pair["prompt"] = assignment.comparison.prompt.text
    return pair


def _image_url(assignment: Assignment, side: str) -> str:
    return reverse("annotation:image", args=[assignment.public_id, side])
