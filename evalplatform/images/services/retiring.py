"""Taking a collection out of use without losing what hangs on it."""

from datetime import datetime

from evalplatform.accounts.models import User
from evalplatform.images.models import ImageCollection


def retire_collection(*, collection: ImageCollection, user: User | None, now: datetime) -> bool:
    """Let no new campaign take the collection; its images and campaigns stay as they are.

    Returns whether it was in use until now. `user` is None for a command.
    """
    changed = ImageCollection.objects.filter(
        pk=collection.pk, status=ImageCollection.Status.READY
    ).update(status=ImageCollection.Status.RETIRED, retired_at=now, retired_by=user)
    collection.refresh_from_db()
    return bool(changed)


def restore_collection(*, collection: ImageCollection) -> bool:
    """Let new campaigns take a retired collection again; return whether it was retired."""
    changed = ImageCollection.objects.filter(
        pk=collection.pk, status=ImageCollection.Status.RETIRED
    ).update(status=ImageCollection.Status.READY, retired_at=None, retired_by=None)
    collection.refresh_from_db()
    return bool(changed)
