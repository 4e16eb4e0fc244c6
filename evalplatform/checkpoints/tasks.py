"""Background work on uploads."""

from celery import shared_task
from django.utils import timezone

from evalplatform.accounts.models import User
from evalplatform.checkpoints import services
from evalplatform.checkpoints.services.uploading import TASK
from evalplatform.core.acting import acting, actor_of_user


@shared_task(name=TASK)
def verify_upload(identifier: str) -> str:
    """Verify one upload; return what became of it."""
    sender = User.objects.filter(upload__pk=identifier).first()
    with acting(lambda: actor_of_user(sender, via="upload")):
        upload = services.verify_upload(identifier=identifier, now=timezone.now())
    return upload.status if upload else "another worker has it"
