"""What the server that forks racers has loaded: the platform, ready, with no connection open."""

import django

django.setup()

from tests.annotation import racing  # noqa: E402, F401
