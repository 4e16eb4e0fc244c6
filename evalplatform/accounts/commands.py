"""What commands that create something ask: in which project."""

from typing import Any

from django.core.management.base import CommandParser

from evalplatform.accounts.models import Project
from evalplatform.accounts.projects import project_or_default


def add_project_option(parser: CommandParser) -> None:
    """Let a command be told the project of what it makes."""
    parser.add_argument(
        "--project",
        metavar="NAME",
        help="project it belongs to (default: the only one, or the one named default)",
    )


def project_of(options: dict[str, Any]) -> Project:
    """Return the project that was given. Raises `BadInputError` for an unknown one."""
    return project_or_default(options["project"])
