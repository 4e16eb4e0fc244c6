"""Making accounts and annotators."""

import secrets
from typing import Any

from evalplatform.accounts.models import Annotator, User


def ensure_researcher(*, username: str) -> tuple[User, str | None]:
    """Return the researcher of this name, and a new password if the account was made now."""
    user, created = User.objects.get_or_create(
        username=username, defaults={"role": User.Role.RESEARCHER}
    )
    if not created:
        return user, None
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    return user, password


def ensure_simulated_annotator(*, pseudonym: str, behaviour: dict[str, Any]) -> Annotator:
    """Return the simulated annotator of this pseudonym, marked as such, with its behaviour."""
    annotator, _ = Annotator.objects.get_or_create(
        pseudonym=pseudonym, defaults={"is_simulated": True, "simulated_behaviour": behaviour}
    )
    return annotator
