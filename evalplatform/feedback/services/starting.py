"""Beginning a feedback loop."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from evalplatform.accounts.models import Project, User
from evalplatform.campaigns.rules import Rules
from evalplatform.checkpoints.models import Checkpoint
from evalplatform.checkpoints.selectors import registered_checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.core.locks import take_turn
from evalplatform.core.names import check_slug
from evalplatform.core.words import counted
from evalplatform.feedback.campaign_plans import aspect_plans, ranking_plan
from evalplatform.feedback.models import FeedbackLoop, FeedbackRound
from evalplatform.promptsets.models import Prompt, PromptSet
from evalplatform.promptsets.selectors import prompt_set_named
from evalplatform.runs.services import arm_named, start_run

_NAMED = 3
_LONGEST_NAME = 60


@dataclass(frozen=True)
class LoopWish:
    """What a feedback loop is asked, by names as a person gives them.

    Attributes:
        gallery: registered checkpoints or image collections, two or more (`arm_named`).
        tuned: the checkpoint that the first round tunes.
        prompts, proof_prompts: NAME or NAME@VERSION; the two share no prompt.
        verified_share: of the prompts on which people rank a child too, above 0, at most 1.
        agreement_floor: of the pairs placed by rewards that people must agree with, 0 to 1.
    """

    name: str
    gallery: Sequence[str]
    tuned: str
    prompts: str
    proof_prompts: str
    aspects: Sequence[str]
    sampler: dict[str, Any]
    k: int = 3
    seed: int = 0
    verified_share: float = 0.1
    agreement_floor: float = 0.6
    rules: Rules = field(default_factory=Rules)


def start_loop(
    *, project: Project, wish: LoopWish, created_by: User | None = None
) -> tuple[FeedbackLoop, bool]:
    """Make the loop, its first round and its ranking; return it, and whether it is new.

    All or nothing. Asked the same again, it goes on with what is there. Raises `BadInputError` for
    unknown names, prompts that the two sets share, and as `start_run` does.
    """
    _check(wish)
    tuned = registered_checkpoint(wish.tuned, project)
    for name in wish.gallery:
        arm_named(name, project)
    asked = _asked(project, wish)
    with transaction.atomic():
        take_turn(f"feedback loop {wish.name}")  # two at once would both find none
        found = FeedbackLoop.objects.filter(slug=wish.name).first()
        if found is not None:
            _refuse_another(found, project, asked, tuned)
            return found, False
        loop = FeedbackLoop.objects.create(
            project=project, slug=wish.name, created_by=created_by, **asked
        )
        rankings, _ = start_run(project=project, plan=ranking_plan(loop), created_by=created_by)
        FeedbackRound.objects.create(loop=loop, number=1, parent=tuned, rankings=rankings)
    return loop, True


def _check(wish: LoopWish) -> None:
    check_slug(wish.name, "a loop")
    if len(wish.name) > _LONGEST_NAME:
        raise BadInputError(
            f"the name has {len(wish.name)} characters; its campaigns are called after it, so give "
            f"at most {_LONGEST_NAME}."
        )
    if not 0 <= wish.seed < 2**63:
        raise BadInputError(f"the seed is {wish.seed}; give a number from 0 to 2^63 - 1.")
    if len(set(wish.gallery)) < max(2, len(wish.gallery)):
        raise BadInputError(
            f"the gallery is {', '.join(wish.gallery) or 'empty'}; give two models or more, each "
            "once."
        )
    if not 0 < wish.verified_share <= 1:
        raise BadInputError(
            f"people are to verify {wish.verified_share:g} of the prompts; give a share above 0, "
            "at most 1 (usual: 0.1)."
        )
    if not 0 <= wish.agreement_floor <= 1:
        raise BadInputError(
            f"an agreement of {wish.agreement_floor:g} cannot be asked; give a share from 0 to 1 "
            "(chance is 0.5, usual: 0.6)."
        )
    aspect_plans(list(wish.aspects), wish.k, "pair")  # refuses unknown ones and a k below 1
    if not wish.aspects:
        raise BadInputError("no aspect; give at least one criterion that people rank by.")


def _asked(project: Project, wish: LoopWish) -> dict[str, Any]:
    prompts = prompt_set_named(wish.prompts, project)
    proof = prompt_set_named(wish.proof_prompts, project)
    _refuse_shared(prompts, proof)
    return {
        "gallery": list(wish.gallery),
        "prompt_set": prompts,
        "proof_prompt_set": proof,
        "aspects": list(dict.fromkeys(wish.aspects)),
        "k": wish.k,
        "seed": wish.seed,
        "sampler": wish.sampler,
        "rules": wish.rules.as_dict(),
        "verified_share": wish.verified_share,
        "agreement_floor": wish.agreement_floor,
    }


def _refuse_shared(prompts: PromptSet, proof: PromptSet) -> None:
    """A proof on prompts that rewards learned from proves nothing."""
    texts = Prompt.objects.filter(prompt_set=proof).values("text")
    shared = list(
        Prompt.objects.filter(prompt_set=prompts, text__in=texts)
        .order_by("position")
        .values_list("text", flat=True)
    )
    if shared:
        some = "; ".join(shared[:_NAMED])
        raise BadInputError(
            f"{prompts} and {proof} share {counted(len(shared), 'prompt')} ({some}); the proof "
            "needs "
            "prompts that nothing learned from: give another set for the proof."
        )


def _refuse_another(
    found: FeedbackLoop, project: Project, asked: dict[str, Any], tuned: Checkpoint
) -> None:
    differing = [name for name, value in asked.items() if getattr(found, name) != value]
    if found.rounds.get(number=1).parent != tuned:
        differing.append("tuned checkpoint")
    if found.project != project:
        differing.append("project")
    if differing:
        words = ", ".join(name.replace("_", " ") for name in differing)
        raise BadInputError(
            f"there is a loop {found.slug!r} already, asked otherwise ({words}); give another "
            "name, or ask the same to go on with it."
        )
