"""Errors a person can act on: what was given, what is accepted, what to do."""

from django.core.exceptions import PermissionDenied


class EvalPlatformError(Exception):
    """Base of every error this platform raises on purpose; its text is one line for a person.

    The text holds for every way in: a page, the API and a command show it. `by_command` is what
    only a command adds: the option or the other command that does what the text advises.
    """

    def __init__(self, *said: object, by_command: str = "") -> None:
        super().__init__(*said)
        self.by_command = by_command

    def for_command(self) -> str:
        """Return the line that a command prints."""
        return f"{self} {self.by_command}".rstrip()


class BadInputError(EvalPlatformError):
    """Something a person gave cannot be used."""


class NotAllowedError(EvalPlatformError, PermissionDenied):
    """Somebody's role does not allow it (403); its text says what is needed and whom to ask."""


class ConflictError(EvalPlatformError):
    """What is asked for does not go with the state of the thing (409)."""


class ChangedMeanwhileError(EvalPlatformError):
    """Somebody else changed what is about to be changed (412)."""
