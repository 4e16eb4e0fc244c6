"""The proof of a round: the child against its parent, on prompts that nothing learned from."""

from django.db import transaction

from evalplatform.accounts.models import User
from evalplatform.campaigns.models import Campaign
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.campaign_plans import proof_plan
from evalplatform.feedback.models import FeedbackRound
from evalplatform.runs.services import start_run


def start_proof(*, round: FeedbackRound, created_by: User | None = None) -> Campaign:
    """Make the blind campaign of the round's child against its parent; return it.

    Asked again, it returns what is there. Raises `BadInputError` before there is a child, and as
    `start_run` does.
    """
    with transaction.atomic():
        round = FeedbackRound.objects.select_for_update(of=("self",)).get(pk=round.pk)
        if round.proof:
            return round.proof
        if round.child is None:
            raise BadInputError(
                f"{round} has no child to prove yet; tune one first.",
                by_command=f"`manage.py feedback tune {round.loop}` does it.",
            )
        round.proof, _ = start_run(
            project=round.loop.project, plan=proof_plan(round), created_by=created_by
        )
        round.save(update_fields=["proof"])
    return round.proof
