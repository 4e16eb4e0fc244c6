"""Prolific's signed addresses: a JSON Web Token that repeats the address's parameters."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from django.conf import settings
from django.core.cache import cache

from evalplatform.core.errors import BadInputError

_KEYS_AT = "/.well-known/study/jwks.json"
_KEYS = "prolific-keys"
_KEEP_SECONDS = 12 * 3600  # Prolific asks to fetch them anew at least daily
_ASKED = "prolific-keys-asked"
_ASK_AGAIN_SECONDS = 60  # for an unknown key, which anybody may name
_WAIT_SECONDS = 5


def says_the_same(token: str, parameters: Mapping[str, str]) -> bool:
    """Whether a valid token of Prolific's, made for this site, states these parameters.

    Raises `BadInputError` where Prolific's keys cannot be had.
    """
    try:
        name = str(jwt.get_unverified_header(token).get("kid", ""))
        keys = _published()
        if name not in keys and cache.add(_ASKED, True, _ASK_AGAIN_SECONDS):
            cache.delete(_KEYS)  # Prolific may have a new one
            keys = _published()
        if name not in keys:
            return False
        claims = jwt.decode(
            token,
            jwt.PyJWK(keys[name]),
            algorithms=["RS256"],
            audience=_names_of_this_site(),
            options={"require": ["exp", "aud"]},
        )
    except jwt.PyJWTError:
        return False
    stated = claims.get("prolific")
    if not isinstance(stated, dict):
        return False
    stated = {str(key).lower(): str(value) for key, value in stated.items()}
    return all(stated.get(key) == value for key, value in parameters.items() if value)


def _published() -> dict[str, dict[str, Any]]:
    keys = cache.get(_KEYS)
    if keys is None:
        try:
            answer = requests.get(settings.PROLIFIC_API_URL + _KEYS_AT, timeout=_WAIT_SECONDS)
            answer.raise_for_status()
            keys = {str(key["kid"]): key for key in answer.json()["keys"]}
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                "the signature of this link cannot be checked just now, for Prolific's keys are "
                "out of reach; try again in a minute."
            ) from error
        cache.set(_KEYS, keys, _KEEP_SECONDS)
    return dict(keys)


def _names_of_this_site() -> list[str]:
    host = urlsplit(settings.SITE_URL).hostname or ""
    if not host:
        raise BadInputError(
            "this study awaits signed links, and the site does not know its own address "
            "(SITE_URL); please tell the researchers."
        )
    return [host, settings.SITE_URL, f"{settings.SITE_URL}/"]
