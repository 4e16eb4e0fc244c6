"""Background work on uploads."""

from celery import shared_task
from django.utils import timezone

from evalplatform.checkpoints import services
from evalplatform.checkpoints.services.uploading import TASK


@shared_task(name=TASK)
def verify_upload(identifier: str) -> str:
    """Verify one upload; return what became of it."""
    upload = services.verify_upload(identifier=identifier, now=timezone.now())
    return upload.status if upload else "another worker has it"
