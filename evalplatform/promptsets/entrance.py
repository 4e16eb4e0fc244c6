"""What is asked of people's input before anything else is done with it."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug

from evalplatform.core.errors import BadInputError


def check_set_name(name: str) -> str:
    """Return a name that a prompt set can have. Raises `BadInputError`."""
    try:
        validate_slug(name)
    except ValidationError as error:
        raise BadInputError(
            f"{name!r} cannot name a prompt set; use letters, digits, hyphens and underscores."
        ) from error
    return name
