"""Reading a campaign's rules from a TOML file."""

import tomllib
from pathlib import Path
from typing import Any

from evalplatform.campaigns.criteria import in_shipped_words
from evalplatform.campaigns.rules import Rules, parse_rules
from evalplatform.core.errors import BadInputError


def read_rules(path: Path) -> Rules:
    """Return the rules of a TOML file; a shipped criterion may stand in it by its slug alone."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read ({error.strerror}); give a TOML file.") from (
            error
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is not a TOML file: {error}.") from error
    return parse_rules(_in_words(given, path), str(path))


def _in_words(given: dict[str, Any], path: Path) -> dict[str, Any]:
    criteria = given.get("criteria")
    if not isinstance(criteria, list):
        return given
    try:
        return given | {"criteria": [in_shipped_words(each) for each in criteria]}
    except BadInputError as error:
        raise BadInputError(f"{path}: criteria: {error}") from error
