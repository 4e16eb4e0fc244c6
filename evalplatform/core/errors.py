"""Errors a person can act on: what was given, what is accepted, what to do."""


class EvalPlatformError(Exception):
    """Base of every error this platform raises on purpose; its text is one line for a person."""


class BadInputError(EvalPlatformError):
    """Something a person gave cannot be used."""
