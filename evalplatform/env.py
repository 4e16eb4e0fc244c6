"""Typed readers of environment variables that refuse odd values instead of guessing.

Every setting an operator can change is read here, once, by name. A secret `NAME` may also be
given as a file, `NAME_FILE`, as container platforms mount them.
"""

import os
import warnings
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """Return variable `name`, or the content of the file that `name`_FILE points to."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE={file!r} cannot be read ({error.strerror}); give a readable file."
            ) from error
    return os.environ.get(name, default)


def flag(name: str, default: bool = False) -> bool:
    """Return variable `name` as a boolean; anything but the listed spellings is refused."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is not a yes or no; use 1 or 0.")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return variable `name` as a whole number within [minimum, maximum]."""
    value = os.environ.get(name, str(default))
    try:
        number = int(value)
    except ValueError:
        number = minimum - 1
    if not minimum <= number <= maximum:
        raise ImproperlyConfigured(
            f"{name}={value!r} is not a whole number from {minimum} to {maximum}."
        )
    return number


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return variable `name` as one of `allowed`, in any capitals."""
    value = os.environ.get(name, default)
    if value.upper() not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r} is none of {', '.join(allowed)}.")
    return value.upper()


def names(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without blanks."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def networks(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable of addresses and networks; `unix` stands for a socket."""
    given = names(name, default)
    for each in given:
        try:
            if each != "unix":
                ip_network(each, strict=False)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name}: {each!r} is no address or network; give e.g. 127.0.0.1, 10.0.0.0/8 or "
                "unix, separated by commas."
            ) from error
    return given


def postgresql(url: str) -> dict[str, Any]:
    """Return Django's description of the PostgreSQL server that DATABASE_URL names."""
    try:
        with warnings.catch_warnings():  # of a scheme it does not know, which is refused below
            warnings.simplefilter("ignore")
            config = environ.Env.db_url_config(url)
    except ValueError:  # what should be a port is none
        config = {}
    if "postgresql" not in config.get("ENGINE", ""):
        raise ImproperlyConfigured(
            "DATABASE_URL must name a PostgreSQL server (postgresql://USER:PASSWORD@HOST/NAME, "
            "signs such as / and # of a password as %2F and %23): exactly-k assignment relies on "
            "its row locks and constraints."
        )
    return config


def data_folder() -> Path:
    """Return where an installed platform keeps what it writes: a folder of the user's own."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "evalplatform"
