"""What `manage.py check --deploy` says beyond Django's own checks."""

from typing import Any

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
