"""The address at which people reach the site: one setting for every link that is printed."""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest

DEFAULT = "http://127.0.0.1:8000"
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # where a server listens, no address to go to


def site_url() -> str:
    """Return the address without a slash at its end.

    `SITE_URL`; without it, where `services start` runs the site on this machine.
    """
    return settings.SITE_URL or _running_site() or DEFAULT


def site_link(path: str, request: HttpRequest | None = None) -> str:
    """Return the link to a path such as "/campaigns/".

    Without `SITE_URL`, whoever asks for a page reads the address they asked at.
    """
    if request is not None and not settings.SITE_URL:
        return request.build_absolute_uri(path)
    return site_url() + path


def note_running_site(host: str, port: int) -> None:
    """Remember where the site runs, until `forget_running_site`."""
    file = _file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"http://{_ANYWHERE.get(host, host)}:{port}", encoding="ascii")


def forget_running_site() -> None:
    """Forget it: the site was stopped."""
    _file().unlink(missing_ok=True)


def _running_site() -> str:
    try:
        return _file().read_text(encoding="ascii")
    except OSError:
        return ""


def _file() -> Path:
    return Path(settings.VAR_DIR) / "run" / "web.address"
