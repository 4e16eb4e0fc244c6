"""Background work of flows."""

from celery import shared_task
from django.utils import timezone

from evalplatform.core.acting import acting, actor_of_user
from evalplatform.flows.models import FlowBatch
from evalplatform.flows.services import asking
from evalplatform.flows.services import open_batch as open_one


@shared_task(name=asking.TASK)
def open_batch(key: int) -> str:
    """Open one batch; return where it stands."""
    asked = FlowBatch.objects.select_related("asked_by").filter(pk=key).first()
    if asked is None:
        return "the flow was removed"
    with acting(lambda: actor_of_user(asked.asked_by, via="flow")):
        open_one(key=key, now=timezone.now)
    asked.refresh_from_db()
    return asked.status
