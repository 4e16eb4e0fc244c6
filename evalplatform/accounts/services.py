"""Making accounts and annotators."""

import secrets
from typing import Any

from django.db import IntegrityError, transaction

from evalplatform.accounts.models import Annotator, CrowdIdentity, User
from evalplatform.core.errors import BadInputError


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


def user_named(username: str) -> User:
    """Return the account of this name. Raises `BadInputError` listing the known ones."""
    user = User.objects.filter(username=username).first()
    if user is None:
        known = ", ".join(User.objects.order_by("username").values_list("username", flat=True)[:20])
        raise BadInputError(
            f"no user {username!r}; known: {known or 'none yet'}. An operator makes one.",
            by_command="`manage.py createsuperuser` does it.",
        )
    return user


def ensure_simulated_annotator(*, pseudonym: str, behaviour: dict[str, Any]) -> Annotator:
    """Return the simulated annotator of this pseudonym, marked as such, with its behaviour.

    Raises:
        BadInputError: it voted before by another behaviour, which its votes state.
    """
    annotator, _ = Annotator.objects.get_or_create(
        pseudonym=pseudonym, defaults={"is_simulated": True, "simulated_behaviour": behaviour}
    )
    if annotator.simulated_behaviour != behaviour:
        raise BadInputError(
            f"{pseudonym} is there already and behaves otherwise (its taste was learned from other "
            "data, or by other code); give another seed."
        )
    return annotator


def ensure_crowd_annotator(*, platform: str, external_id: str) -> Annotator:
    """Return the annotator who is `external_id` on a crowd platform, made at the first visit."""
    known = CrowdIdentity.objects.filter(platform=platform, external_id=external_id)
    identity = known.select_related("annotator").first()
    if identity is None:
        try:
            with transaction.atomic():
                identity = CrowdIdentity.objects.create(
                    platform=platform,
                    external_id=external_id,
                    annotator=Annotator.objects.create(),
                )
        except IntegrityError:  # two requests of one person's first visit
            identity = known.select_related("annotator").get()
    return identity.annotator
