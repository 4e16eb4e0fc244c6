"""Passwords as the platform keeps them, in a thousandth of the time."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2PasswordHasher(Argon2PasswordHasher):
    """The platform's own can check what this makes: parameters stand in each hash."""

    time_cost = 1
    memory_cost = 8
    parallelism = 1
