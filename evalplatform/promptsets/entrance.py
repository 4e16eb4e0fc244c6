"""What is asked of people's input before anything else is done with it."""

from evalplatform.core.names import check_slug


def check_set_name(name: str) -> str:
    """Return a name that a prompt set can have. Raises `BadInputError`."""
    check_slug(name, "a prompt set")
    return name
