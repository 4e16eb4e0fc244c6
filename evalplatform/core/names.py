"""Names that stand in addresses of pages and in commands."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug

from evalplatform.core.errors import BadInputError

_SHOWN = 80  # characters of a name that is refused


def check_slug(name: str, what: str) -> None:
    """Raise `BadInputError` where `name` has more than letters, digits, hyphens and underscores.

    `what` is what it would name, with its article: "a loop".
    """
    try:
        validate_slug(name)
    except ValidationError:
        raise BadInputError(
            f"{name[:_SHOWN]!r} cannot name {what}; use letters, digits, hyphens and underscores."
        ) from None
