"""What `manage.py check --deploy` says beyond Django's own checks."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from evalplatform.core.static_files import are_collected


@register(deploy=True)
def static_files_are_collected(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn where the site would send static files uncompressed, or those of an older version."""
    if are_collected():
        return []
    return [
        Warning(
            "the static files are not collected, or have changed since.",
            hint="run: python manage.py collectstatic --noinput",
            id="evalplatform.W001",
        )
    ]


@register(deploy=True)
def links_begin_with_https(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn where every link that is given out would first be asked for in plain text."""
    if not (settings.HTTPS and settings.SITE_URL.startswith("http://")):
        return []
    return [
        Warning(
            f"SITE_URL={settings.SITE_URL} names plain HTTP, and HTTPS=1 serves HTTPS alone: "
            "keys in annotators' links would be sent in plain text first.",
            hint=f"give SITE_URL=https://{settings.SITE_URL.removeprefix('http://')}",
            id="evalplatform.W002",
        )
    ]
