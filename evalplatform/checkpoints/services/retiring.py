"""Taking a checkpoint out of use without losing what was made with it."""

from datetime import datetime

from evalplatform.accounts.models import User
from evalplatform.checkpoints.models import Checkpoint


def retire_checkpoint(*, checkpoint: Checkpoint, user: User | None, now: datetime) -> bool:
    """Let no new campaign take the checkpoint; its files, samples and campaigns stay as they are.

    Returns whether it was in use until now. `user` is None for a command.
    """
    changed = Checkpoint.objects.filter(pk=checkpoint.pk, status=Checkpoint.Status.VERIFIED).update(
        status=Checkpoint.Status.RETIRED, retired_at=now, retired_by=user
    )
    checkpoint.refresh_from_db()
    return bool(changed)


def restore_checkpoint(*, checkpoint: Checkpoint) -> bool:
    """Let new campaigns take a retired checkpoint again; return whether it was retired."""
    changed = Checkpoint.objects.filter(pk=checkpoint.pk, status=Checkpoint.Status.RETIRED).update(
        status=Checkpoint.Status.VERIFIED, retired_at=None, retired_by=None
    )
    checkpoint.refresh_from_db()
    return bool(changed)
