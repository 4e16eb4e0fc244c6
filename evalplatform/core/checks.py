"""What `manage.py check --deploy` says beyond Django's own checks."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register(deploy=True)
def static_files_are_collected(app_configs: Any, **options: Any) -> list[CheckMessage]:
    """Warn where the site would send static files uncompressed, or those of an older version."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    hint = "run: python manage.py collectstatic --noinput"
    if not manifest.exists():
        return [Warning("the static files are not collected.", hint=hint, id="evalplatform.W001")]
    written = manifest.stat().st_mtime
    sources = (file for folder in settings.STATICFILES_DIRS for file in Path(folder).rglob("*.*"))
    if any(file.stat().st_mtime > written for file in sources):
        message = "static files have changed since they were collected."
        return [Warning(message, hint=hint, id="evalplatform.W002")]
    return []
