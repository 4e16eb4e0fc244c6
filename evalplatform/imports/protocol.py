"""A campaign, its arms and criteria, for votes that were cast elsewhere: closed from the start."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evalplatform.accounts.models import Project, User
from evalplatform.campaigns.criteria import CRITERIA
from evalplatform.campaigns.models import Arm, Campaign, Criterion
from evalplatform.campaigns.protocol import (
    OF_A_CRITERION,
    OF_A_PROMPT_SET,
    RULES,
    arm_in_protocol,
    facts_of,
    protocol_hash,
)
from evalplatform.campaigns.rules import Rules
from evalplatform.core.errors import BadInputError
from evalplatform.core.version import code_version
from evalplatform.imports.gathering import Asked
from evalplatform.promptsets.models import PromptSet

NOT_RECORDED = "Not recorded: the votes were cast elsewhere."
DESIGN = "imported"


@dataclass(frozen=True)
class Wish:
    """What whoever imports votes says of their criterion, where the file does not.

    Attributes:
        slug: of votes for which the file names none; "" is overall preference.
        question: as people were asked it; "" where it is not known.
        shows_prompt: whether they saw the prompt; None where that is not said.
    """

    slug: str = ""
    question: str = ""
    shows_prompt: bool | None = None

    @property
    def named(self) -> tuple[str, str]:
        """Slug and label of what the file names no criterion for."""
        slug = self.slug or "overall_preference"
        return slug, label_of(slug)


def label_of(slug: str) -> str:
    """Return what reports call a criterion."""
    shipped = CRITERIA.get(slug)
    return shipped.label if shipped else slug.replace("_", " ").capitalize()


def new_criteria(asked: list[Asked], most: list[int], wish: Wish) -> list[Criterion]:
    """Return a criterion for each that was asked, in its place, with k as its items have votes.

    Raises `BadInputError` where a question is given for several, or appeal would show prompts.
    """
    if wish.question and len(asked) > 1:
        raise BadInputError(
            f"the file has {len(asked)} criteria ({', '.join(each.slug for each in asked)}), so "
            "one question cannot be theirs; leave it out."
        )
    return [
        _criterion(at, each, k, wish) for at, (each, k) in enumerate(zip(asked, most, strict=True))
    ]


def _criterion(position: int, asked: Asked, k: int, wish: Wish) -> Criterion:
    shipped = CRITERIA.get(asked.slug)
    shows_prompt = wish.shows_prompt
    if shows_prompt is None:
        shows_prompt = shipped.shows_prompt if shipped else True
    if asked.slug == "visual_appeal" and shows_prompt:
        raise BadInputError(
            "visual_appeal is asked without the prompt; give another criterion for votes of "
            "people who saw it."
        )
    label = asked.label if asked.label != asked.slug else label_of(asked.slug)
    return Criterion(
        slug=asked.slug,
        label=shipped.label if shipped else label[:80],
        question=wish.question or NOT_RECORDED,
        shows_prompt=shows_prompt,
        form=asked.form,
        k=k,
        position=position,
    )


def store_campaign(
    *,
    project: Project,
    slug: str,
    arms: list[Arm],
    criteria: list[Criterion],
    prompt_set: PromptSet,
    imported_from: dict[str, Any],
    created_by: User | None,
    now: datetime,
) -> Campaign:
    """Store a closed campaign with these arms and criteria; the protocol says what is known."""
    protocol = {
        "imported_from": imported_from,
        "arms": [arm_in_protocol(arm) for arm in arms],
        "design": DESIGN,
        "prompt_sets": [facts_of(prompt_set, OF_A_PROMPT_SET)],
        "criteria": [facts_of(each, OF_A_CRITERION) for each in criteria],
        "rules": {"verdict": RULES["verdict"]},
        "gold": [],
        "code_version": code_version(),
    }
    campaign = Campaign.objects.create(
        project=project,
        slug=slug,
        status=Campaign.Status.CLOSED,
        created_by=created_by,
        design=DESIGN,
        seed=0,
        lease_seconds=0,
        rules=Rules().as_dict(),
        protocol=protocol,
        protocol_sha256=protocol_hash(protocol),
        imported_from=imported_from,
        closed_at=now,
    )
    campaign.prompt_sets.add(prompt_set)
    for arm in arms:
        arm.campaign = campaign
    for criterion in criteria:
        criterion.campaign = campaign
    Arm.objects.bulk_create(arms)
    Criterion.objects.bulk_create(criteria)
    return campaign
