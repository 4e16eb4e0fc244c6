"""Who is asking: a signed cookie holds the annotator, so that no request looks it up.

It names one annotator for every campaign (who came by an open link, or by a personal key), and
others for single campaigns (who came by an invitation, from a platform, or signed in). What lets
somebody into one campaign then never opens their work in another.
"""

from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from evalplatform.accounts.models import Annotator

COOKIE = "annotator"
_SALT = "evalplatform.annotation"
_NOBODY = 0  # somebody came to this campaign anew and has not begun
_MOST_CAMPAIGNS = 40  # that one browser remembers; beyond, the first ones are forgotten
R = TypeVar("R", bound=HttpResponseBase)


def annotator_id(request: HttpRequest, invitation: str) -> int | None:
    """Return the annotator this browser works as in a campaign; None for nobody known."""
    everywhere, in_campaigns = _read(request)
    return in_campaigns.get(invitation, everywhere) or None


def annotator_ids(request: HttpRequest) -> list[int]:
    """Return every annotator this browser works as."""
    everywhere, in_campaigns = _read(request)
    return sorted({everywhere, *in_campaigns.values()} - {_NOBODY})


def sign_in(request: HttpRequest, response: R, invitation: str, annotator: Annotator) -> R:
    """Let the browser work as this annotator here, and wherever it is nobody else."""
    _, in_campaigns = _read(request)
    in_campaigns.pop(invitation, None)
    return _write(response, annotator.pk, in_campaigns)


def sign_in_here(request: HttpRequest, response: R, invitation: str, annotator: int | None) -> R:
    """Let the browser work as this annotator in one campaign; None: as nobody yet."""
    everywhere, in_campaigns = _read(request)
    in_campaigns.pop(invitation, None)
    in_campaigns[invitation] = annotator or _NOBODY
    return _write(response, everywhere, in_campaigns)


def _read(request: HttpRequest) -> tuple[int, dict[str, int]]:
    """Return (annotator of every campaign, those of single ones by its invitation)."""
    signed = request.get_signed_cookie(
        COOKIE, default="", salt=_SALT, max_age=settings.SESSION_COOKIE_AGE
    )
    everywhere, *rest = (signed or f"{_NOBODY}").split(".")
    pairs = (each.rpartition("~") for each in rest)
    return int(everywhere), {invitation: int(known) for invitation, _, known in pairs}


def _write(response: R, everywhere: int, in_campaigns: dict[str, int]) -> R:
    kept = list(in_campaigns.items())[-_MOST_CAMPAIGNS:]
    response.set_signed_cookie(
        COOKIE,
        ".".join([str(everywhere), *(f"{invitation}~{known}" for invitation, known in kept)]),
        salt=_SALT,
        max_age=settings.SESSION_COOKIE_AGE,
        path=settings.SESSION_COOKIE_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
