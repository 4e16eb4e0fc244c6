"""Building prompt sets on a worker."""

from celery import shared_task
from django.utils import timezone

from evalplatform.promptsets.services import log_builds


@shared_task(name=log_builds.TASK)
def run_log_build(key: int) -> str:
    """Build from one log; return what became of it."""
    build = log_builds.run_build(key=key, now=timezone.now())
    return build.state if build else "another worker has it, or it is gone"
