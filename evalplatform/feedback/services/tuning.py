"""Taking a tuned child in: registered with its lineage, and written down as the round's."""

from pathlib import Path

from django.db import transaction

from evalplatform.checkpoints.services import register_checkpoint
from evalplatform.core.errors import BadInputError
from evalplatform.feedback.models import FeedbackRound


def register_child(*, round: FeedbackRound, source: Path) -> FeedbackRound:
    """Register what the trainer made of the round's parent; asked again, it is found done.

    Raises `BadInputError` for a checkpoint of another parent, and as `register_checkpoint` does.
    """
    if not round.preferences_sha256:
        raise BadInputError(
            f"{round} has no preference set, so nothing was tuned on it; export it first.",
            by_command=f"`manage.py feedback export {round.loop}` does it.",
        )
    child, _ = register_checkpoint(
        project=round.loop.project, source=source, name=child_name(round)
    )
    if child.parent_sha256 != round.parent.sha256:
        raise BadInputError(
            f"{source} was tuned from {child.parent_sha256 or 'nothing'}, and {round} tunes "
            f"{round.parent} ({round.parent.sha256}); tune that one. It is registered as {child}."
        )
    with transaction.atomic():
        round = FeedbackRound.objects.select_for_update(of=("self",)).get(pk=round.pk)
        if round.child_id not in (None, child.pk):
            raise BadInputError(f"{round} has a child already: {round.child}.")
        round.child = child
        round.save(update_fields=["child"])
    return round


def child_name(round: FeedbackRound) -> str:
    """Return what a round's child is called."""
    return f"{round.loop.slug}-child-{round.number}"
