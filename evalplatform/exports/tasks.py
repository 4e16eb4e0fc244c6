"""Making exports on a worker."""

from celery import shared_task
from django.utils import timezone

from evalplatform.exports import services


@shared_task(name=services.TASK)
def make_export(key: int) -> str:
    """Make one export; return what became of it."""
    export = services.make_export(key=key, now=timezone.now())
    return export.state if export else "another worker has it"
