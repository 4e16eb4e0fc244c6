"""Reading feedback loops."""

from django.db.models import Prefetch, QuerySet

from evalplatform.accounts.models import Project
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.models import FeedbackLoop, FeedbackRound, RegisteredReward
from evalplatform.feedback.steps import RoundFacts


def loops() -> QuerySet[FeedbackLoop]:
    """Return every loop with all that its page shows."""
    rounds = FeedbackRound.objects.select_related(
        "parent", "child", "rankings", "verification", "proof"
    ).prefetch_related("rewards")
    return FeedbackLoop.objects.select_related(
        "project", "prompt_set", "proof_prompt_set", "created_by"
    ).prefetch_related(Prefetch("rounds", rounds))


def loop_named(name: str, project: Project) -> FeedbackLoop:
    """Return the loop of this name in a project. Raises `BadInputError` listing those there are."""
    found = loops().filter(project=project, slug=name).first()
    if found is None:
        known = FeedbackLoop.objects.filter(project=project).values_list("slug", flat=True)
        raise BadInputError(
            f"no feedback loop {name!r}; there are: {', '.join(known) or 'none yet'}. "
            "Start one first.",
            by_command="`manage.py feedback start NAME` does it.",
        )
    return found


def latest_round(loop: FeedbackLoop, number: int | None = None) -> FeedbackRound:
    """Return a round by its number, or the last. Raises `BadInputError` for one there is not."""
    rounds = list(loop.rounds.all())
    if number is None:
        return rounds[-1]
    for each in rounds:
        if each.number == number:
            return each
    raise BadInputError(f"{loop} has no round {number}; it has {len(rounds)}.")


def facts_of(round: FeedbackRound) -> RoundFacts:
    """Return what a round has come to."""
    last = max(each.number for each in round.loop.rounds.all())
    return RoundFacts(
        loop=round.loop.slug,
        named=round.number if round.number < last else None,
        rankings=_status(round.rankings),
        rankings_name=_name(round.rankings),
        has_preferences=bool(round.preferences_sha256),
        rewards=len(round.rewards.all()),
        has_child=round.child is not None,
        is_inserted=bool(round.insertion),
        verification=_status(round.verification),
        verification_name=_name(round.verification),
        agreement=round.agreement,
        floor=round.loop.agreement_floor,
        proof=_status(round.proof),
        proof_name=_name(round.proof),
    )


def _status(campaign: Campaign | None) -> str | None:
    return campaign.status if campaign else None


def _name(campaign: Campaign | None) -> str:
    return campaign.slug if campaign else ""


def rewards() -> QuerySet[RegisteredReward]:
    """Return every reward model with what its page shows."""
    return RegisteredReward.objects.select_related("project", "round__loop", "created_by")


def reward_named(name: str, project: Project) -> RegisteredReward:
    """Return the reward of this name in a project. Raises `BadInputError` listing those known."""
    found = rewards().filter(project=project, name=name).first()
    if found is None:
        known = RegisteredReward.objects.filter(project=project).values_list("name", flat=True)
        raise BadInputError(
            f"no reward {name!r} in the project {project}; there are: "
            f"{', '.join(known) or 'none yet'}. Train them first.",
            by_command="`manage.py feedback train` does it.",
        )
    return found
