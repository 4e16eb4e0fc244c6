"""Signatures of the addresses that crowd platforms send people to."""

import hashlib
import hmac
import time
from collections.abc import Mapping

from django.conf import settings

from evalplatform.annotation.doors.prolific_tokens import says_the_same
from evalplatform.campaigns.crowd_rules import CrowdRules, Signed
from evalplatform.core.errors import BadInputError

EXPIRES = "expires"  # optional parameter, signed along: Unix time in seconds


def is_signed(given: Mapping[str, str], rules: CrowdRules) -> bool:
    """Whether the parameters (names in small letters) carry the signature that the rules want.

    Raises `BadInputError` where the site cannot tell, for want of a secret or of Prolific's keys.
    """
    names = [name.lower() for name in rules.parameters if name]
    proof = given.get(names[-1], "")
    if not proof:
        return False
    if rules.signed is Signed.JWT:
        return says_the_same(proof, {name: given.get(name, "") for name in names[:-1]})
    if not settings.CROWD_SECRET:
        raise BadInputError(
            "this study awaits signed links, and the site has no CROWD_SECRET; please tell the "
            "researchers."
        )
    signed = {name: value for name, value in given.items() if name != names[-1]}
    return hmac.compare_digest(
        signature(signed, settings.CROWD_SECRET).encode(), proof.lower().encode()
    ) and not _is_over(signed.get(EXPIRES, ""))


def signature(parameters: Mapping[str, str], secret: str) -> str:
    """Return HMAC-SHA256 in hexadecimal over `name=value` lines, sorted; names in small letters.

    Values are as they are before they are quoted for an address.
    """
    lines = "\n".join(sorted(f"{name.lower()}={value}" for name, value in parameters.items()))
    return hmac.new(secret.encode(), lines.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _is_over(expires: str) -> bool:
    if not expires:
        return False
    return not (expires.isascii() and expires.isdigit()) or int(expires[:12]) < time.time()
