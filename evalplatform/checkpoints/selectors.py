"""Reading the registry."""

from evalplatform.checkpoints.models import Checkpoint
from evalplatform.core.errors import BadInputError


def usable_checkpoint(name: str) -> Checkpoint:
    """Return the verified checkpoint of this name. Raises `BadInputError` listing the known."""
    checkpoint = Checkpoint.objects.filter(name=name, status=Checkpoint.Status.VERIFIED).first()
    if checkpoint is None:
        known = ", ".join(
            Checkpoint.objects.filter(status=Checkpoint.Status.VERIFIED).values_list(
                "name", flat=True
            )
        )
        raise BadInputError(
            f"no usable checkpoint {name!r}; registered: {known or 'none yet'}. "
            "Register one with `manage.py register_checkpoint DIRECTORY`."
        )
    return checkpoint
