"""Signing in, for tests of accounts."""

from django.urls import reverse

PASSWORD = "a long password"


def sign_in(client, username="rania", password=PASSWORD, **extra):
    """Fill in the form as a browser does; `extra` goes to the client, such as REMOTE_ADDR."""
    form = {"username": username, "password": password}
    return client.post(reverse("accounts:sign_in"), form, **extra)
