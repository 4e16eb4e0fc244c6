"""Static files under names that hold their content's hash, compressed, so that browsers keep them.

`collect` writes them to `STATIC_ROOT`; `services start` does it, an operator runs `collectstatic`.
Where nothing is collected (a developer's machine) the files are served as they are.
"""

from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """whitenoise's storage, also for JavaScript modules that import each other."""

    # Without it a module would load its neighbours by their plain names: twice, and never fresh.
    support_js_module_import_aggregation = True

    def stored_name(self, name: str) -> str:
        stored: str = super().stored_name(name) if self.hashed_files else name
        return stored


def are_collected() -> bool:
    """Return whether `STATIC_ROOT` holds every static file as it is written now."""
    storage = HashedStaticFilesStorage()
    manifest = Path(settings.STATIC_ROOT) / storage.manifest_name
    if not manifest.exists():
        return False
    sources = {
        name: Path(source.path(name))
        for finder in get_finders()
        for name, source in finder.list([])
    }
    written = manifest.stat().st_mtime
    return sources.keys() == storage.hashed_files.keys() and all(
        path.stat().st_mtime <= written for path in sources.values()
    )


def collect() -> None:
    """Write every static file to `STATIC_ROOT`, hashed and compressed, where it is not there."""
    if not are_collected():
        call_command("collectstatic", interactive=False, verbosity=0)
