"""Importing images on a worker."""

from celery import shared_task
from django.utils import timezone

from evalplatform.core.acting import acting, actor_of_user
from evalplatform.images.models import ImageImport
from evalplatform.images.services import sent_imports


@shared_task(name=sent_imports.TASK)
def run_image_import(key: int) -> str:
    """Import what somebody sent; return what became of it."""
    begun = ImageImport.objects.select_related("created_by").filter(pk=key).first()
    sender = begun.created_by if begun else None
    with acting(lambda: actor_of_user(sender, via="upload")):
        done = sent_imports.run_import(key=key, now=timezone.now())
    return done.state if done else "another worker has it, or it is gone"
