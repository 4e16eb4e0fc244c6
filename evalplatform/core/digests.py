"""What is kept of a secret that has bits enough of its own."""

import hashlib


def secret_digest(secret: str) -> str:
    """Return the hash by which a secret is known again.

    A plain sha256 will do for a secret made at random of 128 bits or more: there is nothing to
    guess, and looking up a hash tells by its timing nothing about a secret.
    """
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
