"""The annotator's page of a criterion before there is a campaign: nothing is leased or stored."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.templatetags.static import static
from django.urls import reverse

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import usable_in
from evalplatform.campaigns.forms import form_named
from evalplatform.campaigns.rules import CriterionRules
from evalplatform.core.errors import BadInputError
from evalplatform.generation.models import Sample
from evalplatform.images.models import CollectedImage, ImageCollection
from evalplatform.promptsets.models import PromptSet
from evalplatform.runs.choices import DraftChoices
from evalplatform.runs.dry_run import count_prompts
from evalplatform.runs.services import arm_named

_SHOWN_PX = 512


@dataclass(frozen=True)
class NoCampaign:
    """Stands where the page writes addresses of a campaign, none of which a preview asks."""

    invitation: str = "preview"


def preview_context(
    choices: DraftChoices, place: int, project: Project, *, draft_url: str
) -> dict[str, Any]:
    """Return what `runs/preview.html` shows of the criterion at a place.

    Its images are the arms' own, where some exist that anybody of the project may see; else marked
    places. Raises `BadInputError` where there is no such criterion.
    """
    if not 0 <= place < len(choices.criteria):
        raise BadInputError(f"the draft has {len(choices.criteria)} criteria; there is no {place}.")
    criterion = choices.criteria[place]
    _, prompts = count_prompts(choices, project)
    shown = _set_shown(criterion, _images(choices, project, _size(criterion, choices)))
    if criterion.shows_prompt:
        shown["prompt"] = (prompts.examples or ("The prompt stands here.",))[0]
    return {
        "campaign": NoCampaign(),
        "shown": shown,
        "state": {
            "state": "judge",
            "progress": {"done": 0, "total": 1},
            "sets": [shown],
            "undo": None,
            "break_every": None,
        },
        "me": "",
        "layout": choices.rules.annotation.layout.value,
        "explains": True,
        "shown_px": _SHOWN_PX,
        "draft_url": draft_url,
        "criterion": criterion,
    }


def _set_shown(criterion: CriterionRules, images: list[str]) -> dict[str, Any]:
    form = form_named(criterion.form)
    shown: dict[str, Any] = {
        "assignment": str(uuid.UUID(int=0)),
        "idempotency_key": str(uuid.UUID(int=0)),
        "criterion": criterion.slug,
        "form": criterion.form,
        "page": form.page,
        "language": "",
        "question": criterion.question,
        "instructions": criterion.instructions,
        "answers": list(form.buttons),
        "images": images,
    }
    if criterion.heads:
        shown["heads"] = [{"name": each, "text": each} for each in criterion.heads]
    return shown


def _size(criterion: CriterionRules, choices: DraftChoices) -> int:
    """Return how many images a set of this criterion has."""
    form = form_named(criterion.form)
    return max(form.least, min(form.most, len(choices.arms) or form.least))


def _images(choices: DraftChoices, project: Project, count: int) -> list[str]:
    found = []
    readable = usable_in(project, PromptSet.objects.all())
    for name in choices.arms[:count]:
        try:
            maker = arm_named(name, project)
        except BadInputError:
            continue
        if isinstance(maker, ImageCollection):
            image = CollectedImage.objects.filter(collection=maker).first()
            found.append(reverse("registry:collected", args=[image.pk]) if image else "")
        else:
            sample = (
                Sample.objects.filter(
                    checkpoint=maker, status=Sample.Status.READY, prompt__prompt_set__in=readable
                )
                .order_by("-pk")
                .first()
            )
            found.append(reverse("registry:sample", args=[sample.pk]) if sample else "")
    found += [""] * (count - len(found))
    return [each or static("preview-image.svg") for each in found]
